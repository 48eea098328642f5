#include "worker/restorectl/options.h"

#include "policy/utf8.h"
#include "worker/restorectl/option_table.h"
#include "worker/restorectl/terms.h"

#include <getopt.h>
#include <string.h>

static enum exit_code usage(FILE *err, const char *what, const char *why)
{
    fprintf(err, "restorectl: %s%s%s\nrestorectl --help shows how\n", what,
            why[0] != '\0' ? ": " : "", why);
    return EXIT_USAGE;
}

static enum exit_code option_usage(FILE *err, const struct option_row *row, const char *why)
{
    char what[64];
    snprintf(what, sizeof what, "--%s", row->name);
    return usage(err, what, why);
}

static enum exit_code take_command(int n, char **operands, FILE *err, struct options *options,
                                   int *ret_used)
{
    for (int i = 0; n > 0 && i < COMMANDS; i++) {
        const struct command_row *row = &command_rows[i];
        if (strcmp(operands[0], row->word) != 0)
            continue;
        if (row->second != NULL && (n < 2 || strcmp(operands[1], row->second) != 0))
            continue;
        options->command = (enum command)i;
        *ret_used = row->second != NULL ? 2 : 1;
        return EXIT_OK;
    }
    return usage(err, n > 0 ? operands[0] : "a command is needed", n > 0 ? "no such command" : "");
}

/* --new-name is the name that the policy gives: the restored user's, where none is said. */
static enum exit_code settle_new_name(FILE *err, struct restore_request *request)
{
    if (request->new_user_principal_name[0] == '\0')
        return EXIT_OK;
    if (request->name_policy == NAME_POLICY_ABSENT)
        request->name_policy = NAME_POLICY_RENAME_RESTORED;
    if (request->name_policy == NAME_POLICY_RENAME_ACTIVE) {
        memcpy(request->rename_active_to, request->new_user_principal_name,
               sizeof request->rename_active_to);
        request->new_user_principal_name[0] = '\0';
    } else if (request->name_policy != NAME_POLICY_RENAME_RESTORED) {
        return usage(err, "--new-name", "the policy renames nobody");
    }
    return EXIT_OK;
}

static enum exit_code take_users(int n, char **operands, FILE *err, struct options *options)
{
    bool has_new_name = options->request.new_user_principal_name[0] != '\0';
    const char *word = command_rows[options->command].word;
    if (options->csv != NULL && n > 0)
        return usage(err, operands[0], "users come from --csv");
    if (options->csv != NULL && options->request_id != NULL)
        return usage(err, "--request-id", "names one request, --csv makes many");
    if (options->csv != NULL && has_new_name)
        return usage(err, "--new-name", "is one user's: the column newUserPrincipalName");
    if (options->csv == NULL && options->resume != NULL)
        return usage(err, "--resume", "belongs to --csv");
    if (n == 0 && options->csv == NULL)
        return usage(err, word, "whom?");
    if (n > USERS_MAX)
        return usage(err, word, "at most 100 users; --csv takes more");
    if (n > 1 && has_new_name)
        return usage(err, "--new-name", "is one user's");
    for (int i = 0; i < n; i++)
        if (!term_name_user(operands[i], &options->users[options->n_users++]))
            return usage(err, operands[i], "neither an object id nor a user principal name");
    return settle_new_name(err, &options->request);
}

static enum exit_code take_request_id(FILE *err, struct options *options, const char *text)
{
    const char *wrong = option_take_request_id(options, text);
    return wrong == NULL ? EXIT_OK : usage(err, "wait", wrong);
}

static enum exit_code take_operands(int n, char **operands, FILE *err, struct options *options)
{
    switch (options->command) {
    case COMMAND_RESTORE:
    case COMMAND_PLAN: return take_users(n, operands, err, options);
    case COMMAND_WAIT:
        return n == 1 ? take_request_id(err, options, operands[0])
                      : usage(err, "wait", "one request id");
    case COMMAND_RETRY:
        options->event_file = operands[0];
        return n == 1 ? EXIT_OK : usage(err, "retry", "one event: a file, or - for stdin");
    case COMMAND_DELETED:
    case COMMAND_WATCH:
    case COMMAND_TOPICS_CREATE:
    case COMMAND_TOPICS_CHECK:
    case COMMAND_TOPICS_ACLS:
    case COMMAND_KEYS_NEW:
    case COMMANDS: break;
    }
    return n == 0 ? EXIT_OK : usage(err, operands[0], "too much");
}

enum { OPTION_FIRST = 256 }; /* above every letter: the long form of row 0 */

static void fill_getopt(struct option ret_long[OPTION_ROWS], char *ret_short)
{
    for (int i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        bool has_argument = row->argument != NULL;
        ret_long[i] = (struct option){.name = row->name,
                                      .has_arg = has_argument ? required_argument : no_argument,
                                      .val = OPTION_FIRST + i};
        if (row->letter != 0)
            *ret_short++ = (char)row->letter;
        if (row->letter != 0 && has_argument)
            *ret_short++ = ':';
    }
    *ret_short = '\0';
}

static int find_option(int value)
{
    for (int i = 0; i < OPTION_ROWS; i++)
        if (value == OPTION_FIRST + i ||
            (option_rows[i].letter != 0 && value == option_rows[i].letter))
            return i;
    return -1;
}

static enum exit_code take_option(FILE *err, const struct option_row *row, const char *text,
                                  struct options *options)
{
    const char *wrong = NULL;
    char *field = (char *)options + row->offset;
    if (text != NULL && !utf8_is_valid(text, strlen(text)))
        wrong = "is not UTF-8";
    else if (row->term != NULL)
        wrong = row->term(&options->request, text);
    else if (row->take != NULL)
        wrong = row->take(options, text);
    else if (text != NULL)
        *(const char **)field = text;
    else
        *(bool *)field = true;
    return wrong == NULL ? EXIT_OK : option_usage(err, row, wrong);
}

/* Options may come before the command that they belong to, so `ret_given` is judged afterwards.
 * After --help or --version nothing else counts. */
static enum exit_code take_options(int argc, char **argv, FILE *err, struct options *options,
                                   bool ret_given[OPTION_ROWS])
{
    struct option long_options[OPTION_ROWS + 1] = {0};
    char letters[2 * OPTION_ROWS + 2] = ":", what[64];
    enum exit_code code = EXIT_OK;
    fill_getopt(long_options, letters + 1);
    optind = 0; /* glibc: begin anew, also the permutation */
    opterr = 0;
    while (code == EXIT_OK && !options->help && !options->version) {
        int value = getopt_long(argc, argv, letters, long_options, NULL);
        if (value == -1)
            break;
        int i = find_option(value);
        if (i < 0) {
            snprintf(what, sizeof what, "%.60s", argv[optind - 1]);
            return usage(err, what, value == ':' ? "needs an argument" : "no such option");
        }
        code = take_option(err, &option_rows[i], optarg, options);
        ret_given[i] = true;
    }
    return code;
}

enum exit_code options_parse(int argc, char **argv, FILE *err, struct options *ret_options)
{
    bool given[OPTION_ROWS] = {false};
    int used = 0;
    *ret_options = (struct options){.timeout_ms = INT64_C(1200) * 1000, .replication = -1};
    enum exit_code code = take_options(argc, argv, err, ret_options, given);
    if (ret_options->help || ret_options->version)
        return code;
    if (code == EXIT_OK)
        code = take_command(argc - optind, argv + optind, err, ret_options, &used);
    for (int i = 0; i < OPTION_ROWS && code == EXIT_OK; i++)
        if (given[i] && (option_rows[i].commands & (1U << ret_options->command)) == 0)
            code = option_usage(err, &option_rows[i], "does not belong to this command");
    if (code == EXIT_OK)
        code = take_operands(argc - optind - used, argv + optind + used, err, ret_options);
    return code;
}

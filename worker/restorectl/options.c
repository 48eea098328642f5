#include "worker/restorectl/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    FOR_RESTORE = 1 << COMMAND_RESTORE,
    FOR_WAIT = 1 << COMMAND_WAIT,
    FOR_CREATE = 1 << COMMAND_TOPICS_CREATE,
    FOR_KEYS = 1 << COMMAND_KEYS_NEW,
    FOR_KAFKA = (1 << COMMANDS) - 1 - FOR_KEYS,
};

/* NULL, or what is wrong with the argument. */
typedef const char *take_option(struct options *options, const char *text);

static bool name_user(const char *text, struct named *ret_named)
{
    ret_named->by = text_is_guid(text) ? NAMED_BY_ID : NAMED_BY_NAME;
    const char *sign = strchr(text, '@');
    bool is_name = sign != NULL && sign != text && sign[1] != '\0';
    return (ret_named->by == NAMED_BY_ID || is_name) &&
           text_copy(ret_named->text, sizeof ret_named->text, text);
}

/* Code points, as the contract counts lengths: bytes that begin one. */
static bool copy_chars(char *to, size_t to_bytes, const char *from, size_t chars_max)
{
    size_t chars = 0;
    for (const char *at = from; *at != '\0'; at++)
        chars += ((unsigned char)*at & 0xc0) != 0x80;
    return chars > 0 && chars <= chars_max && text_copy(to, to_bytes, from);
}

static const char *take_tenant(struct options *options, const char *text)
{
    return *text != '\0' && text_copy(options->request.tenant, TENANT_BYTES + 1, text)
               ? NULL
               : "1 to 64 bytes";
}

static const char *take_requested_by(struct options *options, const char *text)
{
    static const char app[] = "app:";
    struct named *requester = &options->request.requested_by;
    if (strncmp(text, app, sizeof app - 1) != 0)
        return name_user(text, requester) ? NULL : "an object id, a user principal name or app:ID";
    requester->by = NAMED_BY_APP_ID;
    text += sizeof app - 1;
    return text_is_guid(text) && text_copy(requester->text, sizeof requester->text, text)
               ? NULL
               : "app: and an application id";
}

static const char *take_reason(struct options *options, const char *text)
{
    struct restore_request *request = &options->request;
    return copy_chars(request->reason, sizeof request->reason, text, REASON_CHARS)
               ? NULL
               : "1 to 1024 characters";
}

static const char *take_ticket(struct options *options, const char *text)
{
    struct restore_request *request = &options->request;
    char system[sizeof request->ticket_system] = "";
    const char *colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof system)
        return "SYSTEM:ID";
    memcpy(system, text, (size_t)(colon - text));
    return copy_chars(request->ticket_system, sizeof request->ticket_system, system,
                      TICKET_CHARS) &&
                   copy_chars(request->ticket_id, sizeof request->ticket_id, colon + 1,
                              TICKET_CHARS)
               ? NULL
               : "SYSTEM:ID, each 1 to 128 characters";
}

static const char *take_notify(struct options *options, const char *text)
{
    struct recipients *to = &options->request.notify_to;
    if (to->n == RECIPIENTS_MAX)
        return "at most 5 times";
    options->request.has_notify_to = true;
    return *text != '\0' && text_copy(to->address[to->n++], ADDRESS_BYTES + 1, text)
               ? NULL
               : "1 to 254 bytes";
}

static const char *take_name_policy(struct options *options, const char *text)
{
    for (int i = NAME_POLICY_REJECT; i < NAME_POLICIES; i++) {
        if (strcmp(text, name_policy_word((enum name_policy)i)) == 0) {
            options->request.name_policy = (enum name_policy)i;
            return NULL;
        }
    }
    return "reject, rename-restored, rename-active or replace-active";
}

static const char *take_new_name(struct options *options, const char *text)
{
    return *text != '\0' &&
                   text_copy(options->request.new_user_principal_name, NAME_BYTES + 1, text)
               ? NULL
               : "1 to 113 bytes";
}

static const char *take_request_id(struct options *options, const char *text)
{
    options->request_id = text;
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return "no control characters";
    return *text != '\0' && strlen(text) <= IDENTITY_BYTES ? NULL : "1 to 256 bytes";
}

static bool take_number(const char *text, long high, long *ret_number)
{
    char *end;
    *ret_number = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *ret_number >= 1 && *ret_number <= high;
}

static const char *take_timeout(struct options *options, const char *text)
{
    long seconds;
    if (!take_number(text, TIMEOUT_SECONDS_MAX, &seconds))
        return "1 to 86400 seconds";
    options->timeout_ms = (int64_t)seconds * 1000;
    return NULL;
}

static const char *take_replication(struct options *options, const char *text)
{
    long replication;
    if (!take_number(text, REPLICATION_MAX, &replication))
        return "1 to 100";
    options->replication = (int)replication;
    return NULL;
}

static const char *take_no_wait(struct options *options, const char *text)
{
    (void)text;
    options->no_wait = true;
    return NULL;
}

static const char *take_print(struct options *options, const char *text)
{
    (void)text;
    options->print = true;
    return NULL;
}

static const char *take_private_file(struct options *options, const char *text)
{
    options->private_file = text;
    return NULL;
}

static const char *take_public_file(struct options *options, const char *text)
{
    options->public_file = text;
    return NULL;
}

static const char *take_config(struct options *options, const char *text)
{
    options->config = text;
    return NULL;
}

static const char *take_brokers(struct options *options, const char *text)
{
    options->brokers = text;
    return *text != '\0' && strlen(text) <= BROKERS_BYTES ? NULL : "host:port, comma between";
}

static const char *take_property(struct options *options, const char *text)
{
    if (options->n_properties == KAFKA_PROPERTIES_MAX)
        return "at most 64 times";
    options->properties[options->n_properties++] = text;
    return NULL;
}

static const char *take_output(struct options *options, const char *text)
{
    options->json = strcmp(text, "json") == 0;
    if (strcmp(text, "csv") == 0)
        return "csv is not in this version";
    return options->json || strcmp(text, "text") == 0 ? NULL : "text or json";
}

enum { OPTION_FIRST = 256 }; /* above every letter: an option without a short form */

static const struct option_row {
    const char *name;
    int letter;
    unsigned commands;
    take_option *take;
    bool has_argument;
} rows[] = {
    {"tenant", 0, FOR_RESTORE, take_tenant, true},
    {"requested-by", 0, FOR_RESTORE, take_requested_by, true},
    {"reason", 0, FOR_RESTORE, take_reason, true},
    {"ticket", 0, FOR_RESTORE, take_ticket, true},
    {"notify", 0, FOR_RESTORE, take_notify, true},
    {"on-name-conflict", 0, FOR_RESTORE, take_name_policy, true},
    {"new-name", 0, FOR_RESTORE, take_new_name, true},
    {"request-id", 0, FOR_RESTORE, take_request_id, true},
    {"no-wait", 0, FOR_RESTORE, take_no_wait, false},
    {"print", 0, FOR_RESTORE, take_print, false},
    {"timeout", 0, FOR_RESTORE | FOR_WAIT, take_timeout, true},
    {"replication", 0, FOR_CREATE, take_replication, true},
    {"out", 0, FOR_KEYS, take_private_file, true},
    {"public", 0, FOR_KEYS, take_public_file, true},
    {"config", 'c', FOR_KAFKA, take_config, true},
    {"brokers", 'b', FOR_KAFKA, take_brokers, true},
    {"property", 'X', FOR_KAFKA, take_property, true},
    {"output", 'o', FOR_RESTORE | FOR_WAIT, take_output, true},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* The contract's commands; `unsupported` ones are not in this version. */
static const struct command_row {
    const char *word, *second;
    bool unsupported;
    enum command command;
} commands[] = {
    {"restore", NULL, false, COMMAND_RESTORE},
    {"wait", NULL, false, COMMAND_WAIT},
    {"topics", "create", false, COMMAND_TOPICS_CREATE},
    {"topics", "check", false, COMMAND_TOPICS_CHECK},
    {"keys", "new", false, COMMAND_KEYS_NEW},
    {"topics", "acls", true, COMMANDS},
    {"plan", NULL, true, COMMANDS},
    {"deleted", NULL, true, COMMANDS},
    {"watch", NULL, true, COMMANDS},
    {"retry", NULL, true, COMMANDS},
};

static enum exit_code usage(FILE *err, const char *what, const char *why)
{
    fprintf(err, "restorectl: %s%s%s\nrestorectl --help shows how\n", what,
            why[0] != '\0' ? ": " : "", why);
    return EXIT_USAGE;
}

static enum exit_code take_command(int n, char **operands, FILE *err, struct options *options,
                                   int *ret_used)
{
    for (size_t i = 0; n > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        const struct command_row *row = &commands[i];
        if (strcmp(operands[0], row->word) != 0)
            continue;
        if (row->second != NULL && (n < 2 || strcmp(operands[1], row->second) != 0))
            continue;
        if (row->unsupported)
            return usage(err, row->word, "not in this version");
        options->command = row->command;
        *ret_used = row->second != NULL ? 2 : 1;
        return EXIT_OK;
    }
    return usage(err, n > 0 ? operands[0] : "a command is needed", n > 0 ? "no such command" : "");
}

static enum exit_code take_users(int n, char **operands, FILE *err, struct options *options)
{
    if (n == 0)
        return usage(err, "restore", "whom?");
    if (n > USERS_MAX)
        return usage(err, "restore", "at most 100 users");
    if (n > 1 && options->request_id != NULL)
        return usage(err, "--request-id", "names one request, so one USER");
    if (n > 1 && options->request.new_user_principal_name[0] != '\0')
        return usage(err, "--new-name", "is one user's");
    for (int i = 0; i < n; i++)
        if (!name_user(operands[i], &options->users[options->n_users++]))
            return usage(err, operands[i], "neither an object id nor a user principal name");
    /* A new name is only asked for under the policy that uses it. */
    if (options->request.new_user_principal_name[0] != '\0' &&
        options->request.name_policy == NAME_POLICY_ABSENT)
        options->request.name_policy = NAME_POLICY_RENAME_RESTORED;
    return EXIT_OK;
}

static enum exit_code take_operands(int n, char **operands, FILE *err, struct options *options)
{
    if (options->command == COMMAND_RESTORE)
        return take_users(n, operands, err, options);
    if (options->command == COMMAND_WAIT) {
        const char *wrong = n == 1 ? take_request_id(options, operands[0]) : "one request id";
        return wrong == NULL ? EXIT_OK : usage(err, "wait", wrong);
    }
    return n == 0 ? EXIT_OK : usage(err, operands[0], "too much");
}

static void fill_getopt(struct option *ret_long, char *ret_short)
{
    for (int i = 0; i < ROWS; i++) {
        ret_long[i] =
            (struct option){.name = rows[i].name,
                            .has_arg = rows[i].has_argument ? required_argument : no_argument,
                            .val = OPTION_FIRST + i};
        if (rows[i].letter != 0) {
            *ret_short++ = (char)rows[i].letter;
            *ret_short++ = ':';
        }
    }
    ret_long[ROWS] = (struct option){.name = "help", .val = 'h'};
    ret_long[ROWS + 1] = (struct option){.name = "version", .val = 'V'};
    memcpy(ret_short, "hV", sizeof "hV");
}

static const struct option_row *find_option(int value)
{
    for (int i = 0; i < ROWS; i++)
        if (value == OPTION_FIRST + i || (rows[i].letter != 0 && value == rows[i].letter))
            return &rows[i];
    return NULL;
}

/* Options may come before the command that they belong to, so `ret_given` is judged afterwards. */
static enum exit_code take_options(int argc, char **argv, FILE *err, struct options *options,
                                   bool ret_given[ROWS], int *ret_letter)
{
    struct option long_options[ROWS + 3] = {0};
    char letters[2 * ROWS + 4] = ":";
    fill_getopt(long_options, letters + 1);
    optind = 0; /* glibc: begin anew, also the permutation */
    opterr = 0;
    for (int value; (value = getopt_long(argc, argv, letters, long_options, NULL)) != -1;) {
        char what[64];
        const struct option_row *row = find_option(value);
        if (value == 'h' || value == 'V') {
            *ret_letter = value;
            return EXIT_OK;
        }
        if (row == NULL) {
            snprintf(what, sizeof what, "%.60s", argv[optind - 1]);
            bool csv = strncmp(what, "--csv", 5) == 0 || strncmp(what, "--resume", 8) == 0;
            return usage(err, what,
                         csv            ? "not in this version"
                         : value == ':' ? "needs an argument"
                                        : "no such option");
        }
        snprintf(what, sizeof what, "--%s", row->name);
        const char *wrong = row->take(options, optarg);
        if (wrong != NULL)
            return usage(err, what, wrong);
        ret_given[row - rows] = true;
    }
    return EXIT_OK;
}

enum exit_code options_parse(int argc, char **argv, FILE *out, FILE *err,
                             struct options *ret_options, bool *ret_done)
{
    bool given[ROWS] = {false};
    int letter = 0, used = 0;
    char what[64];
    *ret_options = (struct options){.timeout_ms = INT64_C(1200) * 1000, .replication = -1};
    *ret_done = false;
    enum exit_code code = take_options(argc, argv, err, ret_options, given, &letter);
    if (code == EXIT_OK && letter != 0) {
        if (letter == 'h')
            help_print(out);
        else
            version_print(out);
        *ret_done = true;
        return EXIT_OK;
    }
    if (code == EXIT_OK)
        code = take_command(argc - optind, argv + optind, err, ret_options, &used);
    for (int i = 0; i < ROWS && code == EXIT_OK; i++) {
        if (given[i] && (rows[i].commands & (1U << ret_options->command)) == 0) {
            snprintf(what, sizeof what, "--%s", rows[i].name);
            code = usage(err, what, "does not belong to this command");
        }
    }
    if (code == EXIT_OK)
        code = take_operands(argc - optind - used, argv + optind + used, err, ret_options);
    return code;
}

/* restorectl without Kafka: its command line, what it would send, and how outcomes read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/restorectl/commands.h"
#include "worker/restorectl/outcome_print.h"
#include "worker/restorectl/request.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 40 };

#define AT INT64_C(1795348800123) /* 2026-11-22T12:00:00.123Z */

static struct options options;
static char said[4096]; /* on stderr, of the last parse */

static enum exit_code parse(int argc, char **argv)
{
    bool done;
    FILE *err = fmemopen(said, sizeof said, "w");
    enum exit_code code = options_parse(argc, argv, err, err, &options, &done);
    fclose(err);
    return code;
}

/* Words between blanks. */
static enum exit_code parse_line(const char *line)
{
    static char words[1024];
    char *argv[ARGUMENTS_MAX + 1] = {(char[]){"restorectl"}};
    int argc = 1;
    char *rest;
    strncpy(words, line, sizeof words - 1);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return parse(argc, argv);
}

static void a_line_that_makes_no_sense_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reason;
    } cases[] = {
        {"", "a command is needed"},
        {"restart x@y", "restart: no such command"},
        {"topics", "topics: no such command"},
        {"restore", "restore: whom?"},
        {"restore bob", "bob: neither an object id nor a user principal name"},
        {"restore @x", "@x: neither"},
        {"restore x@y --reasn z", "--reasn: no such option"},
        {"restore x@y --reason", "--reason: needs an argument"},
        {"restore x@y --ticket INC1", "--ticket: SYSTEM:ID"},
        {"restore x@y --ticket :INC1", "--ticket: SYSTEM:ID"},
        {"restore x@y --requested-by kari", "--requested-by: an object id"},
        {"restore x@y --requested-by app:kari", "--requested-by: app:"},
        {"restore x@y --on-name-conflict rename", "--on-name-conflict: reject, rename-restored"},
        {"restore x@y --notify a --notify b --notify c --notify d --notify e --notify f",
         "--notify: at most 5 times"},
        {"restore x@y --timeout 0", "--timeout: 1 to 86400 seconds"},
        {"restore x@y --timeout 5s", "--timeout: 1 to 86400 seconds"},
        {"restore x@y z@y --request-id 1", "--request-id: names one request"},
        {"restore x@y z@y --new-name q@y", "--new-name: is one user's"},
        {"restore x@y -o csv", "--output: csv is not in this version"},
        {"restore --csv users.csv", "--csv: not in this version"},
        {"restore x@y --replication 3", "--replication: does not belong to this command"},
        {"wait", "wait: one request id"},
        {"wait a b", "wait: one request id"},
        {"wait a --print", "--print: does not belong to this command"},
        {"topics check x", "x: too much"},
        {"keys new -b localhost:9092", "--brokers: does not belong to this command"},
        {"plan x@y", "plan: not in this version"},
        {"deleted", "deleted: not in this version"},
        {"watch", "watch: not in this version"},
        {"retry -", "retry: not in this version"},
        {"topics acls", "topics: not in this version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse_line(cases[i].line), EXIT_USAGE);
        if (strstr(said, cases[i].reason) == NULL)
            fail_msg("\"%s\" is told: %s", cases[i].line, said);
        assert_non_null(strstr(said, "\nrestorectl --help shows how\n"));
    }
}

static void options_may_stand_before_or_behind_what_they_belong_to(void **state)
{
    (void)state;
    assert_int_equal(parse_line("-b a:1 --timeout 7 restore -X security.protocol=ssl x@y "
                                "--no-wait 8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"),
                     EXIT_OK);
    assert_int_equal(options.command, COMMAND_RESTORE);
    assert_string_equal(options.brokers, "a:1");
    assert_string_equal(options.properties[0], "security.protocol=ssl");
    assert_int_equal(options.timeout_ms, 7000);
    assert_true(options.no_wait);
    assert_int_equal(options.n_users, 2);
    assert_int_equal(options.users[0].by, NAMED_BY_NAME);
    assert_int_equal(options.users[1].by, NAMED_BY_ID);
}

static void defaults_are_the_contracts(void **state)
{
    (void)state;
    assert_int_equal(parse_line("wait -- -id"), EXIT_OK);
    assert_string_equal(options.request_id, "-id");
    assert_int_equal(options.timeout_ms, 1200 * 1000);
    assert_int_equal(options.replication, -1);
    assert_false(options.json);
    assert_null(options.config);
}

static void help_and_version_are_no_errors(void **state)
{
    (void)state;
    assert_int_equal(parse_line("-h"), EXIT_OK);
    assert_int_equal(strncmp(said, "restorectl restore ", 19), 0); /* an example first */
    assert_int_equal(parse_line("restore --version"), EXIT_OK);
    assert_non_null(strstr(said, "\nlibrdkafka 2."));
}

static void a_failure_beats_a_conflict_and_not_to_know_beats_both(void **state)
{
    (void)state;
    assert_int_equal(outcomes_exit_code(0, 0, 0), 0);
    assert_int_equal(outcomes_exit_code(0, 1, 0), 3);
    assert_int_equal(outcomes_exit_code(1, 1, 0), 1);
    assert_int_equal(outcomes_exit_code(1, 1, 1), 75);
}

static void requests_get_different_random_ids(void **state)
{
    (void)state;
    struct restore_request first, second;
    assert_int_equal(parse_line("restore x@y"), EXIT_OK);
    assert_int_equal(request_begin(&options, 0, AT, &first), 0);
    assert_int_equal(request_begin(&options, 0, AT, &second), 0);
    assert_true(text_is_guid(first.envelope.id));
    assert_int_equal(first.envelope.id[14], '4');
    assert_non_null(strchr("89ab", first.envelope.id[19]));
    assert_string_not_equal(first.envelope.id, second.envelope.id);
}

static char *read_file(const char *path)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = fopen(path, "r");
    FILE *copy = open_memstream(&text, &bytes);
    for (int c; file != NULL && (c = fgetc(file)) != EOF;)
        fputc(c, copy);
    if (file != NULL)
        fclose(file);
    fclose(copy);
    return text;
}

/* Runs `print` on every case of data/<kind>; UPDATE_GOLDEN writes what it printed instead. */
static void check_golden(const char *kind, void (*print)(char *input, FILE *out))
{
    char directory[512], path[1024];
    struct dirent **entries;
    int cases = 0;
    snprintf(directory, sizeof directory, TEST_DATA "/%s", kind);
    int n = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *found;
            size_t bytes;
            cases++;
            snprintf(path, sizeof path, "%s/%.200s/input", directory, entries[i]->d_name);
            char *input = read_file(path);
            FILE *out = open_memstream(&found, &bytes);
            print(input, out);
            fclose(out);
            snprintf(path, sizeof path, "%s/%.200s/expected", directory, entries[i]->d_name);
            FILE *update = getenv("UPDATE_GOLDEN") != NULL ? fopen(path, "w") : NULL;
            if (update != NULL) {
                fputs(found, update);
                fclose(update);
            }
            char *expected = read_file(path);
            if (strcmp(found, expected) != 0)
                fail_msg("%s: found\n%s", path, found);
            free(found);
            free(expected);
            free(input);
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(cases > 3);
}

static void print_requests(char *input, FILE *out)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char[]){"restorectl"}};
    int argc = 1;
    char *rest;
    for (char *word = strtok_r(input, "\n", &rest); word != NULL;
         word = strtok_r(NULL, "\n", &rest))
        argv[argc++] = word;
    assert_int_equal(parse(argc, argv), EXIT_OK);
    assert_true(options.print);
    if (options.request_id == NULL)
        options.request_id = "a-random-id";
    for (int i = 0; i < options.n_users; i++) {
        struct restore_request request;
        struct request_record record;
        assert_int_equal(request_begin(&options, i, AT, &request), 0);
        assert_int_equal(request_record_init(&request, "io.restore-worker.", &record), 0);
        request_record_print(&record, "user-restore.requests", options.json, out);
        request_record_deinit(&record);
    }
}

static void what_would_be_sent_is_printed_as_expected(void **state)
{
    (void)state;
    check_golden("restorectl_print", print_requests);
}

static void print_outcome(char *input, FILE *out)
{
    static const char *const kinds[] = {[OUTCOME_SUCCEEDED] = "succeeded",
                                        [OUTCOME_CONFLICT] = "conflict",
                                        [OUTCOME_FAILED] = "failed"};
    char *data = strchr(input, '\n');
    assert_non_null(data);
    *data++ = '\0';
    struct found_outcome found = {.data = json_loads(data, 0, NULL)};
    assert_non_null(found.data);
    while (strcmp(kinds[found.kind], input) != 0)
        found.kind++;
    snprintf(found.type, sizeof found.type, "io.restore-worker.user.restore.%s.v1", input);
    (void)text_copy(found.event_id, sizeof found.event_id, "an-event-id");
    outcome_print_text(&found, out);
    outcome_print_json(&found, out);
    found_outcome_deinit(&found);
}

static void outcomes_read_as_expected(void **state)
{
    (void)state;
    check_golden("restorectl_outcome", print_outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_makes_no_sense_is_refused_with_a_reason),
        cmocka_unit_test(options_may_stand_before_or_behind_what_they_belong_to),
        cmocka_unit_test(defaults_are_the_contracts),
        cmocka_unit_test(help_and_version_are_no_errors),
        cmocka_unit_test(a_failure_beats_a_conflict_and_not_to_know_beats_both),
        cmocka_unit_test(requests_get_different_random_ids),
        cmocka_unit_test(what_would_be_sent_is_printed_as_expected),
        cmocka_unit_test(outcomes_read_as_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

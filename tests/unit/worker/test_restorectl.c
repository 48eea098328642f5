/* restorectl without Kafka: its command line, what it would send, and how outcomes read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/restorectl/bulk.h"
#include "worker/restorectl/option_table.h"
#include "worker/restorectl/printer.h"
#include "worker/restorectl/ready.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 40 };

#define AT INT64_C(1795348800123) /* 2026-11-22T12:00:00.123Z */

static struct options options;
static char said[8192]; /* on stderr, of the last parse */

static enum exit_code parse(int argc, char **argv)
{
    FILE *err = fmemopen(said, sizeof said, "w");
    enum exit_code code = options_parse(argc, argv, err, &options);
    if (options.help)
        help_print(err);
    if (options.version)
        version_print(err);
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
         "--notify: at most 5"},
        {"restore x@y --timeout 0", "--timeout: 1 to 86400 seconds"},
        {"restore x@y --timeout 5s", "--timeout: 1 to 86400 seconds"},
        {"restore x@y z@y --new-name q@y", "--new-name: is one user's"},
        {"restore x@y --new-name q@y --on-name-conflict reject", "--new-name: the policy renames"},
        {"restore x@y -o xml", "--output: text, json or csv"},
        {"restore x@y --csv users.csv", "x@y: users come from --csv"},
        {"restore --csv users.csv --request-id 1", "--request-id: names one request"},
        {"restore --csv users.csv --new-name q@y", "--new-name: is one user's"},
        {"restore x@y --resume results.csv", "--resume: belongs to --csv"},
        {"restore x@y --replication 3", "--replication: does not belong to this command"},
        {"restore x@y --reason \xff", "--reason: is not UTF-8"},
        {"plan", "plan: whom?"},
        {"plan --csv users.csv", "--csv: does not belong to this command"},
        {"deleted x@y", "x@y: too much"},
        {"deleted --closing-within 31", "--closing-within: 1 to 30 days"},
        {"deleted --notify manager", "--notify: does not belong to this command"},
        {"wait", "wait: one request id"},
        {"wait a b", "wait: one request id"},
        {"wait a --print", "--print: does not belong to this command"},
        {"watch x", "x: too much"},
        {"watch --timeout 5", "--timeout: does not belong to this command"},
        {"retry", "retry: one event"},
        {"retry a b", "retry: one event"},
        {"retry - --policy guess", "--policy: reject, rename-restored"},
        {"retry - --request-id 1", "--request-id: does not belong to this command"},
        {"topics check x", "x: too much"},
        {"keys new -b localhost:9092", "--brokers: does not belong to this command"},
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
    assert_int_equal(options.output, OUTPUT_TEXT);
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

static void the_help_names_every_command_and_option(void **state)
{
    (void)state;
    assert_int_equal(parse_line("--help"), EXIT_OK);
    for (int i = 0; i < OPTION_ROWS; i++) {
        char option[40];
        snprintf(option, sizeof option, "--%s ", option_rows[i].name);
        assert_non_null(strstr(said, option));
        assert_int_equal((option_rows[i].term != NULL) + (option_rows[i].take != NULL) +
                             (option_rows[i].offset != 0),
                         1);
    }
    assert_non_null(strstr(said, "\ntopics acls "));
}

static json_t *event_json(const char *word, const char *data)
{
    char type[64];
    snprintf(type, sizeof type, "io.restore-worker.user.restore.%s.v1", word);
    json_t *inside = json_loads(data, 0, NULL);
    assert_non_null(inside);
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "specversion", "1.0", "id", "an-event-id", "type",
                     type, "causationid", "a-request-id", "data", inside);
}

static enum exit_code exit_code_of(const char *const *words, int n_missing)
{
    struct tally tally = {0};
    for (; *words != NULL; words += 2) {
        struct event event;
        assert_true(event_from_json(event_json(words[0], words[1]), &event));
        tally_add(&tally, &event);
        event_deinit(&event);
    }
    return tally_exit_code(&tally, n_missing);
}

static void a_failure_beats_a_conflict_and_not_to_know_beats_both(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of((const char *[]){"succeeded", "{}", NULL}, 0), 0);
    assert_int_equal(exit_code_of((const char *[]){"listed", "{}", NULL}, 0), 0);
    assert_int_equal(exit_code_of((const char *[]){"succeeded", "{}", "conflict", "{}", NULL}, 0),
                     3);
    assert_int_equal(exit_code_of((const char *[]){"failed", "{}", "conflict", "{}", NULL}, 0), 1);
    assert_int_equal(exit_code_of((const char *[]){"failed", "{}", NULL}, 1), 75);
}

static void a_plan_counts_by_what_it_would_and_a_batch_by_its_numbers(void **state)
{
    (void)state;
    const char *plan[] = {"planned", "{\"would\":\"restore\"}", NULL};
    assert_int_equal(exit_code_of(plan, 0), 0);
    plan[1] = "{\"would\":\"conflict\"}";
    assert_int_equal(exit_code_of(plan, 0), 3);
    plan[1] = "{\"would\":\"fail\"}";
    assert_int_equal(exit_code_of(plan, 0), 1);
    plan[1] = "{}"; /* what is not known is not good */
    assert_int_equal(exit_code_of(plan, 0), 1);
    const char *batch[] = {"batch-completed",
                           "{\"total\":3,\"succeeded\":2,\"conflicts\":1,\"failed\":0}", NULL};
    assert_int_equal(exit_code_of(batch, 0), 3);
    batch[1] = "{\"total\":3,\"succeeded\":1,\"conflicts\":1,\"failed\":1}";
    assert_int_equal(exit_code_of(batch, 0), 1);
}

static void what_is_no_event_of_ours_is_passed_over(void **state)
{
    (void)state;
    struct event event;
    assert_false(event_from_json(event_json("notification-requested", "{}"), &event));
    assert_false(event_from_json(event_json("failed", "[]"), &event));
    assert_false(event_from_json(json_object(), &event));
    assert_false(event_from_json(NULL, &event));
}

static void requests_get_different_random_ids(void **state)
{
    (void)state;
    struct request first, second;
    assert_int_equal(parse_line("restore x@y"), EXIT_OK);
    assert_int_equal(request_make(&options.request, options.users, 1, NULL, &first), 0);
    assert_int_equal(request_make(&options.request, options.users, 1, NULL, &second), 0);
    assert_true(text_is_guid(first.id));
    assert_int_equal(first.id[14], '4');
    assert_non_null(strchr("89ab", first.id[19]));
    assert_string_not_equal(first.id, second.id);
    request_deinit(&first);
    request_deinit(&second);
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
    struct restore_request terms = options.request;
    struct request request;
    static const struct settings defaults = {.kafka.requests_topic = "user-restore.requests",
                                             .events.type_prefix = "io.restore-worker."};
    terms.mode = options.command == COMMAND_PLAN      ? MODE_PLAN
                 : options.command == COMMAND_DELETED ? MODE_LIST
                                                      : MODE_RESTORE;
    const char *id = options.request_id != NULL ? options.request_id : "a-random-id";
    assert_int_equal(request_make(&terms, options.users, options.n_users, id, &request), 0);
    request_print(&request, &defaults, AT, options.output == OUTPUT_JSON, out);
    request_deinit(&request);
}

static void what_would_be_sent_is_printed_as_expected(void **state)
{
    (void)state;
    check_golden("restorectl_print", print_requests);
}

/* As text, JSON and CSV, one below the other. */
static void print_outcome(char *input, FILE *out)
{
    struct event event;
    char *data = strchr(input, '\n');
    assert_non_null(data);
    *data++ = '\0';
    assert_true(event_from_json(event_json(input, data), &event));
    for (int i = OUTPUT_TEXT; i <= OUTPUT_CSV; i++) {
        struct printer printer = {.out = out, .output = (enum output)i, .wall_ms = AT};
        printer_put(&printer, &event, i == OUTPUT_CSV ? "as, named" : NULL);
    }
    event_deinit(&event);
}

static void outcomes_read_as_expected(void **state)
{
    (void)state;
    check_golden("restorectl_outcome", print_outcome);
}

/* ---- retry ---- */

static const char ready_text[] = "{\"key\":\"k\",\"event\":{\"specversion\":\"1.0\",\"id\":\"%s\","
                                 "\"source\":\"urn:s\",\"type\":\"t\",\"data\":{\"user\":{\"id\":"
                                 "\"u\"},\"requestedBy\":{\"id\":\"old\"}%s}}}";

static const char *ready_json(const char *id, const char *more)
{
    static char texts[8][512];
    static int used;
    char *text = texts[used++ % 8];
    snprintf(text, sizeof texts[0], ready_text, id, more);
    return text;
}

/* The ids that would be sent, a blank behind each. */
static const char *chosen(const char *text, const char *policy, enum exit_code expected)
{
    static char ids[256];
    struct ready ready;
    json_t *data = json_loads(text, 0, NULL);
    assert_non_null(data);
    FILE *err = fmemopen(said, sizeof said, "w");
    assert_int_equal(ready_choose(data, policy, err, &ready), expected);
    fclose(err);
    ids[0] = '\0';
    for (int i = 0; i < ready.n; i++) {
        struct request request;
        struct named nobody = {0};
        assert_true(request_from_ready(ready.requests[i], &nobody, &request));
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s ", request.id);
        request_deinit(&request);
    }
    json_decref(data);
    return ids;
}

static void a_retry_sends_the_only_request_and_asks_which_of_several(void **state)
{
    (void)state;
    char text[4096];
    snprintf(text, sizeof text, "{\"resend\":%s}", ready_json("again", ""));
    assert_string_equal(chosen(text, "", EXIT_OK), "again ");
    snprintf(text, sizeof text, "{\"would\":\"restore\",\"apply\":%s}", ready_json("apply", ""));
    assert_string_equal(chosen(text, "", EXIT_OK), "apply ");
    snprintf(text, sizeof text,
             "{\"resolutions\":[{\"policy\":\"rename-restored\",\"request\":%s},"
             "{\"policy\":\"replace-active\",\"request\":%s}]}",
             ready_json("one", ""), ready_json("two", ""));
    assert_string_equal(chosen(text, "replace-active", EXIT_OK), "two ");
    assert_string_equal(chosen(text, "", EXIT_USAGE), "");
    assert_non_null(strstr(said, "one of rename-restored, replace-active"));
    assert_string_equal(chosen(text, "rename-active", EXIT_BAD_DATA), "");
    snprintf(text, sizeof text,
             "{\"resolutions\":[{\"policy\":\"rename-restored\",\"request\":%s}]}",
             ready_json("one", ""));
    assert_string_equal(chosen(text, "", EXIT_OK), "one ");
    assert_string_equal(chosen(text, "rename-active", EXIT_BAD_DATA), "");
}

static void a_retry_of_a_batch_chooses_for_each_user(void **state)
{
    (void)state;
    static const char with_policy[] = ",\"conflict\":{\"userPrincipalName\":{\"policy\":\"%s\"}}";
    char text[4096], rename[128], replace[128];
    snprintf(rename, sizeof rename, with_policy, "rename-restored");
    snprintf(replace, sizeof replace, with_policy, "replace-active");
    snprintf(text, sizeof text,
             "{\"failures\":[{\"requests\":[%s,%s]},{\"requests\":[]},{\"requests\":[%s]}]}",
             ready_json("a-rename", rename), ready_json("a-replace", replace),
             ready_json("c-again", ""));
    assert_string_equal(chosen(text, "replace-active", EXIT_OK), "a-replace c-again ");
    (void)chosen(text, "", EXIT_USAGE);
    assert_string_equal(chosen("{\"failures\":[{\"requests\":[]}]}", "", EXIT_BAD_DATA), "");
    assert_non_null(strstr(said, "no request ready"));
}

static void a_ready_request_stays_as_it_is_but_for_who_asks(void **state)
{
    (void)state;
    const struct named nobody = {0}, kari = {NAMED_BY_NAME, "kari@contoso.com"};
    struct request request;
    json_t *ready = json_loads(ready_json("r", ""), 0, NULL);
    assert_true(request_from_ready(ready, &nobody, &request));
    json_t *sent = json_loads(request.value, 0, NULL);
    assert_true(json_equal(sent, json_object_get(ready, "event")));
    assert_string_equal(request.key, "k");
    assert_string_equal(request.user, "u");
    assert_false(request.is_batch);
    json_decref(sent);
    request_deinit(&request);

    assert_true(request_from_ready(ready, &kari, &request));
    sent = json_loads(request.value, 0, NULL);
    json_object_set_new(json_object_get(json_object_get(ready, "event"), "data"), "requestedBy",
                        json_pack("{s:s}", "userPrincipalName", "kari@contoso.com"));
    assert_true(json_equal(sent, json_object_get(ready, "event")));
    json_decref(sent);
    request_deinit(&request);

    json_object_del(ready, "key");
    assert_false(request_from_ready(ready, &nobody, &request));
    json_decref(ready);
}

/* ---- --csv ---- */

static struct bulk bulk;

static struct input input_of(const char *text)
{
    return (struct input){strdup(text), strlen(text)};
}

static enum exit_code read_csv(const char *line, const char *file, const char *results)
{
    assert_int_equal(parse_line(line), EXIT_OK);
    struct input rows = input_of(file), earlier = input_of(results != NULL ? results : "");
    memset(said, 0, sizeof said);
    FILE *err = fmemopen(said, sizeof said, "w");
    enum exit_code code = bulk_read(&options, &rows, results != NULL ? &earlier : NULL, err, &bulk);
    fclose(err);
    input_deinit(&rows);
    input_deinit(&earlier);
    return code;
}

static void a_csv_row_becomes_a_request_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(read_csv("restore --csv u.csv --requested-by k@y --reason all --notify a@y",
                              "\xef\xbb\xbfuser,notify,reason,ticket,newUserPrincipalName\r\n"
                              "A@y,,,,\r\n"
                              "\n"
                              "b@y,manager; c@y,\"two\nlines, \"\"quoted\"\"\",sn:7,b.2@y",
                              NULL),
                     EXIT_OK);
    assert_int_equal(bulk.n_requests, 2);
    assert_string_equal(bulk.requests[0].key, "a@y");
    assert_string_equal(bulk.requests[0].user, "A@y");
    assert_string_equal(bulk.requests[0].value,
                        "{\"user\":{\"userPrincipalName\":\"A@y\"},"
                        "\"requestedBy\":{\"userPrincipalName\":\"k@y\"},"
                        "\"notify\":{\"to\":[\"a@y\"]},\"reason\":\"all\"}");
    assert_string_equal(
        bulk.requests[1].value,
        "{\"user\":{\"userPrincipalName\":\"b@y\"},"
        "\"requestedBy\":{\"userPrincipalName\":\"k@y\"},"
        "\"conflict\":{\"userPrincipalName\":{\"policy\":\"rename-restored\","
        "\"newUserPrincipalName\":\"b.2@y\"}},"
        "\"notify\":{\"to\":[\"manager\",\"c@y\"]},\"reason\":\"two\\nlines, \\\"quoted\\\"\","
        "\"ticket\":{\"system\":\"sn\",\"id\":\"7\"}}");
    bulk_deinit(&bulk);
}

static void a_csv_file_that_is_wrong_is_told_by_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *file, *reason;
    } cases[] = {
        {"", "u.csv:1: user: the first row must name the columns"},
        {"reason\nx\n", "u.csv:1: user: there is no such column"},
        {"user,mail\n", "u.csv:1: mail: no such column"},
        {"user,user\n", "u.csv:1: user: stands there twice"},
        {"user,ticket\na@y,INC1\n", "u.csv:2: ticket: SYSTEM:ID"},
        {"user\na@y\n\nbob\n", "u.csv:4: user: neither"},
        {"user,reason\na@y\n", "u.csv:2: row: has not as many fields"},
        {"user,reason\n,x\n", "u.csv:2: user: neither"},
        {"user,reason\na@y,\"x\n", "u.csv:3: column 1: a quote is not closed"},
        {"user,reason\na@y,\"x\"y\n", "u.csv:2: column 8: something behind a closing quote"},
        {"user,reason\na@y,x\"\n", "u.csv:2: column 6: a quote inside"},
        {"user,reason\na@y,\xff\n", "u.csv:2: reason: is not UTF-8"},
        {"user,notify\na@y,1;2;3;4;5;6\n", "u.csv:2: notify: at most 5"},
        {"user,reason\n\"a@y\nb\",\"\nc\"\nx@y,,\n", "u.csv:5: row: has not"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_csv("restore --csv u.csv", cases[i].file, NULL), EXIT_BAD_DATA);
        if (strstr(said, cases[i].reason) == NULL)
            fail_msg("case %zu is told: %s", i, said);
        bulk_deinit(&bulk);
    }
}

static void resume_leaves_out_whom_the_results_say_succeeded(void **state)
{
    (void)state;
    static const char file[] = "user\nA@y\nb@y\nc@y\nd@y\n";
    assert_int_equal(read_csv("restore --csv u.csv --resume r.csv", file,
                              "user,outcome,code\nB@y,conflict,x\na@y,succeeded,restored\n"
                              "C@Y,failed,too_old\nc@y,succeeded,already-active\n"),
                     EXIT_OK);
    assert_int_equal(bulk.n_skipped, 2);
    assert_int_equal(bulk.n_requests, 2);
    assert_string_equal(bulk.requests[0].user, "b@y");
    assert_string_equal(bulk.requests[1].user, "d@y");
    bulk_deinit(&bulk);
    assert_int_equal(read_csv("restore --csv u.csv --resume r.csv", file, "who,what\n"),
                     EXIT_BAD_DATA);
    assert_non_null(strstr(said, "r.csv:1: user: there is no such column"));
    bulk_deinit(&bulk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_makes_no_sense_is_refused_with_a_reason),
        cmocka_unit_test(options_may_stand_before_or_behind_what_they_belong_to),
        cmocka_unit_test(defaults_are_the_contracts),
        cmocka_unit_test(help_and_version_are_no_errors),
        cmocka_unit_test(the_help_names_every_command_and_option),
        cmocka_unit_test(a_failure_beats_a_conflict_and_not_to_know_beats_both),
        cmocka_unit_test(a_plan_counts_by_what_it_would_and_a_batch_by_its_numbers),
        cmocka_unit_test(what_is_no_event_of_ours_is_passed_over),
        cmocka_unit_test(requests_get_different_random_ids),
        cmocka_unit_test(what_would_be_sent_is_printed_as_expected),
        cmocka_unit_test(outcomes_read_as_expected),
        cmocka_unit_test(a_retry_sends_the_only_request_and_asks_which_of_several),
        cmocka_unit_test(a_retry_of_a_batch_chooses_for_each_user),
        cmocka_unit_test(a_ready_request_stays_as_it_is_but_for_who_asks),
        cmocka_unit_test(a_csv_row_becomes_a_request_of_its_own),
        cmocka_unit_test(a_csv_file_that_is_wrong_is_told_by_line_and_column),
        cmocka_unit_test(resume_leaves_out_whom_the_results_say_succeeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The configuration: golden files of what is wrong with it, and what comes out when nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/settings.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define TENANT                                                                                     \
    "tenants = ( { name = \"contoso\"; id = \"contoso.com\";\n"                                    \
    "client_id = \"8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10\";\n"                                      \
    "credential = { type = \"secret\"; file = \"secret\"; }; } );\n"

/* Every test runs in a directory of its own. */
struct place {
    char directory[64];
    char *lines; /* what was reported */
    size_t lines_bytes;
    FILE *file;
};

static void on_line(void *context, int level, const char *line)
{
    struct place *place = context;
    static const char *const prefix[] = {[LOG_WARNING] = "warning: ", [LOG_INFO] = "info: "};
    fprintf(place->file, "%s%s\n", level == LOG_ERR ? "" : prefix[level], line);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(name, mode), 0);
}

static char *read_file(const char *name)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return strdup("");
    FILE *copy = open_memstream(&text, &bytes);
    for (int c; (c = fgetc(file)) != EOF;)
        fputc(c, copy);
    fclose(copy);
    fclose(file);
    return text;
}

static int set_up(void **state)
{
    static const char *const variables[] = {"RESTORE_WORKER_BROKERS", "RESTORE_WORKER_INSTANCE",
                                            "RESTORE_WORKER_LOG_LEVEL", "RESTORE_WORKER_LISTEN"};
    struct place *place = calloc(1, sizeof *place);
    strncpy(place->directory, "/tmp/settings-XXXXXX", sizeof place->directory - 1);
    if (mkdtemp(place->directory) == NULL || chdir(place->directory) != 0)
        return -1;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    setenv("CREDENTIALS_DIRECTORY", place->directory, 1);
    write_file("graph", "planted-secret\n", 0600);
    write_file("secret", "planted-secret", 0440);
    mkdir("conf.d", 0755);
    place->file = open_memstream(&place->lines, &place->lines_bytes);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char path[128];
    fclose(place->file);
    free(place->lines);
    if (chdir("/") != 0)
        return -1;
    const char *const names[] = {"graph",
                                 "secret",
                                 "conf",
                                 "conf.d/a.conf",
                                 "conf.d/b.conf",
                                 "conf.d/.hidden.conf",
                                 "conf.d/b.conf.orig",
                                 "sasl",
                                 "keys"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", place->directory, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/conf.d", place->directory);
    rmdir(path);
    rmdir(place->directory);
    free(place);
    return 0;
}

static int load(struct place *place, const char *path, struct settings **ret_settings)
{
    const struct settings_report report = {on_line, place};
    int n = settings_load(path, SETTINGS_WORKER, &report, ret_settings);
    fflush(place->file);
    return n;
}

/* Loads what must be right. */
static struct settings *load_text(struct place *place, const char *text)
{
    struct settings *settings = NULL;
    write_file("conf", text, 0644);
    if (load(place, "conf", &settings) != 0)
        fail_msg("%s", place->lines);
    return settings;
}

static void assert_refused(struct place *place, const char *text, const char *message)
{
    struct settings *settings = NULL;
    write_file("conf", text, 0644);
    assert_int_not_equal(load(place, "conf", &settings), 0);
    if (strstr(place->lines, message) == NULL)
        fail_msg("\"%s\" is not in: %s", message, place->lines);
}

static char *printed(const struct settings *settings)
{
    char *text;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    settings_print(settings, file);
    fclose(file);
    return text;
}

/* The golden files know the credentials' directory as "DIRECTORY". */
static char *generalised(const struct place *place)
{
    char *text = strndup(place->lines, place->lines_bytes);
    size_t length = strlen(place->directory);
    for (char *at = text; (at = strstr(at, place->directory)) != NULL;) {
        memmove(at + strlen("DIRECTORY"), at + length, strlen(at + length) + 1);
        memcpy(at, "DIRECTORY", strlen("DIRECTORY"));
    }
    return text;
}

static void every_bad_file_gives_exactly_the_errors_expected(void **state)
{
    struct place *place = *state;
    struct dirent **entries;
    int cases = 0;
    int n = scandir(TEST_DATA "/settings", &entries, NULL, alphasort);
    assert_true(n > 2);
    for (int i = 0; i < n; i++) {
        char path[512];
        struct settings *settings = NULL;
        snprintf(path, sizeof path, TEST_DATA "/settings/%s", entries[i]->d_name);
        bool is_case = entries[i]->d_name[0] != '.';
        free(entries[i]);
        if (!is_case)
            continue;
        cases++;
        assert_int_equal(chdir(path), 0);
        rewind(place->file);
        int errors = load(place, "input", &settings);
        char *found = generalised(place);
        if (getenv("UPDATE_GOLDEN") != NULL)
            write_file("expected", found, 0644);
        char *expected = read_file("expected");
        if (strcmp(found, expected) != 0)
            fail_msg("%s reports\n%s", path, found);
        assert_int_equal(errors > 0, settings == NULL);
        settings_free(settings);
        free(found);
        free(expected);
    }
    free(entries);
    assert_true(cases > 10);
}

static void the_sample_file_is_the_table_and_loads_without_a_word(void **state)
{
    struct place *place = *state;
    struct settings *settings = NULL;
    char *generated;
    size_t bytes;
    FILE *file = open_memstream(&generated, &bytes);
    settings_print_sample(file);
    fclose(file);
    if (getenv("UPDATE_GOLDEN") != NULL)
        write_file(SAMPLE_FILE, generated, 0644);
    char *sample = read_file(SAMPLE_FILE);
    assert_string_equal(sample, generated);
    assert_int_equal(load(place, SAMPLE_FILE, &settings), 0);
    assert_string_equal(place->lines, "");
    settings_free(settings);
    free(sample);
    free(generated);
}

static void defaults_are_the_contracts(void **state)
{
    struct settings *settings = load_text(*state, TENANT);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    assert_string_equal(settings->kafka.instance, host);
    assert_string_equal(settings->kafka.requests_topic, "user-restore.requests");
    assert_string_equal(settings->kafka.topics[TOPIC_DEAD_LETTERS], "user-restore.dead-letters");
    assert_string_equal(settings->events.source, "urn:restore-worker:restore-worker");
    assert_int_equal(settings->policy.retention_days, 30);
    assert_true(settings->policy.check_requester);
    assert_int_equal(settings->policy.n_requester_roles, 2);
    assert_string_equal(settings->policy.requester_roles[0],
                        "62e90394-69f5-4237-9190-012177145e10");
    assert_int_equal(settings->policy.name_policy, NAME_POLICY_REJECT);
    assert_true(settings->policy.name_policy_allowed[NAME_POLICY_REJECT]);
    assert_true(settings->policy.name_policy_allowed[NAME_POLICY_RENAME_RESTORED]);
    assert_false(settings->policy.name_policy_allowed[NAME_POLICY_RENAME_ACTIVE]);
    assert_int_equal(settings->policy.address_policy, ADDRESS_POLICY_REMOVE);
    assert_true(settings->policy.reject_synced_users);
    assert_int_equal(settings->policy.notify_default.n, 1);
    assert_int_equal(settings->policy.secret_words, RECIPIENT_MANAGER);
    assert_true(settings->policy.notify_on_succeeded);
    assert_false(settings->policy.notify_on_failed);
    assert_false(settings->policy.has_recipient_key);
    assert_int_equal(settings->policy.max_request_age_ms, 72 * (int64_t)HOUR_MS);
    assert_int_equal(settings->policy.request_deadline_ms, 900 * SECOND_MS);
    assert_int_equal(settings->shutdown_grace_ms, 25 * SECOND_MS);
    assert_int_equal(settings->log_level, LOG_INFO);
    assert_int_equal(settings->directory.n_tenants, 1);
    assert_string_equal(settings->directory.tenants[0].graph_url, "https://graph.microsoft.com");
    assert_string_equal(settings->directory.tenants[0].client_secret, "planted-secret");
    assert_int_equal(settings->directory.tenants[0].writes_per_150s, 3000);
    settings_free(settings);
}

static void later_files_win_in_bytewise_order_and_the_environment_over_all(void **state)
{
    write_file("conf.d/b.conf", "log = { level = \"debug\"; }; kafka = { group = \"b\"; };", 0644);
    write_file("conf.d/a.conf", "kafka = { group = \"a\"; brokers = \"a:1\"; };", 0644);
    write_file("conf.d/.hidden.conf", "nonsense", 0644);
    write_file("conf.d/b.conf.orig", "nonsense", 0644);
    setenv("RESTORE_WORKER_BROKERS", "env:9092", 1);
    setenv("RESTORE_WORKER_SERVICE_HOST", "10.0.0.1", 1); /* as Kubernetes does */
    struct settings *settings =
        load_text(*state, TENANT "kafka = { brokers = \"main:1\"; group = \"main\"; };");
    assert_string_equal(settings->kafka.brokers, "env:9092");
    assert_string_equal(settings->kafka.group, "b");
    assert_int_equal(settings->log_level, LOG_DEBUG);

    char *text = printed(settings);
    assert_non_null(strstr(text, "brokers = \"env:9092\";  # environment\n"));
    assert_non_null(strstr(text, "group = \"b\";  # conf.d/b.conf:1\n"));
    assert_non_null(strstr(text, "start = \"earliest\";  # default\n"));
    assert_non_null(strstr(text, "    name = \"contoso\";  # conf:1\n"));
    free(text);
    settings_free(settings);
}

static void a_bad_environment_variable_is_an_error(void **state)
{
    setenv("RESTORE_WORKER_LOG_LEVEL", "loud", 1);
    assert_refused(*state, TENANT, "environment: log.level: must be one of");
}

static void what_is_printed_can_be_loaded_again(void **state)
{
    struct settings *settings =
        load_text(*state, TENANT "policy = { secret_recipients = [ \"manager\", \"@contoso.com\" ];"
                                 " max_request_age_hours = 48; };"
                                 "events = { source = \"urn:\\\"quoted\\\"\"; };");
    char *first = printed(settings);
    settings_free(settings);
    struct settings *again = load_text(*state, first);
    assert_int_equal(again->policy.n_secret_domains, 1);
    assert_string_equal(again->policy.secret_domains[0], "@contoso.com");
    assert_string_equal(again->events.source, "urn:\"quoted\"");
    assert_int_equal(again->policy.max_request_age_ms, 48 * (int64_t)HOUR_MS);
    assert_string_equal(again->directory.tenants[0].login_url, "https://login.microsoftonline.com");
    settings_free(again);
    free(first);
}

static void secrets_are_read_but_never_printed(void **state)
{
    const char *properties[KAFKA_PROPERTIES_MAX];
    write_file("sasl", "planted-password\r\n", 0600);
    struct settings *settings =
        load_text(*state, TENANT "kafka = { properties = [ \"sasl.username=u\", "
                                 "\"sasl.password=file:sasl\" ]; };");
    assert_int_equal(settings_properties(settings, properties), 2);
    assert_string_equal(properties[0], "sasl.username=u");
    assert_string_equal(properties[1], "sasl.password=planted-password");
    char *text = printed(settings);
    assert_null(strstr(text, "planted"));
    assert_non_null(strstr(text, "[ \"sasl.username=u\", \"sasl.password=<redacted>\" ]"));
    free(text);
    settings_free(settings);
}

static void an_inline_secret_is_refused_and_not_repeated(void **state)
{
    struct place *place = *state;
    assert_refused(place, TENANT "kafka = { properties = [ \"sasl.password=planted\" ]; };",
                   "a secret only as sasl.password=file:PATH");
    assert_null(strstr(place->lines, "planted"));
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    chmod("secret", 0444);
    assert_refused(*state, TENANT, "tenants.credential.file: secret can be read by others");
}

static void a_secret_that_its_group_can_write_is_refused(void **state)
{
    chmod("secret", 0460);
    assert_refused(*state, TENANT, "secret can be written by its group or by others");
}

static void a_secret_loses_one_newline_and_must_not_be_empty(void **state)
{
    chmod("secret", 0600);
    write_file("secret", "two\n\n", 0600);
    struct settings *settings = load_text(*state, TENANT);
    assert_string_equal(settings->directory.tenants[0].client_secret, "two\n");
    settings_free(settings);
    write_file("secret", "\n", 0600);
    assert_refused(*state, TENANT, "secret is empty");
}

static void a_secret_must_be_a_file_of_bounded_size(void **state)
{
    char *large = calloc(1, 16386);
    memset(large, 'x', 16385);
    chmod("secret", 0600);
    write_file("secret", large, 0600);
    free(large);
    assert_refused(*state, TENANT, "secret is longer than 16 KiB");
    unlink("secret");
    mkfifo("secret", 0600);
    assert_refused(*state, TENANT, "secret is not a file");
}

static void recipient_keys_may_be_read_by_all_but_written_by_none(void **state)
{
    write_file("keys", "{}", 0644);
    struct settings *settings =
        load_text(*state, TENANT "secrets = { recipient_keys_file = \"keys\"; };");
    assert_true(settings->policy.has_recipient_key);
    settings_free(settings);
    chmod("keys", 0666);
    assert_refused(*state, TENANT "secrets = { recipient_keys_file = \"keys\"; };",
                   "conf:4: secrets.recipient_keys_file: keys can be written");
}

static void restorectl_needs_no_secret_of_the_worker(void **state)
{
    struct place *place = *state;
    const struct settings_report report = {on_line, place};
    struct settings *settings = NULL;
    unlink("secret");
    write_file("conf", TENANT "secrets = { recipient_keys_file = \"gone\"; };", 0644);
    assert_int_equal(settings_load("conf", SETTINGS_TOOL, &report, &settings), 0);
    assert_null(settings->directory.tenants[0].client_secret);
    settings_free(settings);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    struct place *place = *state;
    struct settings *settings = NULL;
    assert_int_not_equal(load(place, "gone", &settings), 0);
    assert_non_null(strstr(place->lines, "gone: No such file or directory\n"));
}

static void a_zero_byte_does_not_hide_the_rest_of_a_file(void **state)
{
    struct place *place = *state;
    struct settings *settings = NULL;
    FILE *file = fopen("conf", "w");
    fwrite("log={};\0nonsense", 1, 16, file);
    fclose(file);
    assert_int_not_equal(load(place, "conf", &settings), 0);
    assert_non_null(strstr(place->lines, "conf: has a zero byte in it\n"));
}

static void a_reload_takes_what_is_reloadable_and_names_the_rest(void **state)
{
    struct place *place = *state;
    const struct settings_report report = {on_line, place};
    struct settings *settings = load_text(place, TENANT);
    chmod("secret", 0600);
    write_file("secret", "rotated", 0600);
    struct settings *fresh =
        load_text(place, TENANT "log = { level = \"debug\"; }; kafka = { group = \"other\"; };"
                                "policy = { requester_roles = [ ]; retention_days = 20; "
                                "secret_recipients = [ \"@contoso.com\" ]; };");
    assert_true(settings_reload(settings, fresh, &report));
    settings_free(fresh);
    fflush(place->file);
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_int_equal(settings->policy.retention_days, 20);
    assert_int_equal(settings->policy.n_requester_roles, 0);
    assert_int_equal(settings->policy.secret_words, 0);
    assert_string_equal(settings->policy.secret_domains[0], "@contoso.com");
    assert_string_equal(settings->kafka.group, "restore-worker");
    assert_string_equal(settings->directory.tenants[0].client_secret, "rotated");
    assert_string_equal(place->lines, "warning: kafka.group: changed; takes effect with the next "
                                      "start\n"
                                      "warning: events.source: changed; takes effect with the "
                                      "next start\n");
    char *text = printed(settings); /* lists came over with their text */
    assert_non_null(strstr(text, "secret_recipients = [ \"@contoso.com\" ];  # conf:4\n"));
    free(text);
    settings_free(settings);
}

static void a_reload_keeps_the_age_within_the_window_in_force(void **state)
{
    struct place *place = *state;
    const struct settings_report report = {on_line, place};
    struct settings *settings = load_text(place, TENANT);
    struct settings *fresh =
        load_text(place, TENANT "journal = { dedupe_window_hours = 200; };"
                                "policy = { max_request_age_hours = 100; retention_days = 20; };");
    assert_false(settings_reload(settings, fresh, &report));
    settings_free(fresh);
    fflush(place->file);
    assert_int_equal(settings->policy.max_request_age_ms, 72 * (int64_t)HOUR_MS);
    assert_int_equal(settings->policy.retention_days, 30);
    assert_string_equal(place->lines,
                        "policy.max_request_age_hours: must not be above "
                        "journal.dedupe_window_hours, which is 72 until the next start "
                        "(100 > 72)\n");
    settings_free(settings);
}

static void a_reload_without_changes_says_nothing(void **state)
{
    struct place *place = *state;
    const struct settings_report report = {on_line, place};
    struct settings *settings = load_text(place, TENANT);
    struct settings *fresh = load_text(place, TENANT);
    assert_true(settings_reload(settings, fresh, &report));
    fflush(place->file);
    assert_string_equal(place->lines, "");
    settings_free(fresh);
    settings_free(settings);
}

static void more_tenants_than_there_is_room_for_are_refused(void **state)
{
    char *text;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    fputs("tenants = (", file);
    for (int i = 0; i <= TENANTS_MAX; i++)
        fprintf(file, "%s{ name = \"t%d\"; }", i > 0 ? ",\n" : "", i);
    fputs(");", file);
    fclose(file);
    assert_refused(*state, text, ": tenants: at most 32\n");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_bad_file_gives_exactly_the_errors_expected),
        TEST(the_sample_file_is_the_table_and_loads_without_a_word),
        TEST(defaults_are_the_contracts),
        TEST(later_files_win_in_bytewise_order_and_the_environment_over_all),
        TEST(a_bad_environment_variable_is_an_error),
        TEST(what_is_printed_can_be_loaded_again),
        TEST(secrets_are_read_but_never_printed),
        TEST(an_inline_secret_is_refused_and_not_repeated),
        TEST(a_secret_that_others_can_read_is_refused),
        TEST(a_secret_that_its_group_can_write_is_refused),
        TEST(a_secret_loses_one_newline_and_must_not_be_empty),
        TEST(a_secret_must_be_a_file_of_bounded_size),
        TEST(recipient_keys_may_be_read_by_all_but_written_by_none),
        TEST(restorectl_needs_no_secret_of_the_worker),
        TEST(a_file_that_is_not_there_is_an_error),
        TEST(a_zero_byte_does_not_hide_the_rest_of_a_file),
        TEST(a_reload_takes_what_is_reloadable_and_names_the_rest),
        TEST(a_reload_keeps_the_age_within_the_window_in_force),
        TEST(a_reload_without_changes_says_nothing),
        TEST(more_tenants_than_there_is_room_for_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a done record of the journal says of one item of a batch; and the keys of such records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consumers/summary_part.h"

#include <errno.h>
#include <string.h>

#define USER_ID "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"
#define RESOLVED "\"user\":{\"id\":\"" USER_ID "\",\"userPrincipalName\":\"ola@contoso.com\"}"
#define AS_NAMED "\"user\":{\"id\":\"" USER_ID "\"}"

static struct summary_part part;

static int read_part(const char *value)
{
    struct record record = {.value = value, .value_bytes = strlen(value)};
    const struct journal_record stored = {
        .state = JOURNAL_DONE, .started_ms = 1234, .record = &record};
    summary_part_clear(&part);
    memset(&part, 0, sizeof part);
    return summary_part_read(&stored, &part);
}

static int clear(void **state)
{
    (void)state;
    summary_part_clear(&part);
    return 0;
}

static void who_succeeded_is_counted_and_known(void **state)
{
    (void)state;
    assert_int_equal(read_part("{\"replayed\":false," RESOLVED ",\"disposition\":\"restored\"}"),
                     0);
    assert_int_equal(part.verdict, VERDICT_SUCCEEDED);
    assert_string_equal(part.user_id, USER_ID);
    assert_int_equal(part.started_at_ms, 1234);
    assert_null(part.requests);
}

static void a_conflict_offers_every_resolution(void **state)
{
    (void)state;
    assert_int_equal(read_part("{" RESOLVED ",\"conflicts\":[{\"property\":\"userPrincipalName\"}],"
                               "\"resolutions\":[{\"policy\":\"rename-restored\",\"request\":"
                               "{\"key\":\"a\",\"event\":{}}},{\"policy\":\"replace-active\","
                               "\"request\":{\"key\":\"b\",\"event\":{}}}]}"),
                     0);
    assert_int_equal(part.verdict, VERDICT_CONFLICT);
    assert_string_equal(part.code, "name_conflict");
    assert_string_equal(part.requests,
                        "[{\"key\":\"a\",\"event\":{}},{\"key\":\"b\",\"event\":{}}]");
    assert_string_equal(part.user,
                        "{\"id\":\"" USER_ID "\",\"userPrincipalName\":\"ola@contoso.com\"}");
}

static void what_cannot_be_resolved_may_be_sent_again(void **state)
{
    (void)state;
    assert_int_equal(read_part("{" RESOLVED ",\"conflicts\":[{\"property\":\"proxyAddresses\"}],"
                               "\"resolutions\":[],\"resend\":{\"key\":\"a\",\"event\":{}}}"),
                     0);
    assert_string_equal(part.code, "address_conflict");
    assert_string_equal(part.requests, "[{\"key\":\"a\",\"event\":{}}]");
}

static void a_failure_without_a_way_out_offers_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_part("{" AS_NAMED ",\"code\":\"not_found\"}"), 0);
    assert_int_equal(part.verdict, VERDICT_FAILED);
    assert_string_equal(part.code, "not_found");
    assert_null(part.requests);
    assert_string_equal(part.user_id, ""); /* named so, but nobody was found */
}

/* After a restart it must not take the user from the item that found him. */
static void a_duplicate_has_nobody_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(read_part("{" AS_NAMED ",\"code\":\"duplicate_user\"}"), 0);
    assert_string_equal(part.user_id, "");
    assert_int_equal(read_part("{\"user\":{\"userPrincipalName\":\"ola@contoso.com\"},"
                               "\"code\":\"duplicate_user\"}"),
                     0);
    assert_string_equal(part.user_id, "");
}

static void a_plan_counts_as_what_would_be(void **state)
{
    (void)state;
    assert_int_equal(read_part("{" RESOLVED ",\"would\":\"restore\"}"), 0);
    assert_int_equal(part.verdict, VERDICT_SUCCEEDED);
    assert_true(part.planned);
    assert_int_equal(read_part("{" RESOLVED ",\"would\":\"fail\",\"code\":\"too_old\"}"), 0);
    assert_int_equal(part.verdict, VERDICT_FAILED);
    assert_string_equal(part.code, "too_old");
}

static void what_is_no_outcome_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "{",
                                         "[]",
                                         "null",
                                         "\"would\"",
                                         "{}",
                                         "{\"would\":\"perhaps\",\"code\":\"x\"}",
                                         "{\"code\":\"a\",\"code\":\"b\"}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_int_equal(read_part(values[i]), -EPROTO);
    struct record record = {0};
    const struct journal_record tombstone = {.state = JOURNAL_DONE, .record = &record};
    assert_int_equal(summary_part_read(&tombstone, &part), -EPROTO);
}

static void an_outcome_larger_than_a_topic_takes_is_refused(void **state)
{
    (void)state;
    enum { TOO_LARGE = 1024 * 1024 + 1 };
    static char value[TOO_LARGE + 1] = "{" RESOLVED ",\"disposition\":\"restored\"}";
    memset(value + strlen(value), ' ', sizeof value - 1 - strlen(value));
    assert_int_equal(read_part(value), -EPROTO);
    value[TOO_LARGE - 1] = '\0';
    assert_int_equal(read_part(value), 0);
}

static void every_item_of_a_record_has_a_journal_key_of_its_own(void **state)
{
    (void)state;
    static const char *const bad[] = {"!", "!#1", "!7#", "!7#0", "!7#101", "!7#-1", "!7#1#1", "#1"};
    struct journal_key whole, first, last;
    assert_true(journal_key_from_text("!7", 2, &whole));
    assert_true(journal_key_from_text("!7#1", 4, &first));
    assert_true(journal_key_from_text("!7#100", 6, &last));
    assert_memory_not_equal(&whole, &first, sizeof whole);
    assert_memory_not_equal(&whole, &last, sizeof whole);
    assert_memory_not_equal(&first, &last, sizeof whole);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(journal_key_from_text(bad[i], strlen(bad[i]), &whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_succeeded_is_counted_and_known, clear),
        cmocka_unit_test_teardown(a_conflict_offers_every_resolution, clear),
        cmocka_unit_test_teardown(what_cannot_be_resolved_may_be_sent_again, clear),
        cmocka_unit_test_teardown(a_failure_without_a_way_out_offers_nothing, clear),
        cmocka_unit_test_teardown(a_duplicate_has_nobody_of_its_own, clear),
        cmocka_unit_test_teardown(a_plan_counts_as_what_would_be, clear),
        cmocka_unit_test_teardown(what_is_no_outcome_is_refused, clear),
        cmocka_unit_test_teardown(an_outcome_larger_than_a_topic_takes_is_refused, clear),
        cmocka_unit_test_teardown(every_item_of_a_record_has_a_journal_key_of_its_own, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

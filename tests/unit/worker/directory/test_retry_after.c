#include "worker/directory/retry_after.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW_MS (INT64_C(1792000000) * 1000) /* Wed, 14 Oct 2026 17:46:40 GMT */

static void seconds_are_whole_or_broken(void **state)
{
    (void)state;
    assert_int_equal(retry_after_parse("0", NOW_MS), 0);
    assert_int_equal(retry_after_parse("7", NOW_MS), 7000);
    assert_int_equal(retry_after_parse("120", NOW_MS), 120000);
    assert_int_equal(retry_after_parse("1.5", NOW_MS), 1500);
    assert_int_equal(retry_after_parse("0.25", NOW_MS), 250);
    assert_int_equal(retry_after_parse("2.", NOW_MS), 2000);
    assert_int_equal(retry_after_parse("  3\t", NOW_MS), 3000);
}

static void a_fraction_below_the_millisecond_is_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(retry_after_parse("1.0001", NOW_MS), 1001);
    assert_int_equal(retry_after_parse("1.9999999999999999999999999999", NOW_MS), 2000);
    assert_int_equal(retry_after_parse("1.0000000000", NOW_MS), 1000);
}

static void an_http_date_counts_from_now(void **state)
{
    (void)state;
    assert_int_equal(retry_after_parse("Wed, 14 Oct 2026 17:47:40 GMT", NOW_MS), 60000);
    assert_int_equal(retry_after_parse("Wednesday, 14-Oct-26 17:47:40 GMT", NOW_MS), 60000);
    assert_int_equal(retry_after_parse("Wed Oct 14 17:47:40 2026", NOW_MS), 60000);
    assert_int_equal(retry_after_parse("Wed, 14 Oct 2026 17:46:40 GMT", NOW_MS), 0);
    assert_int_equal(retry_after_parse("Tue, 13 Oct 2026 17:46:40 GMT", NOW_MS), 0);
}

static void what_cannot_be_read_names_no_time(void **state)
{
    (void)state;
    static const char *const values[] = {"",     " ",   "-5",   "-0.5", "+5",  "soon",  "1e9",
                                         "0x10", "5 s", "5, 6", ".5",   "NaN", "1.5.2", "\xff\xfe"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_int_equal(retry_after_parse(values[i], NOW_MS), 0);
}

static void an_absurd_wait_ends_at_a_day(void **state)
{
    (void)state;
    assert_int_equal(retry_after_parse("86399", NOW_MS), 86399000);
    assert_int_equal(retry_after_parse("86401", NOW_MS), RETRY_AFTER_MAX_MS);
    assert_int_equal(retry_after_parse("99999999999999999999999999999999", NOW_MS),
                     RETRY_AFTER_MAX_MS);
    assert_int_equal(retry_after_parse("Fri, 31 Dec 2100 23:59:59 GMT", NOW_MS),
                     RETRY_AFTER_MAX_MS);
}

static void a_date_header_is_read_to_the_second(void **state)
{
    (void)state;
    assert_int_equal(http_date_parse("Wed, 14 Oct 2026 17:46:40 GMT"), NOW_MS);
    assert_int_equal(http_date_parse("yesterday"), -1);
    assert_int_equal(http_date_parse(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_whole_or_broken),
        cmocka_unit_test(a_fraction_below_the_millisecond_is_rounded_up),
        cmocka_unit_test(an_http_date_counts_from_now),
        cmocka_unit_test(what_cannot_be_read_names_no_time),
        cmocka_unit_test(an_absurd_wait_ends_at_a_day),
        cmocka_unit_test(a_date_header_is_read_to_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

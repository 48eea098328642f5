#include "policy/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(a)[0])

static void moments_are_read_with_any_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2026-11-22T12:00:00Z", 1795348800000},
        {"2026-11-22T12:00:00.5Z", 1795348800500},
        {"2026-11-22T12:00:00.123999999999999999Z", 1795348800123},
        {"2026-11-22t12:00:00z", 1795348800000},
        {"2026-11-22T13:00:00+01:00", 1795348800000},
        {"2026-11-22T06:30:00.007-05:30", 1795348800007},
        {"2026-11-22T12:00:00-00:00", 1795348800000},
        {"2026-11-23T11:59:00+23:59", 1795348800000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"0000-01-01T00:00:00Z", -62167219200000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t ms = 42;
        assert_true(time_parse(CASES[i].text, &ms));
        assert_int_equal(ms, CASES[i].ms);
    }
}

static void what_rfc_3339_does_not_allow_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "2026",
        "2026-11-22",
        "2026-11-22T12:00Z",
        "2026-11-22T12:00:00",    /* an offset is needed */
        "2026-11-22 12:00:00Z",   /* RFC 3339 5.6: the T */
        "2026-11-22T12:00:00.Z",  /* a fraction has a digit */
        "2026-11-22T12:00:00,5Z", /* ISO 8601 only */
        "2026-11-22T12:00:60Z",   /* leap second */
        "2016-12-31T23:59:60Z",   /* a real one */
        "2026-11-22T24:00:00Z",   /* ISO 8601 only */
        "2026-11-22T12:60:00Z",
        "2026-11-31T12:00:00Z", /* November has 30 */
        "2026-02-29T12:00:00Z", /* no leap year */
        "1900-02-29T12:00:00Z", /* nor that */
        "2026-00-10T12:00:00Z",
        "2026-13-10T12:00:00Z",
        "2026-11-00T12:00:00Z",
        "2026-11-22T12:00:00+24:00",
        "2026-11-22T12:00:00+01:60",
        "2026-11-22T12:00:00+0100",
        "2026-11-22T12:00:00+01",
        "2026-11-22T12:00:00ZZ",
        " 2026-11-22T12:00:00Z",
        "+2026-11-22T12:00:00Z",
        "26-11-22T12:00:00Z",
        "2026-1-22T12:00:00Z",
        "12026-11-22T12:00:00Z",
        "0000-01-01T00:00:00+00:01", /* before the year 0000 */
        "9999-12-31T23:59:59-00:01", /* after the year 9999 */
        "2026-11-22T12:00:00.000\xff",
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t ms = 42;
        if (time_parse(CASES[i], &ms))
            fail_msg("accepted: %s", CASES[i]);
        assert_int_equal(ms, 42);
    }
}

/* glibc's own calendar is the judge, over every day of the ten thousand years. */
static void every_day_is_written_and_read_back(void **state)
{
    (void)state;
    const int64_t day_ms = 86400000;
    for (int64_t day = -719528; day <= 2932896; day++) {
        int64_t ms = day * day_ms + (day & 0xffff) * 1318 + 1;
        time_t seconds = (time_t)(ms / 1000);
        if (seconds * 1000 > ms)
            seconds--;
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        char expected[64], text[TIME_CHARS + 1];
        int64_t back_ms;
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)(ms - (int64_t)seconds * 1000));
        time_format(ms, text);
        assert_string_equal(text, expected);
        assert_true(time_parse(text, &back_ms));
        assert_true(back_ms == ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_read_with_any_offset),
        cmocka_unit_test(what_rfc_3339_does_not_allow_is_refused),
        cmocka_unit_test(every_day_is_written_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

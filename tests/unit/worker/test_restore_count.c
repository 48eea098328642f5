#include "worker/restore_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t begin_ms = 17 * HOUR_MS + 4321;

static void a_restore_counts_for_an_hour_and_not_much_longer(void **state)
{
    (void)state;
    struct restore_count count = {0};
    assert_int_equal(restore_count_read(&count, begin_ms), 0);
    restore_count_add(&count, begin_ms);
    restore_count_add(&count, begin_ms + MINUTE_MS);
    assert_int_equal(restore_count_read(&count, begin_ms + MINUTE_MS), 2);
    assert_int_equal(restore_count_read(&count, begin_ms + HOUR_MS), 2);
    assert_int_equal(restore_count_read(&count, begin_ms + HOUR_MS + RESTORE_BUCKET_MS), 1);
    assert_int_equal(restore_count_read(&count, begin_ms + HOUR_MS + 2 * MINUTE_MS), 0);
}

static void a_long_silence_forgets_everything(void **state)
{
    (void)state;
    struct restore_count count = {0};
    for (int i = 0; i < 1000; i++)
        restore_count_add(&count, begin_ms + i * SECOND_MS);
    assert_int_equal(restore_count_read(&count, begin_ms + 1000 * SECOND_MS), 1000);
    assert_int_equal(restore_count_read(&count, begin_ms + 1000 * (int64_t)HOUR_MS), 0);
    restore_count_add(&count, begin_ms + 1000 * (int64_t)HOUR_MS);
    assert_int_equal(restore_count_read(&count, begin_ms + 1000 * (int64_t)HOUR_MS), 1);
}

/* Against a list of moments, on every second of five hours. */
static void no_hour_has_more_than_are_counted(void **state)
{
    (void)state;
    enum { SECONDS = 5 * 3600, PERIOD_S = 7 };
    struct restore_count count = {0};
    for (int s = 0; s < SECONDS; s++) {
        int64_t now_ms = begin_ms + s * SECOND_MS;
        if (s % PERIOD_S == 0)
            restore_count_add(&count, now_ms);
        int all = s / PERIOD_S + 1, older = s < 3600 ? 0 : (s - 3600) / PERIOD_S + 1;
        int slack = RESTORE_BUCKET_MS / (PERIOD_S * SECOND_MS) + 1;
        assert_in_range(restore_count_read(&count, now_ms), all - older, all - older + slack);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restore_counts_for_an_hour_and_not_much_longer),
        cmocka_unit_test(a_long_silence_forgets_everything),
        cmocka_unit_test(no_hour_has_more_than_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

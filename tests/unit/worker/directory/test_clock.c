#include "worker/directory/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MONO_MS (INT64_C(1792000000) * 1000)

static int64_t stamp_of(int64_t directory_ms)
{
    return directory_ms / SECOND_MS * SECOND_MS; /* a Date header drops the fraction */
}

/* Whatever the true offset and wherever in the second the replies fall, the median must not lean
 * to one side: over all phases the mean error is at most a millisecond. */
static void the_median_does_not_lag_behind_the_directory(void **state)
{
    (void)state;
    static const int64_t offsets_ms[] = {0, 1, 499, 500, 999, 123456, -1, -250000};
    for (size_t i = 0; i < sizeof offsets_ms / sizeof offsets_ms[0]; i++) {
        int64_t sum_ms = 0;
        for (int64_t phase_ms = 0; phase_ms < SECOND_MS; phase_ms++) {
            struct clock_samples samples = {0};
            int64_t mono_ms = MONO_MS + phase_ms;
            int64_t found_ms = clock_take(&samples, stamp_of(mono_ms + offsets_ms[i]), mono_ms);
            assert_true(found_ms - offsets_ms[i] <= SECOND_MS / 2);
            assert_true(found_ms - offsets_ms[i] >= -SECOND_MS / 2);
            sum_ms += found_ms - offsets_ms[i];
        }
        assert_true(sum_ms <= SECOND_MS && sum_ms >= -SECOND_MS);
    }
}

static void one_wild_stamp_among_five_changes_nothing(void **state)
{
    (void)state;
    struct clock_samples samples = {0};
    for (int i = 0; i < CLOCK_SAMPLES - 1; i++)
        (void)clock_take(&samples, stamp_of(MONO_MS), MONO_MS);
    assert_int_equal(clock_take(&samples, stamp_of(MONO_MS + DAY_MS), MONO_MS), SECOND_MS / 2);
}

static void only_the_last_five_count(void **state)
{
    (void)state;
    struct clock_samples samples = {0};
    for (int i = 0; i < 100; i++)
        (void)clock_take(&samples, MONO_MS + HOUR_MS, MONO_MS);
    int64_t offset_ms = 0;
    for (int i = 0; i < 3; i++)
        offset_ms = clock_take(&samples, MONO_MS - HOUR_MS, MONO_MS);
    assert_int_equal(offset_ms, -HOUR_MS + SECOND_MS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median_does_not_lag_behind_the_directory),
        cmocka_unit_test(one_wild_stamp_among_five_changes_nothing),
        cmocka_unit_test(only_the_last_five_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

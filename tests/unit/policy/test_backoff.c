#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/backoff.h"

static void the_wait_is_anywhere_below_its_bound(void **state)
{
    (void)state;
    uint64_t random = 1;
    int64_t bound_ms = BACKOFF_FIRST_MS;
    for (int n = 0; n < 12; n++) {
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 1000; i++) {
            int64_t wait_ms = backoff_ms(n, 0, &random);
            assert_in_range(wait_ms, 0, bound_ms);
            least = wait_ms < least ? wait_ms : least;
            most = wait_ms > most ? wait_ms : most;
        }
        assert_true(least < bound_ms / 10); /* full jitter, not a wobble about the bound */
        assert_true(most > bound_ms * 9 / 10);
        bound_ms = bound_ms * 2 < BACKOFF_MAX_MS ? bound_ms * 2 : BACKOFF_MAX_MS;
    }
    assert_int_equal(bound_ms, BACKOFF_MAX_MS);
}

static void retry_after_is_never_undercut(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int n = 0; n < 1000; n++) {
        int64_t wait_ms = backoff_ms(n, 7 * SECOND_MS, &random);
        assert_true(wait_ms >= 7 * SECOND_MS);
        assert_true(wait_ms <= BACKOFF_MAX_MS);
    }
    assert_int_equal(backoff_ms(0, HOUR_MS, &random), HOUR_MS);
}

static void an_endless_row_of_failures_does_not_overflow(void **state)
{
    (void)state;
    uint64_t random = 3;
    assert_in_range(backoff_ms(2000000000, 0, &random), 0, BACKOFF_MAX_MS);
}

static void the_same_seed_gives_the_same_waits(void **state)
{
    (void)state;
    uint64_t a = 4, b = 4, c = 5;
    int differing = 0;
    for (int n = 0; n < 10; n++) {
        int64_t wait_ms = backoff_ms(n, 0, &a);
        assert_int_equal(wait_ms, backoff_ms(n, 0, &b));
        differing += wait_ms != backoff_ms(n, 0, &c);
    }
    assert_true(differing > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_is_anywhere_below_its_bound),
        cmocka_unit_test(retry_after_is_never_undercut),
        cmocka_unit_test(an_endless_row_of_failures_does_not_overflow),
        cmocka_unit_test(the_same_seed_gives_the_same_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

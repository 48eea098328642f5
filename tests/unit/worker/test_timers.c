#include "worker/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 500, STEPS = 200000 };

/* xorshift32: the same numbers on every run. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static int64_t earliest(const struct timer *set, int n)
{
    int64_t at = INT64_MAX;
    for (int i = 0; i < n; i++)
        if (set[i].place != 0 && set[i].at_mono_ms < at)
            at = set[i].at_mono_ms;
    return at;
}

static void an_empty_heap_has_no_first_timer(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer = {0};
    assert_null(timers_first(&timers));
    timers_cancel(&timers, &timer); /* not set: nothing happens */
    assert_null(timers_first(&timers));
    timers_deinit(&timers);
}

static void timers_come_in_the_order_of_their_time(void **state)
{
    (void)state;
    static struct timer set[MANY];
    memset(set, 0, sizeof set);
    struct timers timers = {0};
    uint32_t random = 1;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(timers_set(&timers, &set[i], next_random(&random) % 100), 0);
    int64_t previous = -1;
    for (int i = 0; i < MANY; i++) {
        struct timer *first = timers_first(&timers);
        assert_non_null(first);
        assert_true(first->at_mono_ms >= previous);
        previous = first->at_mono_ms;
        timers_cancel(&timers, first);
        assert_int_equal(first->place, 0);
    }
    assert_null(timers_first(&timers));
    timers_deinit(&timers);
}

static void a_timer_set_again_moves_both_ways(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer a = {0}, b = {0}, c = {0};
    assert_int_equal(timers_set(&timers, &a, 10), 0);
    assert_int_equal(timers_set(&timers, &b, 20), 0);
    assert_int_equal(timers_set(&timers, &c, 30), 0);
    assert_int_equal(timers_set(&timers, &c, 5), 0);
    assert_ptr_equal(timers_first(&timers), &c);
    assert_int_equal(timers_set(&timers, &c, 40), 0);
    assert_ptr_equal(timers_first(&timers), &a);
    assert_int_equal(timers.n, 3);
    timers_deinit(&timers);
}

/* Against the plainest model: whatever is set, moved or cancelled, the first is the earliest, and
 * every element knows its place. */
static void random_steps_keep_the_heap_in_order(void **state)
{
    (void)state;
    static struct timer set[MANY];
    memset(set, 0, sizeof set);
    struct timers timers = {0};
    uint32_t random = 42;
    for (int step = 0; step < STEPS; step++) {
        struct timer *timer = &set[next_random(&random) % MANY];
        if (next_random(&random) % 3 == 0)
            timers_cancel(&timers, timer);
        else
            assert_int_equal(timers_set(&timers, timer, next_random(&random) % 1000), 0);
        const struct timer *first = timers_first(&timers);
        if (first != NULL)
            assert_ptr_equal(timers.heap[first->place - 1], first);
        if (step % 64 == 0) {
            assert_int_equal(first != NULL ? first->at_mono_ms : INT64_MAX, earliest(set, MANY));
            for (size_t i = 0; i < timers.n; i++)
                assert_int_equal(timers.heap[i]->place, i + 1);
        }
    }
    timers_deinit(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_first_timer),
        cmocka_unit_test(timers_come_in_the_order_of_their_time),
        cmocka_unit_test(a_timer_set_again_moves_both_ways),
        cmocka_unit_test(random_steps_keep_the_heap_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "worker/still.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MINE, OTHERS, NONE = -1 };

static struct still still;

static int fresh(void **state)
{
    (void)state;
    memset(&still, 0, sizeof still);
    return 0;
}

static void check(int tenant, int64_t now_ms, int64_t paused_ms, int64_t unreachable_ms)
{
    struct standstill read = still_read(&still, tenant, now_ms);
    assert_int_equal(read.paused_ms, paused_ms);
    assert_int_equal(read.unreachable_ms, unreachable_ms);
}

static void time_runs_unless_something_holds_it(void **state)
{
    (void)state;
    check(MINE, HOUR_MS, 0, 0);
    still_set_paused(&still, false, HOUR_MS);
    check(MINE, 2 * HOUR_MS, 0, 0);
    assert_false(still_read(&still, MINE, HOUR_MS).paused);
    assert_false(still_read(&still, MINE, HOUR_MS).unreachable);
}

static void an_open_breaker_holds_its_own_tenants_time(void **state)
{
    (void)state;
    still_set_unreachable(&still, MINE, true, 1000);
    check(MINE, 1400, 0, 400);
    check(OTHERS, 1400, 0, 0);
    check(NONE, 1400, 0, 0);
    assert_true(still_read(&still, MINE, 1400).unreachable);
    assert_false(still_read(&still, OTHERS, 1400).unreachable);
    still_set_unreachable(&still, OTHERS, true, 1500);
    still_set_unreachable(&still, MINE, false, 2000);
    still_set_unreachable(&still, MINE, true, 5000);
    check(MINE, 5001, 0, 1001);
    check(OTHERS, 5001, 0, 3501);
}

static void a_pause_holds_everybodys_time(void **state)
{
    (void)state;
    still_set_paused(&still, true, 1000);
    check(MINE, 1400, 400, 0);
    check(NONE, 1400, 400, 0);
    assert_true(still_read(&still, NONE, 1400).paused);
    still_set_paused(&still, true, 1500); /* SIGUSR1 again */
    still_set_paused(&still, false, 2000);
    check(MINE, 9000, 1000, 0);
}

/* Else a deadline would move by more than passed. */
static void what_is_both_counts_once(void **state)
{
    (void)state;
    still_set_unreachable(&still, MINE, true, 1000);
    still_set_paused(&still, true, 3000);
    check(MINE, 3500, 500, 2000);
    still_set_unreachable(&still, OTHERS, true, 4000);
    still_set_paused(&still, false, 6000);
    check(MINE, 7000, 3000, 3000);
    check(OTHERS, 7000, 3000, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(time_runs_unless_something_holds_it, fresh),
        cmocka_unit_test_setup(an_open_breaker_holds_its_own_tenants_time, fresh),
        cmocka_unit_test_setup(a_pause_holds_everybodys_time, fresh),
        cmocka_unit_test_setup(what_is_both_counts_once, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

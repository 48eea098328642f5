/* Thousands of restores, each with its own mixture of situations, faults and crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/backoff.h"
#include "tests/sim/situations.h"

enum { SEEDS = 100000, SITUATIONS_AT_ONCE = 3, ACTIONS_LIKELY = 40 };

static struct run run;

static int pick(uint64_t *random, int n)
{
    return (int)(random_next(random) % (uint64_t)n);
}

static void make(uint64_t seed, bool traced)
{
    uint64_t random = seed;
    run_given(&run);
    run.seed = seed;
    run.traced = traced;
    for (int i = pick(&random, SITUATIONS_AT_ONCE + 1); i > 0; i--)
        situations[pick(&random, n_situations)].make(&run);
    if (run.world.another_restores_at_ms != 0)
        run.world.another_restores_at_ms = HOUR_MS + pick(&random, 2 * MINUTE_MS);
    run.world.lag_ms = pick(&random, 3) == 0 ? pick(&random, 150 * SECOND_MS) : 0;
    run.world.bin_lag_ms = pick(&random, JOB_CERTAIN_MS);
    if (run.world.bin_lag_ms > run.world.lag_ms)
        run.world.bin_lag_ms = run.world.lag_ms;
    static const int64_t retry_after_ms[] = {0, 7 * SECOND_MS, 90 * SECOND_MS, HOUR_MS};
    run.world.retry_after_ms = retry_after_ms[pick(&random, 4)];

    struct script *script = &run.script;
    script->from = pick(&random, 2) == 0 ? DIRECTORY_OPERATION_COUNT : DIRECTORY_RESTORE;
    script->n_faults = pick(&random, EVENTS_MAX + 1);
    for (int i = 0; i < script->n_faults; i++)
        script->faults[i] = pick(&random, 2) == 0 ? FAULT_NONE : (enum fault)pick(&random, FAULTS);
    script->n_crashes = pick(&random, INCARNATIONS_MAX);
    for (int i = 0; i < script->n_crashes; i++) {
        script->crashes[i].at_action = pick(&random, ACTIONS_LIKELY);
        script->crashes[i].crash = (enum crash)(CRASH_BEFORE + pick(&random, 3));
    }
}

static void no_seed_breaks_a_promise(void **state)
{
    (void)state;
    int reasons[REASONS] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make(seed, false);
        run_restore(&run);
        if (run.broken != NULL) {
            make(seed, true);
            run_restore(&run);
            assert_promises_kept(&run, "a mixture");
        }
        reasons[run.job.outcome.reason]++;
    }
    /* The mixture is a mixture: every end that a job can have was reached. */
    static const enum reason ends[] = {
        REASON_RESTORED,           REASON_ALREADY_ACTIVE,   REASON_NAME_CONFLICT,
        REASON_ADDRESS_CONFLICT,   REASON_NOT_FOUND,        REASON_REQUESTER_NOT_AUTHORIZED,
        REASON_DEADLINE_EXCEEDED,  REASON_DIRECTORY_DENIED, REASON_DIRECTORY_UNAVAILABLE,
        REASON_DIRECTORY_REJECTED, REASON_NEEDS_HANDS};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (reasons[ends[i]] == 0)
            fail_msg("nothing ended as %s", reason_code(ends[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_seed_breaks_a_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

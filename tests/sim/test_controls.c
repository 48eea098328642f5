/* Negative controls: with a protection taken away the watching must see a promise break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/situations.h"

#include <string.h>

static struct run run;

static int the_plain_case(void **state)
{
    (void)state;
    run_given(&run);
    run.script.from = DIRECTORY_RESTORE;
    return 0;
}

static void assert_only_with_control(enum control control, const char *promise)
{
    struct world world = run.world;
    run_restore(&run);
    assert_null(run.broken);
    run.world = world;
    run.control = control;
    run_restore(&run);
    assert_non_null(run.broken);
    assert_string_equal(run.broken, promise);
}

static void lose(enum directory_operation from, enum fault first, enum fault second)
{
    run.script.from = from;
    run.script.n_faults = 2;
    run.script.faults[0] = first;
    run.script.faults[1] = second;
}

static void crash(int at_action, enum crash how)
{
    run.script.n_crashes = 1;
    run.script.crashes[0].at_action = at_action;
    run.script.crashes[0].crash = how;
}

static void without_confirming_a_lost_restore_is_repeated(void **state)
{
    (void)state;
    lose(DIRECTORY_RESTORE, FAULT_LOST_AFTER, FAULT_NONE);
    assert_only_with_control(CONTROL_LOST_IS_BUSY, "a lost restore is confirmed, not repeated");
}

static void without_confirming_a_lost_password_is_repeated(void **state)
{
    (void)state;
    lose(DIRECTORY_SET_PASSWORD, FAULT_LOST_AFTER, FAULT_NONE);
    assert_only_with_control(CONTROL_LOST_IS_BUSY, "a lost password is confirmed, not repeated");
}

static void without_the_journal_our_work_looks_like_anothers(void **state)
{
    (void)state;
    crash(4, CRASH_AFTER); /* requester, find, target, intent, restore */
    assert_only_with_control(CONTROL_JOURNAL_FORGETS,
                             "what we restored is not called already active");
}

static void without_settling_a_late_call_meets_its_successors(void **state)
{
    (void)state;
    crash(6, CRASH_LATE); /* ... restore, manager, password */
    assert_only_with_control(CONTROL_NO_SETTLING, "no change before the settling time");
}

static void an_untold_retry_after_is_undercut(void **state)
{
    (void)state;
    lose(DIRECTORY_RESTORE, FAULT_BUSY, FAULT_BUSY);
    assert_only_with_control(CONTROL_RETRY_AFTER_UNTOLD, "Retry-After is never undercut");
}

static void without_their_age_roles_of_another_job_pass_for_new(void **state)
{
    (void)state;
    run.world.requester_read_ago_ms = MINUTE_MS - 3 * CALL_MS;
    assert_only_with_control(CONTROL_AGE_UNTOLD, "roles are at most a minute old");
}

static void without_the_requesters_own_roles_a_stranger_restores(void **state)
{
    (void)state;
    run.world.requester_is_nobody = true;
    assert_only_with_control(CONTROL_EVERYBODY_MAY, "no restore for a stranger");
}

static void a_holder_looked_up_by_name_is_the_restored_user(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.rules.name_policy_allowed[NAME_POLICY_REPLACE_ACTIVE] = true;
    run.request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    run.world.lag_ms = run.world.bin_lag_ms = MINUTE_MS; /* who was restored still looks deleted */
    crash(9, CRASH_AFTER); /* ... restore, holder, its roles, intent, free, restore */
    assert_only_with_control(CONTROL_HOLDER_BY_NAME, "the restored user is never deleted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_confirming_a_lost_restore_is_repeated, the_plain_case),
        cmocka_unit_test_setup(without_confirming_a_lost_password_is_repeated, the_plain_case),
        cmocka_unit_test_setup(without_the_journal_our_work_looks_like_anothers, the_plain_case),
        cmocka_unit_test_setup(without_settling_a_late_call_meets_its_successors, the_plain_case),
        cmocka_unit_test_setup(a_holder_looked_up_by_name_is_the_restored_user, the_plain_case),
        cmocka_unit_test_setup(an_untold_retry_after_is_undercut, the_plain_case),
        cmocka_unit_test_setup(without_the_requesters_own_roles_a_stranger_restores,
                               the_plain_case),
        cmocka_unit_test_setup(without_their_age_roles_of_another_job_pass_for_new, the_plain_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

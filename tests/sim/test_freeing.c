/* The rows of design section 9 in which the active holder of a name gives way, told in the words
 * the daemon logs. That every crash at any of them ends well is test_every_script's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/run.h"

static struct run run;

static int the_name_is_taken(void **state)
{
    (void)state;
    run_given(&run);
    run.traced = true;
    run.script.from =
        DIRECTORY_TARGET_ROLES; /* faults: target, restore, holder, roles, free, ... */
    run.world.name_taken = true;
    run.rules.name_policy_allowed[NAME_POLICY_RENAME_ACTIVE] = true;
    run.rules.name_policy_allowed[NAME_POLICY_REPLACE_ACTIVE] = true;
    run.request.name_policy = NAME_POLICY_RENAME_ACTIVE;
    return 0;
}

static void replace(void)
{
    run.request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
}

/* Behind the four calls up to the change of the holder. */
static void then(enum fault first, enum fault second)
{
    run.script.n_faults = 6;
    run.script.faults[4] = first;
    run.script.faults[5] = second;
}

static void crash(int at_action, enum crash how)
{
    run.script.n_crashes = 1;
    run.script.crashes[0].at_action = at_action;
    run.script.crashes[0].crash = how;
}

static void assert_story(enum reason reason, const char *story)
{
    run_restore(&run);
    assert_string_equal(run.trace, story);
    if (run.broken != NULL)
        fail_msg("%s", run.broken);
    assert_int_equal(run.job.outcome.reason, reason);
}

static void assert_holder(int n_freed, int n_undone)
{
    assert_int_equal(run.world.holder.n_freed, n_freed);
    assert_int_equal(run.world.holder.n_undone, n_undone);
}

#define CLASH                                                                                      \
    "requester: yes\n"                                                                             \
    "find: yes\n"                                                                                  \
    "target: not found\n"                                                                          \
    "intent: committed\n"                                                                          \
    "restore: name taken\n"                                                                        \
    "holder: yes\n"
#define UP_TO_FREE                                                                                 \
    CLASH "holder_roles: not found\n"                                                              \
          "intent: committed\n"
#define DELIVERED                                                                                  \
    "manager: yes\n"                                                                               \
    "password: yes\n"                                                                              \
    "gave_way: yes\n"                                                                              \
    "read_back: yes\n"                                                                             \
    "finish: restored\n"
#define FOUND_AGAIN                                                                                \
    "crash\n"                                                                                      \
    "sleep\n"                                                                                      \
    "resume: not found\n"                                                                          \
    "resume_bin: yes\n"                                                                            \
    "sleep\n"                                                                                      \
    "resume: not found\n"                                                                          \
    "resume_bin: yes\n"                                                                            \
    "requester: yes\n"                                                                             \
    "find: yes\n"                                                                                  \
    "target: not found\n"
enum { FREE = 8, RESTORE_AGAIN = 9, INTENT_3 = 10, UNDO = 11 }; /* actions */

static void the_holder_is_renamed_and_the_user_restored(void **state)
{
    (void)state;
    assert_story(REASON_RESTORED, UP_TO_FREE "free: yes\n"
                                             "restore: yes\n" DELIVERED);
    const struct freed_user *freed = &run.job.outcome.freed;
    assert_holder(1, 0);
    assert_int_equal(freed->how, FREED_RENAMED);
    assert_string_equal(freed->id, HOLDER_ID);
    assert_string_equal(freed->from, GIVEN_USER_NAME);
    assert_string_equal(freed->to, "ola.2@contoso.com");
    assert_string_equal(run.world.holder.name, "ola.2@contoso.com");
    assert_int_equal(freed->told.n, 1);
    assert_string_equal(freed->told.address[0], GIVEN_USER_NAME);
    assert_string_equal(run.job.outcome.user_principal_name, GIVEN_USER_NAME);
}

static void the_holder_is_deleted_and_the_user_restored(void **state)
{
    (void)state;
    replace();
    assert_story(REASON_RESTORED, UP_TO_FREE "free: yes\n"
                                             "restore: yes\n" DELIVERED);
    const struct freed_user *freed = &run.job.outcome.freed;
    assert_holder(1, 0);
    assert_int_equal(freed->how, FREED_REPLACED);
    assert_string_equal(freed->to, "");
    assert_int_equal(freed->restorable_until_ms, GIVEN_NOW_MS + 30 * DAY_MS);
}

static void nobody_is_told_where_successes_are_not(void **state)
{
    (void)state;
    run.rules.notify_on_succeeded = false;
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.freed.how, FREED_RENAMED);
    assert_int_equal(run.job.outcome.freed.told.n, 0);
    assert_int_equal(run.job.outcome.to.n, 1); /* a password is told all the same */
}

static void each_name_that_is_tried_is_an_intent_of_its_own(void **state)
{
    (void)state;
    run.world.n_template_names_taken = 1;
    assert_story(REASON_RESTORED, UP_TO_FREE "free: name taken\n"
                                             "intent: committed\n"
                                             "free: yes\n"
                                             "restore: yes\n" DELIVERED);
    assert_string_equal(run.job.outcome.freed.to, "ola.3@contoso.com");
}

static void a_holder_without_a_free_name_keeps_his(void **state)
{
    (void)state;
    run.world.n_template_names_taken = RENAME_NUMBER_LAST;
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_NAME_CONFLICT);
    assert_int_equal(run.job.n_calls[DIRECTORY_RENAME_USER], 19); /* 2..20 */
    assert_false(run.job.outcome.resolution[NAME_POLICY_RENAME_ACTIVE]);
    assert_true(run.job.outcome.resolution[NAME_POLICY_REPLACE_ACTIVE]);
}

static void a_name_chosen_for_the_holder_is_tried_once(void **state)
{
    (void)state;
    run.world.new_name_taken = true;
    text_copy(run.request.rename_active_to, sizeof run.request.rename_active_to,
              "ola.n@contoso.com");
    assert_story(REASON_NAME_CONFLICT, UP_TO_FREE "free: name taken\n"
                                                  "finish: name_conflict\n");
    assert_true(run.job.outcome.resolution[NAME_POLICY_RENAME_ACTIVE]); /* by the template */
}

static void an_administrator_does_not_give_way(void **state)
{
    (void)state;
    replace();
    run.world.n_holder_roles = 1;
    assert_story(REASON_NAME_CONFLICT, CLASH "holder_roles: yes\n"
                                             "finish: name_conflict\n");
    assert_string_equal(run.job.outcome.conflicts[0].holder.id, HOLDER_ID);
    assert_true(run.job.outcome.resolution[NAME_POLICY_RENAME_RESTORED]);
    assert_false(run.job.outcome.resolution[NAME_POLICY_RENAME_ACTIVE]);
}

static void a_synchronised_holder_does_not_give_way(void **state)
{
    (void)state;
    run.world.holder_synced = true;
    assert_story(REASON_NAME_CONFLICT, CLASH "finish: name_conflict\n");
}

static void a_lost_change_of_the_holder_is_looked_for_by_his_id(void **state)
{
    (void)state;
    then(FAULT_LOST_AFTER, FAULT_NONE);
    assert_story(REASON_RESTORED, UP_TO_FREE "free: unknown\n"
                                             "sleep\n"
                                             "confirm_free: yes\n"
                                             "restore: yes\n" DELIVERED);
    assert_holder(1, 0);
}

static void a_lost_deletion_is_looked_for_in_the_bin(void **state)
{
    (void)state;
    replace();
    then(FAULT_LOST_AFTER, FAULT_NONE);
    assert_story(REASON_RESTORED, UP_TO_FREE "free: unknown\n"
                                             "sleep\n"
                                             "confirm_free: not found\n"
                                             "confirm_free_bin: yes\n"
                                             "restore: yes\n" DELIVERED);
    assert_holder(1, 0);
}

static void what_was_not_done_is_done_after_ten_seconds_by_fresh_rules(void **state)
{
    (void)state;
    then(FAULT_LOST_BEFORE, FAULT_NONE);
    assert_story(REASON_RESTORED, UP_TO_FREE "free: unknown\n"
                                             "sleep\n"
                                             "confirm_free: yes\n"
                                             "sleep\n"
                                             "confirm_free: yes\n"
                                             "holder_roles: not found\n"
                                             "intent: committed\n"
                                             "free: yes\n"
                                             "restore: yes\n" DELIVERED);
    assert_holder(1, 0);
}

static void a_refused_change_of_the_holder_is_a_conflict(void **state)
{
    (void)state;
    then(FAULT_DENIED, FAULT_NONE);
    assert_story(REASON_NAME_CONFLICT, UP_TO_FREE "free: denied\n"
                                                  "finish: name_conflict\n");
    assert_holder(0, 0);
}

static void a_refused_restore_gives_the_name_back(void **state)
{
    (void)state;
    run.world.restore_refused = true;
    assert_story(REASON_DIRECTORY_REJECTED, UP_TO_FREE "free: yes\n"
                                                       "restore: rejected\n"
                                                       "intent: committed\n"
                                                       "undo: yes\n"
                                                       "finish: directory_rejected\n");
    assert_holder(1, 1);
    assert_string_equal(run.world.holder.name, GIVEN_USER_NAME);
    assert_int_equal(run.job.outcome.freed.how, FREED_NOBODY);
    assert_int_equal(run.job.intent.phase, INTENT_UNDO);
    assert_int_equal(run.job.intent.refusal, REASON_DIRECTORY_REJECTED);
}

static void a_refused_restore_takes_the_deletion_back(void **state)
{
    (void)state;
    replace();
    run.world.restore_refused = true;
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_DIRECTORY_REJECTED);
    assert_holder(1, 1);
    assert_int_equal(run.world.holder.place, PLACE_ACTIVE);
}

static void a_deadline_gives_the_name_back_too(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    run.world.retry_after_ms = MINUTE_MS;
    then(FAULT_NONE, FAULT_BUSY);
    assert_story(REASON_DIRECTORY_UNAVAILABLE, UP_TO_FREE "free: yes\n"
                                                          "restore: busy\n"
                                                          "intent: committed\n"
                                                          "sleep\n"
                                                          "undo: yes\n"
                                                          "finish: directory_unavailable\n");
    assert_holder(1, 1);
}

static void what_cannot_be_given_back_needs_hands(void **state)
{
    (void)state;
    run.world.name_taken_again = true;
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_NEEDS_HANDS);
    assert_int_equal(run.job.outcome.freed.how, FREED_RENAMED);
    assert_false(run.job.outcome.restored);
    assert_holder(1, 0);
}

static void an_address_may_clash_when_the_name_is_free(void **state)
{
    (void)state;
    run.world.address_taken = true;
    assert_story(REASON_RESTORED, UP_TO_FREE "free: yes\n"
                                             "restore: address taken\n"
                                             "restore: yes\n" DELIVERED);
}

/* ---- killed ---- */

static void killed_before_the_change_it_is_made_by_fresh_rules(void **state)
{
    (void)state;
    crash(FREE, CRASH_BEFORE);
    assert_story(REASON_RESTORED, UP_TO_FREE FOUND_AGAIN "confirm_free: yes\n"
                                                         "holder_roles: not found\n"
                                                         "intent: committed\n"
                                                         "free: yes\n"
                                                         "restore: yes\n" DELIVERED);
}

static void killed_after_the_rename_only_the_restore_is_left(void **state)
{
    (void)state;
    crash(FREE, CRASH_LATE);
    assert_story(REASON_RESTORED, UP_TO_FREE FOUND_AGAIN "confirm_free: yes\n"
                                                         "intent: committed\n"
                                                         "restore: yes\n" DELIVERED);
    assert_holder(1, 0);
}

static void killed_after_the_deletion_only_the_restore_is_left(void **state)
{
    (void)state;
    replace();
    crash(FREE, CRASH_AFTER);
    assert_story(REASON_RESTORED, UP_TO_FREE FOUND_AGAIN "confirm_free: not found\n"
                                                         "confirm_free_bin: yes\n"
                                                         "intent: committed\n"
                                                         "restore: yes\n" DELIVERED);
    assert_holder(1, 0);
}

static void killed_after_the_restore_nobody_is_touched_again(void **state)
{
    (void)state;
    replace();
    crash(RESTORE_AGAIN, CRASH_AFTER);
    assert_story(REASON_RESTORED, UP_TO_FREE "free: yes\n"
                                             "crash\n"
                                             "sleep\n"
                                             "resume: yes\n"
                                             "requester: yes\n"
                                             "manager: yes\n"
                                             "intent: committed\n"
                                             "password: yes\n"
                                             "gave_way: yes\n"
                                             "read_back: yes\n"
                                             "finish: restored\n");
    assert_holder(1, 0);
    assert_int_equal(run.job.outcome.freed.how, FREED_REPLACED);
}

static void killed_before_the_undo_the_verdict_is_kept(void **state)
{
    (void)state;
    run.world.restore_refused = true;
    crash(UNDO, CRASH_BEFORE);
    assert_story(REASON_DIRECTORY_REJECTED, UP_TO_FREE "free: yes\n"
                                                       "restore: rejected\n"
                                                       "intent: committed\n"
                                                       "crash\n"
                                                       "sleep\n"
                                                       "confirm_undo: yes\n"
                                                       "sleep\n"
                                                       "confirm_undo: yes\n"
                                                       "intent: committed\n"
                                                       "undo: yes\n"
                                                       "finish: directory_rejected\n");
    assert_holder(1, 1);
}

static void killed_after_the_undo_nothing_is_left_to_do(void **state)
{
    (void)state;
    replace();
    run.world.restore_refused = true;
    crash(UNDO, CRASH_AFTER);
    assert_story(REASON_DIRECTORY_REJECTED, UP_TO_FREE "free: yes\n"
                                                       "restore: rejected\n"
                                                       "intent: committed\n"
                                                       "crash\n"
                                                       "sleep\n"
                                                       "confirm_undo: yes\n"
                                                       "sleep\n"
                                                       "confirm_undo: yes\n"
                                                       "finish: directory_rejected\n");
    assert_holder(1, 1);
}

static void killed_before_the_third_intent_the_restore_is_tried_again(void **state)
{
    (void)state;
    run.world.restore_refused = true;
    crash(INTENT_3, CRASH_BEFORE);
    assert_story(REASON_DIRECTORY_REJECTED,
                 UP_TO_FREE "free: yes\n"
                            "restore: rejected\n" FOUND_AGAIN "confirm_free: yes\n"
                            "intent: committed\n"
                            "restore: rejected\n"
                            "intent: committed\n"
                            "undo: yes\n"
                            "finish: directory_rejected\n");
    assert_holder(1, 1);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup(name, the_name_is_taken)
    const struct CMUnitTest tests[] = {
        STORY(the_holder_is_renamed_and_the_user_restored),
        STORY(the_holder_is_deleted_and_the_user_restored),
        STORY(nobody_is_told_where_successes_are_not),
        STORY(each_name_that_is_tried_is_an_intent_of_its_own),
        STORY(a_holder_without_a_free_name_keeps_his),
        STORY(a_name_chosen_for_the_holder_is_tried_once),
        STORY(an_administrator_does_not_give_way),
        STORY(a_synchronised_holder_does_not_give_way),
        STORY(a_lost_change_of_the_holder_is_looked_for_by_his_id),
        STORY(a_lost_deletion_is_looked_for_in_the_bin),
        STORY(what_was_not_done_is_done_after_ten_seconds_by_fresh_rules),
        STORY(a_refused_change_of_the_holder_is_a_conflict),
        STORY(a_refused_restore_gives_the_name_back),
        STORY(a_refused_restore_takes_the_deletion_back),
        STORY(a_deadline_gives_the_name_back_too),
        STORY(what_cannot_be_given_back_needs_hands),
        STORY(an_address_may_clash_when_the_name_is_free),
        STORY(killed_before_the_change_it_is_made_by_fresh_rules),
        STORY(killed_after_the_rename_only_the_restore_is_left),
        STORY(killed_after_the_deletion_only_the_restore_is_left),
        STORY(killed_after_the_restore_nobody_is_touched_again),
        STORY(killed_before_the_undo_the_verdict_is_kept),
        STORY(killed_after_the_undo_nothing_is_left_to_do),
        STORY(killed_before_the_third_intent_the_restore_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

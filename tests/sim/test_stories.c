/* What a restore does, told in the words the daemon logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/run.h"

#include <string.h>

static struct run run;

static int the_plain_case(void **state)
{
    (void)state;
    run_given(&run);
    run.traced = true;
    run.script.from = DIRECTORY_RESTORE;
    return 0;
}

static void assert_story(enum reason reason, const char *story)
{
    run_restore(&run);
    assert_string_equal(run.trace, story);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, reason);
}

#define FOUND                                                                                      \
    "requester: yes\n"                                                                             \
    "find: yes\n"                                                                                  \
    "target: not found\n"                                                                          \
    "intent: committed\n"
#define DELIVERED                                                                                  \
    "manager: yes\n"                                                                               \
    "password: yes\n"                                                                              \
    "read_back: yes\n"                                                                             \
    "finish: restored\n"

static void fault(enum fault fault)
{
    run.script.faults[run.script.n_faults++] = fault;
}

static void crash(int at_action, enum crash how)
{
    run.script.n_crashes = 1;
    run.script.crashes[0].at_action = at_action;
    run.script.crashes[0].crash = how;
}

static void a_plain_restore(void **state)
{
    (void)state;
    assert_story(REASON_RESTORED, FOUND "restore: yes\n" DELIVERED);

    const struct outcome *outcome = &run.job.outcome;
    assert_int_equal(run.n_calls, 7);
    assert_int_equal(outcome->password, PASSWORD_GENERATED);
    assert_int_equal(outcome->todo, 0);
    assert_true(outcome->restored);
    assert_string_equal(outcome->user_id, GIVEN_USER_ID);
    assert_string_equal(outcome->user_principal_name, GIVEN_USER_NAME);
    assert_string_equal(outcome->display_name, "Ola Nordmann");
    assert_string_equal(outcome->preferred_language, "nb-NO");
    assert_string_equal(outcome->before->user_principal_name, GIVEN_USER_NAME);
    assert_int_equal(outcome->started_at_ms, GIVEN_NOW_MS);
    assert_int_equal(outcome->finished_at_ms, GIVEN_NOW_MS + 7 * CALL_MS + COMMIT_MS);
    assert_int_equal(outcome->restorable_until_ms, GIVEN_DELETED_AT_MS + 30 * DAY_MS);
    assert_int_equal(outcome->milliseconds_left,
                     outcome->restorable_until_ms - outcome->finished_at_ms - DIRECTORY_AHEAD_MS);
    assert_null(outcome->removed_addresses);
    assert_int_equal(outcome->to.n, 1);
    assert_string_equal(outcome->to.address[0], GIVEN_MANAGER);
    assert_int_equal(outcome->cc.n, 0);
    assert_string_equal(outcome->contact_display_name, "Kari Admin");
    assert_string_equal(outcome->contact_mail, "kari@contoso.com");
    assert_int_equal(outcome->n_operations, 2);
    assert_int_equal(outcome->operations[0].operation, DIRECTORY_RESTORE);
    assert_int_equal(outcome->operations[1].operation, DIRECTORY_SET_PASSWORD);
    assert_string_equal(outcome->operations[1].request_id, "request-id");
}

static void four_calls_are_enough_when_nobody_need_be_looked_up(void **state)
{
    (void)state;
    run.rules.check_requester = false;
    run.rules.reject_privileged_targets = false;
    run.request.has_notify_to = true;
    given_recipients(&run.request.notify_to, "it@contoso.com", NULL);
    assert_story(REASON_RESTORED, "find: yes\n"
                                  "intent: committed\n"
                                  "restore: yes\n"
                                  "password: yes\n"
                                  "read_back: yes\n"
                                  "finish: restored\n");
    assert_int_equal(run.n_calls, 4);
}

static void a_restored_administrator_is_seen_when_read_back(void **state)
{
    (void)state;
    run.rules.reject_privileged_targets = false;
    run.world.n_user_roles = 1;
    assert_story(REASON_RESTORED, "requester: yes\nfind: yes\nintent: committed\nrestore: yes\n"
                                  "manager: yes\npassword: yes\nread_back: yes\n"
                                  "finish: restored\n");
    assert_int_equal(run.job.outcome.todo, TODO_RESTORED_ADMINISTRATOR);
}

static void asked_for_a_list(void)
{
    run.request.mode = MODE_LIST;
    run.request.user = (struct named){0};
    run.script.from = DIRECTORY_LIST_DELETED;
}

static void a_list_is_one_look_into_the_bin(void **state)
{
    (void)state;
    asked_for_a_list();
    text_copy(run.request.match, sizeof run.request.match, "nordmann");
    assert_story(REASON_LISTED, "requester: yes\nlist: yes\nfinish: listed\n");
    const struct user_list *list = run.job.outcome.list;
    assert_int_equal(list->n, 1);
    assert_string_equal(list->users[0].id, GIVEN_USER_ID);
    assert_int_equal(list->users[0].restorable_until_ms, GIVEN_DELETED_AT_MS + 30 * DAY_MS);
    assert_string_equal(run.job.outcome.user_id, "");
}

static void a_list_needs_no_recipient_for_a_password(void **state)
{
    (void)state;
    asked_for_a_list();
    run.rules.secret_words = 0;
    run.rules.n_secret_domains = 0;
    assert_story(REASON_LISTED, "requester: yes\nlist: yes\nfinish: listed\n");
}

static void a_stranger_is_not_told_who_is_deleted(void **state)
{
    (void)state;
    asked_for_a_list();
    run.world.requester_is_nobody = true;
    assert_story(REASON_REQUESTER_NOT_AUTHORIZED,
                 "requester: yes\nfinish: requester_not_authorized\n");
}

static void a_list_is_asked_for_again_while_the_directory_is_busy(void **state)
{
    (void)state;
    asked_for_a_list();
    fault(FAULT_BUSY);
    assert_story(REASON_LISTED, "requester: yes\nlist: busy\nsleep\nlist: yes\nfinish: listed\n");
}

static void a_list_that_is_refused_fails(void **state)
{
    (void)state;
    asked_for_a_list();
    fault(FAULT_DENIED);
    assert_story(REASON_DIRECTORY_DENIED,
                 "requester: yes\nlist: denied\nfinish: directory_denied\n");
}

#define MAY_ASK                                                                                    \
    "requester: yes\n"                                                                             \
    "find: yes\n"                                                                                  \
    "target: not found\n"
#define ADDRESSES                                                                                  \
    "address_users: yes\n"                                                                         \
    "address_groups: yes\n"                                                                        \
    "address_contacts: yes\n"

static void asked_for_a_plan(void)
{
    run.request.mode = MODE_PLAN;
    run.script.from = DIRECTORY_USER_BY_NAME;
}

static void a_plan_reads_and_tells_what_a_restore_would_do(void **state)
{
    (void)state;
    asked_for_a_plan();
    assert_story(REASON_RESTORED, MAY_ASK "holder: not found\n" ADDRESSES "finish: restored\n");
    const struct outcome *outcome = &run.job.outcome;
    assert_int_equal(strlen(outcome->plan_hash), PLAN_HASH_CHARS);
    assert_int_equal(outcome->password, PASSWORD_GENERATED);
    assert_string_equal(outcome->new_user_principal_name, "");
    assert_null(outcome->removed_addresses);
    assert_false(outcome->restored);
    assert_int_equal(outcome->n_operations, 0);
}

static void a_plan_names_the_first_free_name_and_what_would_be_removed(void **state)
{
    (void)state;
    asked_for_a_plan();
    run.world.name_taken = true;
    run.world.n_template_names_taken = 1;
    run.world.address_taken = true;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    assert_story(REASON_RESTORED, MAY_ASK "holder: yes\nholder: yes\nholder: not found\n" ADDRESSES
                                          "finish: restored\n");
    const struct outcome *outcome = &run.job.outcome;
    assert_string_equal(outcome->new_user_principal_name, "ola.3@contoso.com");
    assert_string_equal(outcome->user_principal_name, GIVEN_USER_NAME);
    assert_non_null(outcome->removed_addresses);
    assert_int_equal(outcome->n_conflicts, 0);
}

static void a_plan_tells_the_conflict(void **state)
{
    (void)state;
    asked_for_a_plan();
    run.world.name_taken = true;
    run.world.address_taken = true;
    run.request.address_policy = ADDRESS_POLICY_REJECT;
    assert_story(REASON_NAME_CONFLICT, MAY_ASK "holder: yes\n" ADDRESSES "finish: name_conflict\n");
    const struct outcome *outcome = &run.job.outcome;
    assert_true(outcome->n_conflicts > 1);
    assert_true(outcome->resolution[NAME_POLICY_RENAME_RESTORED]);
    assert_int_equal(strlen(outcome->plan_hash), PLAN_HASH_CHARS);
}

static void a_plan_names_whom_it_would_rename(void **state)
{
    (void)state;
    asked_for_a_plan();
    run.world.name_taken = true;
    run.world.n_template_names_taken = 1;
    run.rules.name_policy_allowed[NAME_POLICY_RENAME_ACTIVE] = true;
    run.request.name_policy = NAME_POLICY_RENAME_ACTIVE;
    assert_story(REASON_RESTORED, MAY_ASK "holder: yes\nholder_roles: not found\nholder: yes\n"
                                          "holder: not found\n" ADDRESSES "finish: restored\n");
    const struct freed_user *freed = &run.job.outcome.freed;
    assert_int_equal(freed->how, FREED_RENAMED);
    assert_string_equal(freed->from, GIVEN_USER_NAME);
    assert_string_equal(freed->to, "ola.3@contoso.com");
    assert_int_equal(freed->told.n, 0);
}

static void a_plan_would_not_replace_an_administrator(void **state)
{
    (void)state;
    asked_for_a_plan();
    run.world.name_taken = true;
    run.world.n_holder_roles = 1;
    run.rules.name_policy_allowed[NAME_POLICY_REPLACE_ACTIVE] = true;
    run.request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    assert_story(REASON_NAME_CONFLICT,
                 MAY_ASK "holder: yes\nholder_roles: yes\n" ADDRESSES "finish: name_conflict\n");
    assert_int_equal(run.job.outcome.freed.how, FREED_NOBODY);
}

static void a_plan_without_all_the_facts_has_no_hash(void **state)
{
    (void)state;
    asked_for_a_plan();
    run.script.from = DIRECTORY_GROUPS_BY_ADDRESS;
    fault(FAULT_DENIED);
    assert_story(REASON_DIRECTORY_DENIED,
                 MAY_ASK "holder: not found\naddress_users: yes\naddress_groups: denied\n"
                         "address_contacts: yes\nfinish: directory_denied\n");
    assert_string_equal(run.job.outcome.plan_hash, "");
}

static void a_plan_of_a_stranger_reads_nobody(void **state)
{
    (void)state;
    asked_for_a_plan();
    run.world.requester_is_nobody = true;
    assert_story(REASON_REQUESTER_NOT_AUTHORIZED,
                 "requester: yes\nfinish: requester_not_authorized\n");
}

/* The hash of a plan for the situation that `run` is in. */
static void plan_first(void)
{
    char hash[PLAN_HASH_CHARS + 1];
    run.request.mode = MODE_PLAN;
    run.traced = false;
    run_restore(&run);
    assert_null(run.broken);
    memcpy(hash, run.job.outcome.plan_hash, sizeof hash);
    assert_string_not_equal(hash, "");
    run.request.mode = MODE_RESTORE;
    run.traced = true;
    memcpy(run.request.plan_hash, hash, sizeof hash);
}

static void a_restore_with_its_plans_hash_is_carried_out(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    plan_first();
    assert_story(REASON_RESTORED, MAY_ASK "holder: yes\nholder: not found\n" ADDRESSES
                                          "intent: committed\nrestore: yes\n" DELIVERED);
    assert_string_equal(run.job.outcome.user_principal_name, "ola.2@contoso.com");
}

static void a_hash_knows_no_clock_and_no_requester(void **state)
{
    (void)state;
    plan_first();
    run.request.requested_by.by = NAMED_BY_NAME;
    text_copy(run.request.requested_by.text, sizeof run.request.requested_by.text,
              "another@contoso.com");
    run.rules.request_deadline_ms += HOUR_MS;
    run.rules.retention_days--;
    run.rules.secret_words |= RECIPIENT_REQUESTER;
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
}

static void other_facts_make_the_plan_stale_before_anything_is_announced(void **state)
{
    (void)state;
    plan_first();
    run.world.name_taken = true;
    assert_story(REASON_PLAN_STALE, MAY_ASK "holder: yes\n" ADDRESSES "finish: plan_stale\n");
    assert_int_equal(run.world.n_restored, 0);
}

static void another_policy_makes_the_plan_stale(void **state)
{
    (void)state;
    plan_first();
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    assert_story(REASON_PLAN_STALE, MAY_ASK "holder: not found\n" ADDRESSES "finish: plan_stale\n");
}

/* What was begun by the plan is finished, though the restored user bears the name by now. */
static void a_planned_restore_that_was_announced_is_finished(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.rules.name_policy_allowed[NAME_POLICY_REPLACE_ACTIVE] = true;
    run.request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    const struct world given = run.world;
    plan_first();
    for (int action = 0; action < 16; action++) {
        run.world = given;
        crash(action, CRASH_AFTER);
        run_restore(&run);
        if (run.broken != NULL)
            fail_msg("crash after action %d: %s\n%s", action, run.broken, run.trace);
        assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
    }
}

static void a_lost_reply_is_looked_for_among_the_active(void **state)
{
    (void)state;
    fault(FAULT_LOST_AFTER);
    assert_story(REASON_RESTORED, FOUND "restore: unknown\n"
                                        "sleep\n"
                                        "confirm: yes\n" DELIVERED);
    assert_string_equal(run.job.outcome.operations[0].request_id, "request-id");
}

static void a_lost_call_is_repeated_when_the_bin_says_so_twice(void **state)
{
    (void)state;
    fault(FAULT_LOST_BEFORE);
    assert_story(REASON_RESTORED, FOUND "restore: unknown\n"
                                        "sleep\n"
                                        "confirm: not found\n"
                                        "confirm_bin: yes\n"
                                        "sleep\n"
                                        "confirm: not found\n"
                                        "confirm_bin: yes\n"
                                        "restore: yes\n" DELIVERED);
}

static void whoever_is_neither_deleted_nor_active_needs_hands(void **state)
{
    (void)state;
    run.world.lag_ms = HOUR_MS;
    fault(FAULT_LOST_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_NEEDS_HANDS);
    assert_int_equal(run.job.now.mono_ms - run.job.doubt_since_mono_ms, JOB_LAG_MS + 2 * CALL_MS);
    assert_false(run.job.outcome.restored);
}

static void an_unproven_intent_is_committed_again(void **state)
{
    (void)state;
    fault(FAULT_UNPROVEN);
    assert_story(REASON_RESTORED, FOUND "restore: unproven\n"
                                        "intent: committed\n"
                                        "restore: yes\n" DELIVERED);
}

static void a_busy_directory_is_asked_the_same_later(void **state)
{
    (void)state;
    fault(FAULT_BUSY);
    assert_story(REASON_RESTORED, FOUND "restore: busy\n"
                                        "sleep\n"
                                        "restore: yes\n" DELIVERED);
    assert_true(run.job.outcome.finished_at_ms - GIVEN_NOW_MS > 7 * SECOND_MS);
}

#define FOUND_AGAIN                                                                                \
    "requester: yes\n"                                                                             \
    "find: yes\n"                                                                                  \
    "target: not found\n"

static void a_restore_put_off_for_long_asks_the_rules_again(void **state)
{
    (void)state;
    run.world.retry_after_ms = JOB_ROLES_FRESH_MS + SECOND_MS;
    fault(FAULT_BUSY);
    assert_story(REASON_RESTORED, FOUND "restore: busy\n"
                                        "sleep\n" FOUND_AGAIN "restore: yes\n" DELIVERED);
}

static void a_new_name_and_a_lost_address_are_kept_over_it(void **state)
{
    (void)state;
    run.world.name_taken = run.world.address_taken = true;
    run.world.n_template_names_taken = 1;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    run.world.retry_after_ms = JOB_ROLES_FRESH_MS + SECOND_MS;
    for (int i = 0; i < 3; i++)
        fault(FAULT_NONE);
    fault(FAULT_BUSY);
    assert_story(REASON_RESTORED, FOUND "restore: name taken\n"
                                        "restore: name taken\n"
                                        "restore: address taken\n"
                                        "restore: busy\n"
                                        "sleep\n" FOUND_AGAIN "restore: yes\n" DELIVERED);
    assert_string_equal(run.job.outcome.user_principal_name, "ola.3@contoso.com");
    assert_int_equal(run.job.outcome.removed_addresses->n, 1);
}

static void roles_read_for_another_job_age_all_the_same(void **state)
{
    (void)state;
    run.world.requester_read_ago_ms = MINUTE_MS - 2 * CALL_MS;
    assert_story(REASON_RESTORED, "requester: yes\n"
                                  "find: yes\n"
                                  "target: not found\n" FOUND "restore: yes\n" DELIVERED);
}

static void a_lagging_replica_costs_time_and_not_the_password(void **state)
{
    (void)state;
    run.world.lag_ms = 250;
    assert_story(REASON_RESTORED, FOUND "restore: yes\n"
                                        "manager: not found\n"
                                        "visible: not found\n"
                                        "sleep\n"
                                        "visible: yes\n" DELIVERED);
}

static void who_has_no_manager_gets_no_password(void **state)
{
    (void)state;
    run.world.manager_is_nobody = true;
    assert_story(REASON_RESTORED, FOUND "restore: yes\n"
                                        "manager: not found\n"
                                        "visible: yes\n"
                                        "manager: not found\n"
                                        "read_back: yes\n"
                                        "finish: restored\n");
    assert_int_equal(run.job.outcome.password, PASSWORD_LEFT);
    assert_int_equal(run.job.outcome.todo, TODO_PASSWORD_NOT_SET);
    assert_int_equal(run.job.outcome.to.n, 0);
}

static void a_refused_password_is_left_to_do(void **state)
{
    (void)state;
    run.world.password_refused = true;
    assert_story(REASON_RESTORED, FOUND "restore: yes\n"
                                        "manager: yes\n"
                                        "password: rejected\n"
                                        "read_back: yes\n"
                                        "finish: restored\n");
    assert_int_equal(run.job.outcome.password, PASSWORD_LEFT);
    assert_int_equal(run.job.outcome.todo, TODO_PASSWORD_NOT_SET);
    assert_int_equal(run.job.outcome.to.n, 1); /* told of the restore, without a secret */
}

static void a_lost_password_shows_in_the_date_of_its_change(void **state)
{
    (void)state;
    run.script.from = DIRECTORY_SET_PASSWORD;
    fault(FAULT_LOST_AFTER);
    assert_story(REASON_RESTORED, FOUND "restore: yes\n"
                                        "manager: yes\n"
                                        "password: unknown\n"
                                        "sleep\n"
                                        "confirm_password: yes\n"
                                        "read_back: yes\n"
                                        "finish: restored\n");
    assert_int_equal(run.world.n_password_writes, 1);
}

static void a_taken_name_is_a_conflict_with_its_holder(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.rules.notify_on_conflict = true;
    run.request.has_notify_to = true;
    given_recipients(&run.request.notify_to, "it@contoso.com", "manager");
    assert_story(REASON_NAME_CONFLICT, FOUND "restore: name taken\n"
                                             "holder: yes\n"
                                             "finish: name_conflict\n");
    const struct outcome *outcome = &run.job.outcome;
    assert_int_equal(outcome->n_conflicts, 1);
    assert_int_equal(outcome->conflicts[0].property, CONFLICT_USER_PRINCIPAL_NAME);
    assert_string_equal(outcome->conflicts[0].value, GIVEN_USER_NAME);
    assert_int_equal(outcome->conflicts[0].holder.type, HOLDER_USER);
    assert_string_equal(outcome->conflicts[0].holder.id, "77777777-0000-0000-0000-000000000000");
    assert_true(outcome->resolution[NAME_POLICY_RENAME_RESTORED]);
    assert_int_equal(outcome->password, PASSWORD_UNTOUCHED);
    assert_int_equal(outcome->to.n, 1); /* whose manager cannot be read in the bin */
}

static void the_first_free_name_of_the_template_is_taken(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.world.n_template_names_taken = 2;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    assert_story(REASON_RESTORED, FOUND "restore: name taken\n"
                                        "restore: name taken\n"
                                        "restore: name taken\n"
                                        "restore: yes\n" DELIVERED);
    assert_string_equal(run.job.outcome.user_principal_name, "ola.4@contoso.com");
    assert_string_equal(run.job.outcome.before->user_principal_name, GIVEN_USER_NAME);
}

static void a_template_without_a_free_name_is_a_conflict(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.world.n_template_names_taken = RENAME_NUMBER_LAST;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_NAME_CONFLICT);
    assert_int_equal(run.job.n_calls[DIRECTORY_RESTORE], 20); /* the plain name and 2..20 */
    assert_string_equal(run.job.outcome.conflicts[0].value, GIVEN_USER_NAME);
    assert_false(run.job.outcome.resolution[NAME_POLICY_RENAME_RESTORED]);
    assert_int_equal(run.job.outcome.n_operations, 20);
}

static void a_new_name_is_tried_once(void **state)
{
    (void)state;
    run.world.name_taken = run.world.new_name_taken = true;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    text_copy(run.request.new_user_principal_name, sizeof run.request.new_user_principal_name,
              "ola.n@contoso.com");
    assert_story(REASON_NAME_CONFLICT, FOUND "restore: name taken\n"
                                             "restore: name taken\n"
                                             "holder: yes\n"
                                             "finish: name_conflict\n");
    assert_string_equal(run.job.outcome.conflicts[0].value, "ola.n@contoso.com");
    assert_true(run.job.outcome.resolution[NAME_POLICY_RENAME_RESTORED]); /* by the template */
}

static void a_clashing_address_is_removed_and_told(void **state)
{
    (void)state;
    run.world.address_taken = true;
    assert_story(REASON_RESTORED, FOUND "restore: address taken\n"
                                        "restore: yes\n" DELIVERED);
    const struct string_list *removed = run.job.outcome.removed_addresses;
    assert_non_null(removed);
    assert_int_equal(removed->n, 1);
    assert_string_equal(string_list_next(removed, NULL), "smtp:ola.nordmann@contoso.com");
}

static void a_clashing_address_is_a_conflict_if_nothing_may_be_removed(void **state)
{
    (void)state;
    run.world.address_taken = true;
    run.request.address_policy = ADDRESS_POLICY_REJECT;
    assert_story(REASON_ADDRESS_CONFLICT, FOUND "restore: address taken\n"
                                                "address_users: yes\n"
                                                "address_groups: yes\n"
                                                "address_contacts: yes\n"
                                                "finish: address_conflict\n");
    assert_int_equal(run.job.outcome.n_conflicts, 1);
    const struct conflict *conflict = &run.job.outcome.conflicts[0];
    assert_int_equal(conflict->property, CONFLICT_PROXY_ADDRESSES);
    assert_string_equal(conflict->value, "smtp:ola.nordmann@contoso.com");
    assert_int_equal(conflict->holder.type, HOLDER_GROUP);
    assert_true(run.job.outcome.resolution_remove);
}

static void the_loser_of_a_race_leaves_the_password_alone(void **state)
{
    (void)state;
    run.world.another_restores_at_ms = HOUR_MS + 350;
    assert_story(REASON_ALREADY_ACTIVE, FOUND "restore: not found\n"
                                              "find_active: yes\n"
                                              "finish: already-active\n");
    assert_int_equal(run.world.n_password_writes, 0);
    assert_int_equal(run.job.outcome.to.n, 0);
}

static void a_worker_that_died_after_the_restore_is_continued(void **state)
{
    (void)state;
    crash(4, CRASH_AFTER);
    assert_story(REASON_RESTORED, FOUND "crash\n"
                                        "sleep\n"
                                        "resume: yes\n"
                                        "requester: yes\n"
                                        "manager: yes\n"
                                        "intent: committed\n"
                                        "password: yes\n"
                                        "read_back: yes\n"
                                        "finish: restored\n");
    assert_int_equal(run.job.outcome.started_at_ms, GIVEN_NOW_MS);
}

static void a_worker_that_died_before_the_restore_asks_the_rules_again(void **state)
{
    (void)state;
    crash(4, CRASH_BEFORE);
    assert_story(REASON_RESTORED, FOUND "crash\n"
                                        "sleep\n"
                                        "resume: not found\n"
                                        "resume_bin: yes\n"
                                        "sleep\n"
                                        "resume: not found\n"
                                        "resume_bin: yes\n" FOUND "restore: yes\n" DELIVERED);
}

static void a_new_name_survives_a_crash(void **state)
{
    (void)state;
    run.world.name_taken = true;
    run.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    crash(5, CRASH_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
    assert_string_equal(run.job.outcome.user_principal_name, "ola.2@contoso.com");
    assert_int_equal(run.n_incarnations, 2);
}

static void removed_addresses_survive_a_crash(void **state)
{
    (void)state;
    run.world.address_taken = true;
    crash(5, CRASH_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
    assert_int_equal(run.job.outcome.removed_addresses->n, 1);
    assert_int_equal(run.n_incarnations, 2);
}

static void past_the_deadline_a_resumed_restore_sets_no_password(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    crash(4, CRASH_AFTER);
    assert_story(REASON_RESTORED, FOUND "crash\n"
                                        "sleep\n"
                                        "resume: yes\n"
                                        "requester: yes\n"
                                        "manager: yes\n"
                                        "read_back: yes\n"
                                        "finish: restored\n");
    assert_int_equal(run.job.outcome.todo, TODO_PASSWORD_NOT_SET);
    assert_int_equal(run.world.n_password_writes, 0);
}

static void past_the_deadline_nobody_is_restored_any_more(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    crash(4, CRASH_BEFORE);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_DEADLINE_EXCEEDED);
    assert_int_equal(run.world.place, PLACE_BIN);
}

static void outage(int64_t from_ms, int64_t until_ms)
{
    run.world.open_from_ms = from_ms;
    run.world.open_until_ms = until_ms;
}

/* Nineteen seconds of outage and then a Retry-After of seven, with twenty seconds of time. */
static void an_outage_costs_a_job_no_time(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    outage(CALL_MS, 19 * SECOND_MS);
    fault(FAULT_BUSY);
    struct world world = run.world;
    run_restore(&run);
    assert_null(run.broken);
    assert_true(run.n_held > 20);
    assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
    assert_true(run.world.now_ms - HOUR_MS > run.rules.request_deadline_ms);

    run.world = world;
    run.control = CONTROL_TIME_RUNS;
    run_restore(&run);
    assert_int_equal(run.job.outcome.reason, REASON_DIRECTORY_UNAVAILABLE);
}

static void an_outage_gives_a_job_its_deadline_once_more_and_no_longer(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    outage(CALL_MS, HOUR_MS);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_DIRECTORY_UNAVAILABLE);
    assert_in_range(run.world.now_ms - HOUR_MS, 39 * SECOND_MS, 40 * SECOND_MS);
    assert_int_equal(run.world.place, PLACE_BIN);
}

static void an_outage_after_a_lost_restore_ends_in_hands_at_last(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    outage(SECOND_MS / 2, HOUR_MS); /* the restore is on the wire, and done */
    fault(FAULT_LOST_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.world.n_restored, 1);
    assert_int_equal(run.job.outcome.reason, REASON_NEEDS_HANDS);
    assert_in_range(run.world.now_ms - HOUR_MS, 159 * SECOND_MS, 161 * SECOND_MS);
}

static int count(const char *trace, const char *line)
{
    int n = 0;
    for (; (trace = strstr(trace, line)) != NULL; trace++)
        n++;
    return n;
}

/* It may begin at any moment of a restore. Roles that grew old meanwhile are read again. */
static void an_outage_at_any_moment_delays_a_restore_and_no_more(void **state)
{
    (void)state;
    enum { LENGTH_MS = 70 * SECOND_MS };
    struct world world = run.world;
    for (int from_ms = 0; from_ms < SECOND_MS; from_ms += CALL_MS / 4) {
        run.world = world;
        outage(from_ms, from_ms + LENGTH_MS);
        run_restore(&run);
        assert_null(run.broken);
        assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
        assert_int_equal(run.world.n_password_writes, 1);
        assert_int_equal(count(run.trace, "intent: committed"), 1);
        assert_true(run.world.now_ms - HOUR_MS <= from_ms + LENGTH_MS + HELD_MS + 2 * SECOND_MS);
    }
}

static void a_pause_costs_a_job_no_time(void **state)
{
    (void)state;
    run.rules.request_deadline_ms = 20 * SECOND_MS;
    run.world.paused_from_ms = CALL_MS;
    run.world.paused_until_ms = 30 * SECOND_MS;
    run.world.retry_after_ms = 25 * SECOND_MS;
    fault(FAULT_BUSY);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
    assert_true(run.world.now_ms - HOUR_MS > run.rules.request_deadline_ms);
}

/* A bin that shows the user for longer than JOB_CERTAIN_MS: the restore is the arbiter. */
static void a_bin_that_lags_costs_a_call_and_no_more(void **state)
{
    (void)state;
    run.world.bin_lag_ms = 14 * SECOND_MS;
    run.world.lag_ms = 17 * SECOND_MS;
    fault(FAULT_LOST_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_RESTORED);
    assert_int_equal(run.job.outcome.password, PASSWORD_GENERATED);
    assert_int_equal(run.job.n_calls[DIRECTORY_RESTORE], 2);
    assert_int_equal(run.world.n_restored, 1);
}

/* Within the five minutes that clocks may differ by, too: the bin's date is another than it was. */
static void who_is_deleted_again_after_a_crash_stays_deleted(void **state)
{
    (void)state;
    run.world.deleted_again_after_ms = SECOND_MS;
    crash(4, CRASH_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_TOO_OLD);
    assert_int_equal(run.world.n_restored, 1);
    assert_int_equal(run.world.place, PLACE_BIN);
    assert_int_equal(run.job.outcome.before->deleted_at_ms, run.world.deleted_at_ms);
}

static void who_is_deleted_again_after_a_lost_restore_stays_deleted(void **state)
{
    (void)state;
    run.world.deleted_again_after_ms = SECOND_MS;
    fault(FAULT_LOST_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_TOO_OLD);
    assert_int_equal(run.world.n_restored, 1);
    assert_int_equal(run.world.place, PLACE_BIN);
}

static void who_vanishes_after_a_lost_restore_needs_hands(void **state)
{
    (void)state;
    run.world.bin_lag_ms = 14 * SECOND_MS;
    run.world.lag_ms = HOUR_MS;
    fault(FAULT_LOST_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_NEEDS_HANDS);
}

static void who_vanishes_after_a_crash_needs_hands(void **state)
{
    (void)state;
    /* gone between the second look into the bin and the search that the rules ask for */
    run.world.bin_lag_ms =
        RESTART_MS + PROOF_MS + REQUEST_TIMEOUT_MS + JOB_CERTAIN_MS + 3 * CALL_MS;
    run.world.lag_ms = HOUR_MS;
    crash(4, CRASH_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.reason, REASON_NEEDS_HANDS);
    assert_int_equal(run.job.n_calls[DIRECTORY_DELETED_BY_ID] > 2, true);
    assert_int_equal(run.job.n_calls[DIRECTORY_RESTORE], 0);
}

static void the_dead_workers_password_is_not_taken_for_ours(void **state)
{
    (void)state;
    crash(6, CRASH_AFTER); /* requester, find, target, intent, restore, manager, password */
    run.script.from = DIRECTORY_SET_PASSWORD;
    fault(FAULT_LOST_BEFORE);
    assert_story(REASON_RESTORED, FOUND "restore: yes\n"
                                        "manager: yes\n"
                                        "crash\n"
                                        "sleep\n"
                                        "resume: yes\n"
                                        "requester: yes\n"
                                        "manager: yes\n"
                                        "intent: committed\n"
                                        "password: unknown\n"
                                        "sleep\n"
                                        "confirm_password: yes\n"
                                        "sleep\n"
                                        "confirm_password: yes\n"
                                        "password: yes\n"
                                        "read_back: yes\n"
                                        "finish: restored\n");
    assert_int_equal(run.world.password, 2);
}

/* Were that replica's date taken for the one before, the dead worker's would look like ours. */
static void nor_when_a_replica_hid_it(void **state)
{
    (void)state;
    crash(6, CRASH_AFTER);
    run.script.from = DIRECTORY_USER_BY_ID;
    fault(FAULT_STALE); /* resume */
    fault(FAULT_NONE);  /* requester */
    fault(FAULT_NONE);  /* manager */
    fault(FAULT_LOST_BEFORE);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.password, PASSWORD_GENERATED);
    assert_int_equal(run.world.password, 2);
}

static void a_resumed_jobs_lost_password_is_set_again_until_answered(void **state)
{
    (void)state;
    crash(4, CRASH_AFTER);
    run.script.from = DIRECTORY_SET_PASSWORD;
    fault(FAULT_LOST_AFTER);
    run_restore(&run);
    assert_null(run.broken);
    assert_int_equal(run.job.outcome.password, PASSWORD_GENERATED);
    assert_int_equal(run.world.n_password_writes, 2);
}

#define STORY(name) cmocka_unit_test_setup(name, the_plain_case)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_plain_restore),
        STORY(four_calls_are_enough_when_nobody_need_be_looked_up),
        STORY(a_restored_administrator_is_seen_when_read_back),
        STORY(a_list_is_one_look_into_the_bin),
        STORY(a_list_needs_no_recipient_for_a_password),
        STORY(a_stranger_is_not_told_who_is_deleted),
        STORY(a_list_is_asked_for_again_while_the_directory_is_busy),
        STORY(a_list_that_is_refused_fails),
        STORY(a_plan_reads_and_tells_what_a_restore_would_do),
        STORY(a_plan_names_the_first_free_name_and_what_would_be_removed),
        STORY(a_plan_tells_the_conflict),
        STORY(a_plan_names_whom_it_would_rename),
        STORY(a_plan_would_not_replace_an_administrator),
        STORY(a_plan_without_all_the_facts_has_no_hash),
        STORY(a_plan_of_a_stranger_reads_nobody),
        STORY(a_restore_with_its_plans_hash_is_carried_out),
        STORY(a_hash_knows_no_clock_and_no_requester),
        STORY(other_facts_make_the_plan_stale_before_anything_is_announced),
        STORY(another_policy_makes_the_plan_stale),
        STORY(a_planned_restore_that_was_announced_is_finished),
        STORY(a_lost_reply_is_looked_for_among_the_active),
        STORY(a_lost_call_is_repeated_when_the_bin_says_so_twice),
        STORY(whoever_is_neither_deleted_nor_active_needs_hands),
        STORY(an_unproven_intent_is_committed_again),
        STORY(a_busy_directory_is_asked_the_same_later),
        STORY(a_restore_put_off_for_long_asks_the_rules_again),
        STORY(a_new_name_and_a_lost_address_are_kept_over_it),
        STORY(roles_read_for_another_job_age_all_the_same),
        STORY(a_lagging_replica_costs_time_and_not_the_password),
        STORY(who_has_no_manager_gets_no_password),
        STORY(a_refused_password_is_left_to_do),
        STORY(a_lost_password_shows_in_the_date_of_its_change),
        STORY(a_taken_name_is_a_conflict_with_its_holder),
        STORY(the_first_free_name_of_the_template_is_taken),
        STORY(a_template_without_a_free_name_is_a_conflict),
        STORY(a_new_name_is_tried_once),
        STORY(a_clashing_address_is_removed_and_told),
        STORY(a_clashing_address_is_a_conflict_if_nothing_may_be_removed),
        STORY(the_loser_of_a_race_leaves_the_password_alone),
        STORY(a_worker_that_died_after_the_restore_is_continued),
        STORY(a_worker_that_died_before_the_restore_asks_the_rules_again),
        STORY(a_new_name_survives_a_crash),
        STORY(removed_addresses_survive_a_crash),
        STORY(past_the_deadline_a_resumed_restore_sets_no_password),
        STORY(past_the_deadline_nobody_is_restored_any_more),
        STORY(an_outage_costs_a_job_no_time),
        STORY(an_outage_gives_a_job_its_deadline_once_more_and_no_longer),
        STORY(an_outage_after_a_lost_restore_ends_in_hands_at_last),
        STORY(an_outage_at_any_moment_delays_a_restore_and_no_more),
        STORY(a_pause_costs_a_job_no_time),
        STORY(a_bin_that_lags_costs_a_call_and_no_more),
        STORY(who_is_deleted_again_after_a_crash_stays_deleted),
        STORY(who_is_deleted_again_after_a_lost_restore_stays_deleted),
        STORY(who_vanishes_after_a_lost_restore_needs_hands),
        STORY(who_vanishes_after_a_crash_needs_hands),
        STORY(the_dead_workers_password_is_not_taken_for_ours),
        STORY(nor_when_a_replica_hid_it),
        STORY(a_resumed_jobs_lost_password_is_set_again_until_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

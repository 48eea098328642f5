/* Freeing a name, question by question: what tests/sim cannot make happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/job.h"
#include "tests/unit/policy/given.h"

#define HOLDER_ID "77777777-0000-0000-0000-000000000000"

static struct policy_rules rules;
static struct job job;
static struct directory_answer answer;
static struct job_action action;
static struct user_facts before;
static struct intent intent;
static int64_t passed_ms;
static struct recent_restores recent;

static int the_name_is_to_be_free(void **state)
{
    (void)state;
    given_rules(&rules);
    given_request(&job.request);
    rules.name_policy_allowed[NAME_POLICY_RENAME_ACTIVE] = true;
    rules.name_policy_allowed[NAME_POLICY_REPLACE_ACTIVE] = true;
    job.request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    passed_ms = 0;
    recent = (struct recent_restores){0};
    return 0;
}

static struct instant now(void)
{
    return (struct instant){.wall_ms = GIVEN_NOW_MS + passed_ms,
                            .directory_ms = GIVEN_NOW_MS + passed_ms,
                            .mono_ms = HOUR_MS + passed_ms};
}

static void step(enum job_event_type type)
{
    action = job_step(
        &job, &(struct job_event){.type = type, .now = now(), .answer = &answer, .recent = recent});
}

static void answered(enum directory_status status)
{
    assert_int_equal(action.type, JOB_ASK);
    answer.status = status;
    step(JOB_ANSWERED);
    user_facts_clear(&answer.user);
    answer.n_roles = 0;
}

static void committed(void)
{
    assert_int_equal(action.type, JOB_COMMIT);
    step(JOB_COMMITTED);
}

static void woken(void)
{
    assert_int_equal(action.type, JOB_SLEEP);
    passed_ms = action.until_mono_ms - HOUR_MS;
    step(JOB_WOKEN);
}

static void assert_asks(enum directory_operation operation, const char *id)
{
    assert_int_equal(action.type, JOB_ASK);
    assert_string_equal(directory_operation_name(job.question.operation),
                        directory_operation_name(operation));
    assert_string_equal(job.question.id, id);
}

static void assert_ends(enum reason reason)
{
    assert_int_equal(action.type, JOB_FINISH);
    assert_string_equal(reason_code(job.outcome.reason), reason_code(reason));
}

static void holder(const char *name)
{
    given_user(&answer.user);
    text_copy(answer.user.id, sizeof answer.user.id, HOLDER_ID);
    text_copy(answer.user.user_principal_name, sizeof answer.user.user_principal_name, name);
    answer.user.deleted_at_ms = 0;
}

static void authorised_and_found(void)
{
    assert_asks(DIRECTORY_REQUESTER, GIVEN_REQUESTER_ID);
    given_requester(&answer.requester);
    answered(DIRECTORY_YES);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    answered(DIRECTORY_NOT_FOUND); /* no roles */
}

static void up_to_the_change_of_the_holder(void)
{
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    authorised_and_found();
    committed();
    answered(DIRECTORY_NAME_TAKEN);
    holder(GIVEN_USER_NAME);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_TARGET_ROLES, HOLDER_ID);
    answered(DIRECTORY_NOT_FOUND);
    assert_int_equal(job.intent.phase, INTENT_FREE);
    committed();
}

static void resume(enum intent_phase phase, const char *to)
{
    given_user(&before);
    intent = (struct intent){.name_policy = job.request.name_policy,
                             .address_policy = ADDRESS_POLICY_REMOVE,
                             .phase = phase,
                             .refusal = phase == INTENT_UNDO ? REASON_NAME_CONFLICT : REASON_OK,
                             .user = &before,
                             .started_at_ms = GIVEN_NOW_MS};
    text_copy(intent.rename_template, sizeof intent.rename_template, rules.rename_template);
    text_copy(intent.holder.id, sizeof intent.holder.id, HOLDER_ID);
    text_copy(intent.holder.from, sizeof intent.holder.from, GIVEN_USER_NAME);
    text_copy(intent.holder.to, sizeof intent.holder.to, to);
    job_init(&job, &rules, 1);
    action = job_step(&job, &(struct job_event){.type = JOB_RESUMED,
                                                .now = now(),
                                                .intent = &intent,
                                                .settled_at_mono_ms = HOUR_MS});
}

/* Not active, and seen in the bin twice: the earlier incarnation did not restore him. */
static void still_in_the_bin(void)
{
    for (int look = 0; look < 2; look++) {
        answered(DIRECTORY_NOT_FOUND);
        given_user(&answer.user);
        answered(DIRECTORY_YES);
        if (action.type == JOB_SLEEP)
            woken();
    }
}

/* Resumed: the user is in the bin for certain, and the rules agree again. */
static void resume_up_to_the_holder(const char *to)
{
    resume(INTENT_FREE, to);
    still_in_the_bin();
    authorised_and_found();
    assert_asks(DIRECTORY_USER_BY_ID, HOLDER_ID);
}

static void a_replaced_holder_who_is_gone_needs_hands(void **state)
{
    (void)state;
    resume_up_to_the_holder("");
    int64_t from_ms = passed_ms;
    while (action.type != JOB_FINISH) {
        answered(DIRECTORY_NOT_FOUND);
        if (action.type == JOB_SLEEP)
            woken();
    }
    assert_ends(REASON_NEEDS_HANDS);
    assert_true(passed_ms - from_ms <= JOB_LAG_MS);
    assert_int_equal(job.n_calls[DIRECTORY_RESTORE], 0);
    assert_int_equal(job.n_calls[DIRECTORY_DELETE_USER], 0);
}

static void a_holder_of_another_name_is_left_alone(void **state)
{
    (void)state;
    resume_up_to_the_holder("");
    holder("somebody.else@contoso.com");
    answered(DIRECTORY_YES);
    committed();
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
    answered(DIRECTORY_REJECTED);
    assert_ends(REASON_DIRECTORY_REJECTED); /* nothing was ours to undo */
}

static void a_renamed_holder_who_is_gone_leaves_it_to_the_restore(void **state)
{
    (void)state;
    job.request.name_policy = NAME_POLICY_RENAME_ACTIVE;
    resume_up_to_the_holder("ola.2@contoso.com");
    while (job.question.operation == DIRECTORY_USER_BY_ID) {
        answered(DIRECTORY_NOT_FOUND);
        if (action.type == JOB_SLEEP)
            woken();
    }
    assert_int_equal(job.freeing, FREEING_NONE);
    assert_asks(DIRECTORY_REQUESTER, GIVEN_REQUESTER_ID); /* two minutes later: all anew */
}

static void a_holder_whom_the_rules_protect_by_now_is_left_alone(void **state)
{
    (void)state;
    resume_up_to_the_holder("");
    holder(GIVEN_USER_NAME);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_TARGET_ROLES, HOLDER_ID);
    answer.n_roles = 1;
    answered(DIRECTORY_YES);
    assert_ends(REASON_NAME_CONFLICT);
    assert_int_equal(job.outcome.n_conflicts, 1);
    assert_string_equal(job.outcome.conflicts[0].value, GIVEN_USER_NAME);
    assert_string_equal(job.outcome.conflicts[0].holder.id, HOLDER_ID);
    assert_false(job.outcome.resolution[NAME_POLICY_REPLACE_ACTIVE]);
}

/* The request left it to the configuration, which no longer allows it. */
static void a_plan_that_is_no_longer_in_force_is_not_begun(void **state)
{
    (void)state;
    resume(INTENT_FREE, "ola.2@contoso.com");
    job.request.name_policy = NAME_POLICY_ABSENT;
    still_in_the_bin();
    authorised_and_found();
    assert_asks(DIRECTORY_USER_BY_ID, HOLDER_ID);
    holder(GIVEN_USER_NAME);
    answered(DIRECTORY_YES);
    committed();
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
}

static void a_stranger_after_a_kill_gets_the_name_given_back(void **state)
{
    (void)state;
    job.request.name_policy = NAME_POLICY_RENAME_ACTIVE;
    resume(INTENT_FREE, "ola.2@contoso.com");
    still_in_the_bin();
    given_requester(&answer.requester);
    answer.requester.n_roles = 0;
    answered(DIRECTORY_YES);
    assert_int_equal(action.type, JOB_COMMIT);
    assert_int_equal(job.intent.phase, INTENT_UNDO);
    assert_int_equal(job.intent.refusal, REASON_REQUESTER_NOT_AUTHORIZED);
    committed();
    holder("ola.2@contoso.com");
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_RENAME_USER, HOLDER_ID);
    assert_string_equal(job.question.new_user_principal_name, GIVEN_USER_NAME);
    answered(DIRECTORY_YES);
    assert_ends(REASON_REQUESTER_NOT_AUTHORIZED);
}

static void anothers_name_is_not_undone(void **state)
{
    (void)state;
    job.request.name_policy = NAME_POLICY_RENAME_ACTIVE;
    resume(INTENT_UNDO, "ola.2@contoso.com");
    passed_ms = JOB_CERTAIN_MS;
    holder("third.name@contoso.com");
    answered(DIRECTORY_YES);
    assert_ends(REASON_NEEDS_HANDS);
}

static void a_verdict_that_survives_a_kill_has_its_conflict(void **state)
{
    (void)state;
    resume(INTENT_UNDO, "");
    passed_ms = JOB_CERTAIN_MS;
    holder(GIVEN_USER_NAME);
    answered(DIRECTORY_YES);
    assert_ends(REASON_NAME_CONFLICT);
    assert_int_equal(job.outcome.n_conflicts, 1);
    assert_string_equal(job.outcome.conflicts[0].value, GIVEN_USER_NAME);
    assert_int_equal(job.outcome.conflicts[0].holder.type, HOLDER_UNKNOWN);
}

static void a_holder_who_was_put_off_needs_fresh_roles(void **state)
{
    (void)state;
    up_to_the_change_of_the_holder();
    assert_asks(DIRECTORY_DELETE_USER, HOLDER_ID);
    answer.retry_after_ms = JOB_ROLES_FRESH_MS + SECOND_MS;
    answered(DIRECTORY_BUSY);
    answer.retry_after_ms = 0;
    woken();
    assert_asks(DIRECTORY_REQUESTER, GIVEN_REQUESTER_ID);
}

/* Who is not asked about has no roles to grow old; the facts about the others do. */
static void a_holder_who_was_put_off_is_looked_for_again_whoever_asks(void **state)
{
    (void)state;
    rules.check_requester = false;
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    assert_asks(DIRECTORY_DELETED_BY_ID, GIVEN_USER_ID);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    answered(DIRECTORY_NOT_FOUND);
    committed();
    answered(DIRECTORY_NAME_TAKEN);
    holder(GIVEN_USER_NAME);
    answered(DIRECTORY_YES);
    answered(DIRECTORY_NOT_FOUND);
    committed();
    assert_asks(DIRECTORY_DELETE_USER, HOLDER_ID);
    answer.retry_after_ms = JOB_ROLES_FRESH_MS + SECOND_MS;
    answered(DIRECTORY_BUSY);
    answer.retry_after_ms = 0;
    woken();
    assert_asks(DIRECTORY_DELETED_BY_ID, GIVEN_USER_ID);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_TARGET_ROLES, GIVEN_USER_ID);
    answer.n_roles = 1;
    answered(DIRECTORY_YES);
    assert_ends(REASON_PRIVILEGED_TARGET);
}

/* A plan's look at who bears the name, and at the addresses. */
static void plan_seen(const char *holder_id)
{
    assert_asks(DIRECTORY_USER_BY_NAME, "");
    holder(GIVEN_USER_NAME);
    text_copy(answer.user.id, sizeof answer.user.id, holder_id);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_TARGET_ROLES, holder_id);
    answered(DIRECTORY_NOT_FOUND);
    for (int kind = 0; kind < 3; kind++)
        answered(DIRECTORY_YES);
}

static void with_its_plans_hash(void)
{
    job.request.mode = MODE_PLAN;
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    authorised_and_found();
    plan_seen(HOLDER_ID);
    assert_ends(REASON_RESTORED);
    memcpy(job.request.plan_hash, job.outcome.plan_hash, sizeof job.request.plan_hash);
    job.request.mode = MODE_RESTORE;
}

#define ANOTHER_ID "66666666-0000-0000-0000-000000000000"

static void a_plan_is_held_to_again_when_the_restore_was_put_off(void **state)
{
    (void)state;
    with_its_plans_hash();
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    authorised_and_found();
    plan_seen(HOLDER_ID);
    committed();
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
    answer.retry_after_ms = JOB_ROLES_FRESH_MS + SECOND_MS;
    answered(DIRECTORY_BUSY);
    answer.retry_after_ms = 0;
    woken();
    authorised_and_found();
    plan_seen(ANOTHER_ID);
    assert_ends(REASON_PLAN_STALE);
}

static void a_plan_is_held_to_again_after_a_kill(void **state)
{
    (void)state;
    with_its_plans_hash();
    resume(INTENT_RESTORE, "");
    passed_ms = JOB_CERTAIN_MS;
    still_in_the_bin();
    authorised_and_found();
    plan_seen(ANOTHER_ID);
    assert_ends(REASON_PLAN_STALE);
}

static void up_to_the_planned_restore(void)
{
    with_its_plans_hash();
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    authorised_and_found();
    plan_seen(HOLDER_ID);
    committed();
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
    answered(DIRECTORY_NAME_TAKEN);
    holder(GIVEN_USER_NAME);
}

static void who_took_the_name_after_the_plan_does_not_give_way(void **state)
{
    (void)state;
    up_to_the_planned_restore();
    text_copy(answer.user.id, sizeof answer.user.id, ANOTHER_ID);
    answered(DIRECTORY_YES);
    assert_ends(REASON_PLAN_STALE);
}

static void whom_the_plan_named_gives_way(void **state)
{
    (void)state;
    up_to_the_planned_restore();
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_TARGET_ROLES, HOLDER_ID);
}

static void a_planned_name_that_is_gone_is_not_replaced_by_another(void **state)
{
    (void)state;
    rules.name_policy_allowed[NAME_POLICY_RENAME_RESTORED] = true;
    job.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    job.request.mode = MODE_PLAN;
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    for (int run = 0; run < 2; run++) {
        authorised_and_found();
        for (int look = 0; look < 4; look++) /* the name is free, and so are the addresses */
            answered(look == 0 ? DIRECTORY_NOT_FOUND : DIRECTORY_YES);
        if (run > 0)
            break;
        assert_ends(REASON_RESTORED);
        memcpy(job.request.plan_hash, job.outcome.plan_hash, sizeof job.request.plan_hash);
        job.request.mode = MODE_RESTORE;
        job_init(&job, &rules, 1);
        step(JOB_STARTED);
    }
    committed();
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
    answered(DIRECTORY_NAME_TAKEN);
    assert_ends(REASON_PLAN_STALE);
}

/* The limit let it pass when it was announced. */
static void a_plan_that_is_looked_at_again_is_not_over_the_limit(void **state)
{
    (void)state;
    with_its_plans_hash();
    resume(INTENT_RESTORE, "");
    passed_ms = JOB_CERTAIN_MS;
    rules.restores_per_hour = 1;
    recent = (struct recent_restores){.n = 1, .partitions_held = 1, .partitions_all = 1};
    for (int look = 0; look < 2; look++) {
        answered(DIRECTORY_NOT_FOUND);
        given_user(&answer.user);
        answered(DIRECTORY_YES);
    }
    authorised_and_found();
    plan_seen(HOLDER_ID);
    committed();
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
}

static void the_intent_names_the_holder_before_he_is_touched(void **state)
{
    (void)state;
    up_to_the_change_of_the_holder();
    assert_string_equal(job.intent.holder.id, HOLDER_ID);
    assert_string_equal(job.intent.holder.from, GIVEN_USER_NAME);
    assert_string_equal(job.intent.holder.to, "");
    assert_asks(DIRECTORY_DELETE_USER, HOLDER_ID);
    answered(DIRECTORY_UNPROVEN);
    committed();
    assert_asks(DIRECTORY_DELETE_USER, HOLDER_ID);
}

static void who_was_restored_by_another_without_the_name_gives_it_back(void **state)
{
    (void)state;
    up_to_the_change_of_the_holder();
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_RESTORE, GIVEN_USER_ID);
    answered(DIRECTORY_NOT_FOUND);
    given_user(&answer.user);
    text_copy(answer.user.user_principal_name, sizeof answer.user.user_principal_name,
              "ola.9@contoso.com");
    answered(DIRECTORY_YES);
    committed();
    assert_asks(DIRECTORY_RESTORE_HOLDER, HOLDER_ID);
    answered(DIRECTORY_YES);
    assert_ends(REASON_ALREADY_ACTIVE);
    assert_int_equal(job.outcome.freed.how, FREED_NOBODY);
}

static void who_was_restored_by_another_under_the_name_keeps_it(void **state)
{
    (void)state;
    up_to_the_change_of_the_holder();
    answered(DIRECTORY_YES);
    answered(DIRECTORY_NOT_FOUND);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_ends(REASON_ALREADY_ACTIVE);
    assert_int_equal(job.outcome.freed.how, FREED_REPLACED);
}

static void whom_another_item_of_the_batch_has_just_restored_does_not_give_way(void **state)
{
    (void)state;
    rules.reject_privileged_targets = false;
    job_init(&job, &rules, 1);
    step(JOB_STARTED);
    assert_asks(DIRECTORY_REQUESTER, GIVEN_REQUESTER_ID);
    given_requester(&answer.requester);
    answered(DIRECTORY_YES);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    committed();
    answered(DIRECTORY_NAME_TAKEN);
    holder(GIVEN_USER_NAME);
    answer.status = DIRECTORY_YES;
    action = job_step(
        &job, &(struct job_event){
                  .type = JOB_ANSWERED, .now = now(), .answer = &answer, .is_duplicate = true});
    assert_ends(REASON_NAME_CONFLICT);
    assert_string_equal(job.outcome.conflicts[0].holder.id, HOLDER_ID);
    assert_false(job.outcome.resolution[NAME_POLICY_REPLACE_ACTIVE]);
    assert_true(job.outcome.resolution[NAME_POLICY_RENAME_RESTORED]);
}

int main(void)
{
#define FREE_TEST(name) cmocka_unit_test_setup(name, the_name_is_to_be_free)
    const struct CMUnitTest tests[] = {
        FREE_TEST(who_took_the_name_after_the_plan_does_not_give_way),
        FREE_TEST(whom_the_plan_named_gives_way),
        FREE_TEST(a_planned_name_that_is_gone_is_not_replaced_by_another),
        FREE_TEST(whom_another_item_of_the_batch_has_just_restored_does_not_give_way),
        FREE_TEST(a_replaced_holder_who_is_gone_needs_hands),
        FREE_TEST(a_holder_of_another_name_is_left_alone),
        FREE_TEST(a_renamed_holder_who_is_gone_leaves_it_to_the_restore),
        FREE_TEST(a_holder_whom_the_rules_protect_by_now_is_left_alone),
        FREE_TEST(a_plan_that_is_no_longer_in_force_is_not_begun),
        FREE_TEST(a_stranger_after_a_kill_gets_the_name_given_back),
        FREE_TEST(anothers_name_is_not_undone),
        FREE_TEST(a_verdict_that_survives_a_kill_has_its_conflict),
        FREE_TEST(a_holder_who_was_put_off_needs_fresh_roles),
        FREE_TEST(a_holder_who_was_put_off_is_looked_for_again_whoever_asks),
        FREE_TEST(a_plan_is_held_to_again_when_the_restore_was_put_off),
        FREE_TEST(a_plan_is_held_to_again_after_a_kill),
        FREE_TEST(a_plan_that_is_looked_at_again_is_not_over_the_limit),
        FREE_TEST(the_intent_names_the_holder_before_he_is_touched),
        FREE_TEST(who_was_restored_by_another_without_the_name_gives_it_back),
        FREE_TEST(who_was_restored_by_another_under_the_name_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

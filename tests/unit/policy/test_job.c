/* The job, question by question. Whole restores are told in tests/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/digest.h"
#include "policy/job.h"
#include "tests/unit/policy/given.h"

#include <string.h>

static struct policy_rules rules;
static struct job job;
static struct directory_answer answer;
static struct job_action action;
static struct standstill still;
static int64_t passed_ms;

static int the_plain_case(void **state)
{
    (void)state;
    given_rules(&rules);
    given_request(&job.request);
    passed_ms = 0;
    still = (struct standstill){0};
    return 0;
}

static struct instant now(void)
{
    return (struct instant){.wall_ms = GIVEN_NOW_MS + passed_ms,
                            .directory_ms = GIVEN_NOW_MS + passed_ms,
                            .mono_ms = HOUR_MS + passed_ms};
}

static void start(void)
{
    job_init(&job, &rules, 1);
    action = job_step(&job, &(struct job_event){.type = JOB_STARTED, .now = now(), .still = still});
}

static void answered(enum directory_status status)
{
    assert_int_equal(action.type, JOB_ASK);
    answer.status = status;
    action = job_step(
        &job,
        &(struct job_event){.type = JOB_ANSWERED, .now = now(), .still = still, .answer = &answer});
    memset(&answer, 0, sizeof answer);
}

static void woken(void)
{
    assert_int_equal(action.type, JOB_SLEEP);
    passed_ms = action.until_mono_ms - HOUR_MS;
    action = job_step(&job, &(struct job_event){.type = JOB_WOKEN, .now = now(), .still = still});
}

static void committed(void)
{
    assert_int_equal(action.type, JOB_COMMIT);
    action = job_step(&job, &(struct job_event){.type = JOB_COMMITTED, .now = now()});
}

static void assert_asks(enum directory_operation operation)
{
    assert_int_equal(action.type, JOB_ASK);
    assert_string_equal(directory_operation_name(job.question.operation),
                        directory_operation_name(operation));
}

static void assert_ends(enum reason reason)
{
    assert_int_equal(action.type, JOB_FINISH);
    assert_string_equal(reason_code(job.outcome.reason), reason_code(reason));
}

static void authorised(void)
{
    assert_asks(DIRECTORY_REQUESTER);
    given_requester(&answer.requester);
    answered(DIRECTORY_YES);
}

static void found(void)
{
    given_user(&answer.user);
    answer.n_candidates = 1;
    answered(DIRECTORY_YES);
}

static void up_to_the_restore(void)
{
    start();
    authorised();
    found();
    answered(DIRECTORY_NOT_FOUND); /* no roles */
    committed();
    assert_asks(DIRECTORY_RESTORE);
}

static void named(const char *name)
{
    job.request.user.by = NAMED_BY_NAME;
    text_copy(job.request.user.text, sizeof job.request.user.text, name);
}

static void a_stranger_learns_nothing(void **state)
{
    (void)state;
    start();
    assert_asks(DIRECTORY_REQUESTER);
    assert_string_equal(job.question.id, GIVEN_REQUESTER_ID);
    given_requester(&answer.requester);
    answer.requester.n_roles = 1; /* Helpdesk Administrator */
    answered(DIRECTORY_YES);
    assert_ends(REASON_REQUESTER_NOT_AUTHORIZED);
    assert_string_equal(job.outcome.user_id, "");
    assert_string_equal(job.outcome.display_name, "");
    assert_null(job.outcome.before);
    assert_int_equal(job.outcome.restorable_until_ms, 0);
    assert_int_equal(job.outcome.n_candidates, 0);
    assert_int_equal(job.n_calls[DIRECTORY_DELETED_BY_ID], 0);
    assert_int_equal(job.n_calls[DIRECTORY_USER_BY_ID], 0);
}

static void a_requester_who_does_not_exist_is_unknown(void **state)
{
    (void)state;
    start();
    given_requester(&answer.requester); /* what a 404 carries is not looked at */
    answered(DIRECTORY_NOT_FOUND);
    assert_ends(REASON_REQUESTER_UNKNOWN);
    assert_string_equal(job.outcome.contact_mail, "");
}

static void what_needs_no_question_is_refused_without_one(void **state)
{
    (void)state;
    job.request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    start();
    assert_ends(REASON_POLICY_NOT_ALLOWED);

    given_request(&job.request);
    job.request.requested_by.by = NAMED_BY_APP_ID;
    start();
    assert_ends(REASON_REQUESTER_NOT_AUTHORIZED);

    given_request(&job.request);
    job.request.not_after_ms = GIVEN_NOW_MS;
    start();
    assert_ends(REASON_DEADLINE_EXCEEDED);
}

static void an_accepted_app_is_looked_up_before_the_user(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        given_request(&job.request);
        job.request.requested_by.by = NAMED_BY_APP_ID;
        text_copy(job.request.requested_by.text, sizeof job.request.requested_by.text,
                  GIVEN_APP_ID);
        start();
        assert_asks(DIRECTORY_REQUESTER_APP);
        assert_string_equal(job.question.id, GIVEN_APP_ID);
        given_requester(&answer.requester);
        answer.requester.n_roles = 0;
        answer.requester.enabled = i == 0;
        answered(DIRECTORY_YES);
        if (i == 0)
            assert_asks(DIRECTORY_DELETED_BY_ID);
    }
    assert_ends(REASON_REQUESTER_UNKNOWN);
    assert_null(job.outcome.before);
}

static void an_id_is_asked_for_in_lower_case(void **state)
{
    (void)state;
    text_copy(job.request.user.text, sizeof job.request.user.text,
              "8F3C0F9E-4B51-4C0E-9A51-0D5D1C1F7A10");
    start();
    authorised();
    assert_asks(DIRECTORY_DELETED_BY_ID);
    assert_string_equal(job.question.id, GIVEN_USER_ID);
}

static void a_name_is_asked_for_until_the_id_is_known(void **state)
{
    (void)state;
    named("Ola@Contoso.com");
    start();
    authorised();
    assert_asks(DIRECTORY_DELETED_BY_NAME);
    assert_string_equal(job.question.name, "Ola@Contoso.com");
    assert_string_equal(job.question.id, "");
    found();
    assert_asks(DIRECTORY_TARGET_ROLES);
    assert_string_equal(job.question.id, GIVEN_USER_ID);
}

static void a_call_is_named_by_journal_key_operation_and_number(void **state)
{
    (void)state;
    up_to_the_restore();
    char key[GUID_CHARS + 1], expected[GUID_CHARS + 1];
    request_uuid(&job.request, "journal", key);
    digest_uuid5((const char *const[]){key, "restore", "1"}, 3, -1, expected);
    assert_string_equal(job.question.client_request_id, expected);
    answered(DIRECTORY_BUSY);
    woken();
    digest_uuid5((const char *const[]){key, "restore", "2"}, 3, -1, expected);
    assert_string_equal(job.question.client_request_id, expected);
}

static void several_deleted_users_of_a_name_are_offered_not_chosen(void **state)
{
    (void)state;
    named(GIVEN_USER_NAME);
    start();
    authorised();
    answer.n_candidates = CANDIDATES_MAX + 1;
    text_copy(answer.candidates[0].id, sizeof answer.candidates[0].id, GIVEN_USER_ID);
    answered(DIRECTORY_YES);
    assert_ends(REASON_AMBIGUOUS_USER);
    assert_int_equal(job.outcome.n_candidates, CANDIDATES_MAX);
    assert_string_equal(job.outcome.candidates[0].id, GIVEN_USER_ID);
    assert_string_equal(job.outcome.user_id, "");
}

static void an_active_namesake_is_a_candidate_and_no_more(void **state)
{
    (void)state;
    named(GIVEN_USER_NAME);
    start();
    authorised();
    answered(DIRECTORY_NOT_FOUND);
    assert_asks(DIRECTORY_USER_BY_NAME);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_ends(REASON_NOT_FOUND);
    assert_int_equal(job.outcome.n_candidates, 1);
    assert_string_equal(job.outcome.candidates[0].id, GIVEN_USER_ID);
    assert_int_equal(job.outcome.candidates[0].deleted_at_ms, 0);
    assert_string_equal(job.outcome.user_id, "");
}

static void not_found_is_looked_at_twice(void **state)
{
    (void)state;
    start();
    authorised();
    answered(DIRECTORY_NOT_FOUND);
    assert_asks(DIRECTORY_USER_BY_ID);
    answered(DIRECTORY_NOT_FOUND);
    woken();
    assert_int_equal(passed_ms, JOB_SECOND_LOOK_MS);
    assert_asks(DIRECTORY_DELETED_BY_ID);
    answered(DIRECTORY_NOT_FOUND);
    answered(DIRECTORY_NOT_FOUND);
    assert_ends(REASON_NOT_FOUND);
}

static void who_is_active_already_is_left_alone(void **state)
{
    (void)state;
    start();
    authorised();
    answered(DIRECTORY_NOT_FOUND);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_ends(REASON_ALREADY_ACTIVE);
    assert_string_equal(job.outcome.user_principal_name, GIVEN_USER_NAME);
    assert_int_equal(job.outcome.password, PASSWORD_UNTOUCHED);
    assert_int_equal(job.outcome.to.n, 0);
    assert_int_equal(job.outcome.n_operations, 0);
}

static void an_expired_user_is_refused(void **state)
{
    (void)state;
    start();
    authorised();
    given_user(&answer.user);
    answer.user.deleted_at_ms = GIVEN_NOW_MS - 30 * DAY_MS;
    answered(DIRECTORY_YES);
    assert_ends(REASON_RETENTION_EXPIRED);
    assert_int_equal(job.outcome.restorable_until_ms, GIVEN_NOW_MS);
    assert_int_equal(job.outcome.milliseconds_left, 0);
    assert_string_equal(job.outcome.user_id, GIVEN_USER_ID);
}

static const struct recent_restores used_up = {.n = 2, .partitions_held = 12, .partitions_all = 12};

static void beyond_the_limit_nothing_is_announced(void **state)
{
    (void)state;
    rules.restores_per_hour = 2;
    start();
    authorised();
    found();
    answer.status = DIRECTORY_NOT_FOUND;
    action = job_step(
        &job, &(struct job_event){
                  .type = JOB_ANSWERED, .now = now(), .answer = &answer, .recent = used_up});
    assert_ends(REASON_OVER_LIMIT);
    assert_true(reason_retryable(job.outcome.reason));
}

static void what_was_announced_is_carried_out_whatever_the_limit(void **state)
{
    (void)state;
    rules.restores_per_hour = 2;
    up_to_the_restore();
    answer.status = DIRECTORY_UNPROVEN;
    action = job_step(
        &job, &(struct job_event){
                  .type = JOB_ANSWERED, .now = now(), .answer = &answer, .recent = used_up});
    assert_int_equal(action.type, JOB_COMMIT);
}

static void where_administrators_are_allowed_their_roles_are_not_read(void **state)
{
    (void)state;
    rules.reject_privileged_targets = false;
    start();
    authorised();
    found();
    assert_int_equal(action.type, JOB_COMMIT);
}

static void an_administrator_is_refused(void **state)
{
    (void)state;
    start();
    authorised();
    found();
    assert_asks(DIRECTORY_TARGET_ROLES);
    answer.n_roles = 1;
    answered(DIRECTORY_YES);
    assert_ends(REASON_PRIVILEGED_TARGET);
}

static void roles_older_than_a_minute_are_read_again(void **state)
{
    (void)state;
    start();
    authorised();
    found();
    passed_ms += JOB_ROLES_FRESH_MS;
    answered(DIRECTORY_NOT_FOUND);
    assert_int_equal(action.type, JOB_COMMIT); /* just fresh enough */

    start();
    authorised();
    found();
    passed_ms += JOB_ROLES_FRESH_MS + 1;
    answered(DIRECTORY_NOT_FOUND);
    assert_asks(DIRECTORY_REQUESTER);
    given_requester(&answer.requester);
    answer.requester.n_roles = 0;
    answered(DIRECTORY_YES);
    assert_ends(REASON_REQUESTER_NOT_AUTHORIZED);
}

static void roles_age_before_they_are_answered_too(void **state)
{
    (void)state;
    start();
    answer.requester_age_ms = 50 * SECOND_MS;
    authorised();
    found();
    passed_ms += 10 * SECOND_MS + 1;
    answered(DIRECTORY_NOT_FOUND);
    assert_asks(DIRECTORY_REQUESTER);
}

static void assert_refuses_who_lost_the_role(void)
{
    assert_asks(DIRECTORY_REQUESTER);
    given_requester(&answer.requester);
    answer.requester.n_roles = 0;
    answered(DIRECTORY_YES);
    assert_ends(REASON_REQUESTER_NOT_AUTHORIZED);
}

static void a_restore_that_was_put_off_needs_fresh_roles(void **state)
{
    (void)state;
    up_to_the_restore();
    answer.retry_after_ms = JOB_ROLES_FRESH_MS + 1;
    answered(DIRECTORY_BUSY);
    woken();
    assert_refuses_who_lost_the_role();

    up_to_the_restore();
    passed_ms += JOB_ROLES_FRESH_MS + 1;
    answered(DIRECTORY_UNPROVEN);
    assert_refuses_who_lost_the_role();

    job.request.name_policy = NAME_POLICY_RENAME_RESTORED;
    up_to_the_restore();
    passed_ms += JOB_ROLES_FRESH_MS + 1;
    answered(DIRECTORY_NAME_TAKEN);
    assert_refuses_who_lost_the_role();
}

static void a_lost_restore_needs_fresh_roles_to_be_repeated(void **state)
{
    (void)state;
    up_to_the_restore();
    answered(DIRECTORY_UNKNOWN);
    woken();
    answered(DIRECTORY_NOT_FOUND);
    found();
    woken();
    answered(DIRECTORY_NOT_FOUND);
    passed_ms += JOB_ROLES_FRESH_MS;
    found();
    assert_refuses_who_lost_the_role();
}

static void after_the_restore_roles_may_be_old(void **state)
{
    (void)state;
    up_to_the_restore();
    passed_ms += JOB_ROLES_FRESH_MS + 1;
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_MANAGER);
    text_copy(answer.manager_mail, sizeof answer.manager_mail, GIVEN_MANAGER);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_SET_PASSWORD);
}

static void a_retry_after_beyond_the_deadline_is_not_waited_for(void **state)
{
    (void)state;
    up_to_the_restore();
    answer.retry_after_ms = rules.request_deadline_ms;
    answered(DIRECTORY_BUSY);
    assert_ends(REASON_DIRECTORY_UNAVAILABLE);
    assert_int_equal(passed_ms, 0);
}

static void a_directory_that_stays_busy_is_unavailable(void **state)
{
    (void)state;
    up_to_the_restore();
    int n = 0;
    for (; action.type != JOB_FINISH && n < 1000; n++) {
        answered(DIRECTORY_BUSY);
        if (action.type == JOB_SLEEP)
            woken();
    }
    assert_ends(REASON_DIRECTORY_UNAVAILABLE);
    assert_true(n > 30);
    assert_true(passed_ms < rules.request_deadline_ms);
    assert_true(passed_ms > rules.request_deadline_ms - 30 * SECOND_MS);
    assert_int_equal(job.outcome.n_operations, 0); /* nothing was changed or refused */
}

static void a_deadline_that_passes_while_the_directory_answers_is_told_so(void **state)
{
    (void)state;
    start();
    authorised();
    passed_ms = rules.request_deadline_ms;
    found();
    assert_ends(REASON_DEADLINE_EXCEEDED);
}

/* So long the breaker was open, and the worker paused, before the answer that is found(). */
static void stood_still(int64_t unreachable_ms, int64_t paused_ms)
{
    still = (struct standstill){.unreachable_ms = 7 * HOUR_MS, .paused_ms = 5 * HOUR_MS};
    start(); /* what stood still before concerns nobody */
    authorised();
    still.unreachable_ms += unreachable_ms;
    still.paused_ms += paused_ms;
}

static void a_job_that_stands_still_gets_its_time_back(void **state)
{
    (void)state;
    stood_still(MINUTE_MS, 2 * HOUR_MS);
    passed_ms = rules.request_deadline_ms + MINUTE_MS + 2 * HOUR_MS - 1;
    found();
    assert_asks(DIRECTORY_TARGET_ROLES);
    passed_ms++;
    answered(DIRECTORY_NOT_FOUND);
    assert_ends(REASON_DEADLINE_EXCEEDED);
}

static void a_breaker_gives_back_no_more_than_the_deadlines_length(void **state)
{
    (void)state;
    stood_still(10 * rules.request_deadline_ms, 0);
    passed_ms = 2 * rules.request_deadline_ms - 1;
    found();
    assert_asks(DIRECTORY_TARGET_ROLES);
    passed_ms++;
    answered(DIRECTORY_NOT_FOUND);
    assert_ends(REASON_DEADLINE_EXCEEDED);
}

/* The client's answer while the breaker is open, until the job gives up; time passes by the waits
 * alone. */
static void held_by_the_breaker_until_it_ends(int64_t wait_ms)
{
    int64_t since_ms = passed_ms;
    still.unreachable = true;
    for (int n = 0; action.type != JOB_FINISH && n < 10000; n++) {
        int64_t asked_ms = passed_ms;
        answer.retry_after_ms = wait_ms;
        answered(DIRECTORY_BUSY);
        if (action.type != JOB_SLEEP)
            break;
        assert_int_equal(action.until_mono_ms - HOUR_MS, asked_ms + wait_ms); /* does not grow */
        still.unreachable_ms = action.until_mono_ms - HOUR_MS - since_ms;
        woken();
    }
}

static void a_job_held_by_an_open_breaker_ends_a_deadline_later(void **state)
{
    (void)state;
    up_to_the_restore();
    held_by_the_breaker_until_it_ends(700);
    assert_ends(REASON_DIRECTORY_UNAVAILABLE);
    assert_true(passed_ms > 2 * rules.request_deadline_ms - SECOND_MS);
    assert_true(passed_ms <= 2 * rules.request_deadline_ms);
}

/* Its last second lasts as long as the breaker is open. */
static void a_job_short_of_time_outlives_an_outage(void **state)
{
    (void)state;
    up_to_the_restore();
    passed_ms = rules.request_deadline_ms - 100;
    still.unreachable = true;
    answer.retry_after_ms = SECOND_MS;
    answered(DIRECTORY_BUSY);
    still.unreachable_ms = SECOND_MS;
    woken();
    assert_asks(DIRECTORY_REQUESTER); /* the roles are old: it goes on */
}

static void not_after_stops_a_change_that_has_not_begun(void **state)
{
    (void)state;
    job.request.not_after_ms = GIVEN_NOW_MS + SECOND_MS;
    start();
    authorised();
    found();
    passed_ms = SECOND_MS;
    answered(DIRECTORY_NOT_FOUND);
    assert_ends(REASON_DEADLINE_EXCEEDED);
}

static void not_after_does_not_stop_a_change_that_has_begun(void **state)
{
    (void)state;
    job.request.not_after_ms = GIVEN_NOW_MS + SECOND_MS;
    up_to_the_restore();
    passed_ms = SECOND_MS;
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_MANAGER);
}

static void a_refusal_is_told_in_the_directorys_words(void **state)
{
    (void)state;
    up_to_the_restore();
    answer.http_status = 403;
    text_copy(answer.error_code, sizeof answer.error_code, "Authorization_RequestDenied");
    text_copy(answer.request_id, sizeof answer.request_id, GIVEN_APP_ID);
    answered(DIRECTORY_DENIED);
    assert_ends(REASON_DIRECTORY_DENIED);
    assert_int_equal(job.outcome.error_status, 403);
    assert_string_equal(job.outcome.error_code, "Authorization_RequestDenied");
    assert_string_equal(job.outcome.error_request_id, GIVEN_APP_ID);
    assert_int_equal(job.outcome.n_operations, 1);
    assert_string_equal(job.outcome.operations[0].request_id, GIVEN_APP_ID);
}

static void a_holder_who_is_the_user_is_no_conflict(void **state)
{
    (void)state;
    up_to_the_restore();
    answered(DIRECTORY_NAME_TAKEN);
    assert_asks(DIRECTORY_USER_BY_NAME);
    assert_string_equal(job.question.name, GIVEN_USER_NAME);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_USER_BY_ID);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_ends(REASON_ALREADY_ACTIVE);
    assert_int_equal(job.outcome.n_conflicts, 0);
}

static void a_holder_who_is_not_found_is_unknown(void **state)
{
    (void)state;
    up_to_the_restore();
    answered(DIRECTORY_NAME_TAKEN);
    answered(DIRECTORY_NOT_FOUND);
    assert_ends(REASON_NAME_CONFLICT);
    assert_int_equal(job.outcome.n_conflicts, 1);
    assert_string_equal(job.outcome.conflicts[0].value, GIVEN_USER_NAME);
    assert_int_equal(job.outcome.conflicts[0].holder.type, HOLDER_UNKNOWN);
}

static void up_to_the_address_clash(void)
{
    job.request.address_policy = ADDRESS_POLICY_REJECT;
    up_to_the_restore();
}

static void held(int address, enum holder_type type)
{
    answer.held[answer.n_held++] = (struct held_address){address, {.type = type}};
}

static void every_address_of_the_user_is_looked_for(void **state)
{
    (void)state;
    up_to_the_address_clash();
    answered(DIRECTORY_ADDRESS_TAKEN);
    assert_asks(DIRECTORY_USERS_BY_ADDRESS);
    assert_int_equal(job.question.n_addresses, 2);
    assert_string_equal(job.question.addresses, "SMTP:ola@contoso.com");
    held(1, HOLDER_USER);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_GROUPS_BY_ADDRESS);
    assert_int_equal(job.question.n_addresses, 2);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_CONTACTS_BY_ADDRESS);
    held(0, HOLDER_CONTACT);
    held(1, HOLDER_CONTACT); /* an index that lags: it is the user's */
    answered(DIRECTORY_YES);
    assert_ends(REASON_ADDRESS_CONFLICT);
    assert_int_equal(job.outcome.n_conflicts, 2);
    assert_string_equal(job.outcome.conflicts[0].value, "smtp:ola.nordmann@contoso.com");
    assert_int_equal(job.outcome.conflicts[0].holder.type, HOLDER_USER);
    assert_string_equal(job.outcome.conflicts[1].value, "SMTP:ola@contoso.com");
    assert_int_equal(job.outcome.conflicts[1].holder.type, HOLDER_CONTACT);
    assert_true(job.outcome.resolution_remove);
    assert_false(job.outcome.resolution[NAME_POLICY_RENAME_RESTORED]);
}

static void what_the_directory_names_is_a_conflict_whoever_holds_it(void **state)
{
    (void)state;
    up_to_the_address_clash();
    answer.n_named_addresses = 2;
    text_copy(answer.named_addresses[0], sizeof answer.named_addresses[0], "smtp:x@contoso.com");
    text_copy(answer.named_addresses[1], sizeof answer.named_addresses[1], "smtp:y@contoso.com");
    answered(DIRECTORY_ADDRESS_TAKEN);
    assert_string_equal(job.question.addresses, "smtp:x@contoso.com");
    answered(DIRECTORY_YES);
    held(1, HOLDER_GROUP);
    answered(DIRECTORY_YES);
    answered(DIRECTORY_YES);
    assert_ends(REASON_ADDRESS_CONFLICT);
    assert_int_equal(job.outcome.n_conflicts, 2);
    assert_string_equal(job.outcome.conflicts[0].value, "smtp:y@contoso.com");
    assert_int_equal(job.outcome.conflicts[0].holder.type, HOLDER_GROUP);
    assert_string_equal(job.outcome.conflicts[1].value, "smtp:x@contoso.com");
    assert_int_equal(job.outcome.conflicts[1].holder.type, HOLDER_UNKNOWN);
}

static void an_address_that_nobody_shows_is_not_guessed(void **state)
{
    (void)state;
    up_to_the_address_clash();
    answered(DIRECTORY_ADDRESS_TAKEN);
    answered(DIRECTORY_YES);
    answered(DIRECTORY_DENIED); /* without GroupMember.Read.All the contacts are still asked for */
    assert_asks(DIRECTORY_CONTACTS_BY_ADDRESS);
    answered(DIRECTORY_YES);
    assert_ends(REASON_ADDRESS_CONFLICT);
    assert_int_equal(job.outcome.n_conflicts, 1);
    assert_string_equal(job.outcome.conflicts[0].value, "");
    assert_int_equal(job.outcome.conflicts[0].holder.type, HOLDER_UNKNOWN);
}

/* Beside his own two, from a@ up to `last`@. */
static void up_to_the_clash_of_many_addresses(char last)
{
    job.request.address_policy = ADDRESS_POLICY_REJECT;
    rules.reject_privileged_targets = false;
    start();
    authorised();
    given_user(&answer.user);
    for (char c = 'a'; c <= last; c++) {
        char address[] = "smtp:_@contoso.com";
        address[5] = c;
        string_list_add(&answer.user.proxy_addresses, address);
    }
    answered(DIRECTORY_YES);
    committed();
    answered(DIRECTORY_ADDRESS_TAKEN);
}

static void many_addresses_are_asked_for_a_few_at_a_time(void **state)
{
    (void)state;
    up_to_the_clash_of_many_addresses('h');
    assert_int_equal(job.question.n_addresses, ASKED_ADDRESSES_MAX);
    for (int i = 0; i < 3; i++)
        answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_USERS_BY_ADDRESS);
    assert_int_equal(job.question.n_addresses, 3);
    assert_string_equal(job.question.addresses, "smtp:f@contoso.com");
    held(2, HOLDER_USER);
    for (int i = 0; i < 3; i++)
        answered(DIRECTORY_YES);
    assert_ends(REASON_ADDRESS_CONFLICT);
    assert_string_equal(job.outcome.conflicts[0].value, "smtp:h@contoso.com");
}

static void no_more_conflicts_are_told_than_there_are_places(void **state)
{
    (void)state;
    up_to_the_clash_of_many_addresses('z');
    int n_questions = 0;
    for (; job.state == JOB_ADDRESS_USERS; n_questions++) {
        for (int i = 0; i < job.question.n_addresses; i++)
            held(i, HOLDER_USER);
        for (int i = 0; i < 3; i++)
            answered(DIRECTORY_YES);
    }
    assert_ends(REASON_ADDRESS_CONFLICT);
    assert_int_equal(n_questions, (CONFLICTS_MAX + ASKED_ADDRESSES_MAX - 1) / ASKED_ADDRESSES_MAX);
    assert_int_equal(job.outcome.n_conflicts, CONFLICTS_MAX);
}

static void a_configuration_that_rejects_offers_no_removal(void **state)
{
    (void)state;
    rules.address_policy = ADDRESS_POLICY_REJECT;
    up_to_the_restore();
    answered(DIRECTORY_ADDRESS_TAKEN);
    for (int i = 0; i < 3; i++)
        answered(DIRECTORY_YES);
    assert_ends(REASON_ADDRESS_CONFLICT);
    assert_false(job.outcome.resolution_remove);
}

static void up_to_the_password(void)
{
    up_to_the_restore();
    answered(DIRECTORY_YES);
    text_copy(answer.manager_mail, sizeof answer.manager_mail, GIVEN_MANAGER);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_SET_PASSWORD);
}

static void a_password_of_unknown_age_is_never_confirmed(void **state)
{
    (void)state;
    up_to_the_password();
    job.password_changed_before_ms = 0; /* the directory did not say when it was changed */
    answered(DIRECTORY_UNKNOWN);
    woken();
    assert_asks(DIRECTORY_USER_BY_ID);
    passed_ms += JOB_CERTAIN_MS;
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_SET_PASSWORD);
}

static void what_is_missing_on_the_account_is_left_to_do(void **state)
{
    (void)state;
    rules.reject_synced_users = false;
    start();
    authorised();
    given_user(&answer.user);
    answer.user.synced = true;
    answered(DIRECTORY_YES);
    answered(DIRECTORY_NOT_FOUND);
    committed();
    answered(DIRECTORY_YES);
    answered(DIRECTORY_YES); /* a manager without mail */
    assert_asks(DIRECTORY_USER_BY_ID);
    answered(DIRECTORY_YES); /* neither enabled nor licensed */
    assert_ends(REASON_RESTORED);
    assert_int_equal(job.outcome.todo, TODO_SIGN_IN_DISABLED | TODO_NO_LICENCE |
                                           TODO_PASSWORD_NOT_SET | TODO_WAS_SYNCHRONISED);
}

static void who_never_shows_up_is_not_yet_visible(void **state)
{
    (void)state;
    up_to_the_password();
    int n = 0;
    for (; action.type != JOB_FINISH && n < 1000; n++) {
        answered(DIRECTORY_NOT_FOUND);
        if (action.type == JOB_SLEEP)
            woken();
    }
    assert_ends(REASON_RESTORED);
    assert_int_equal(passed_ms, JOB_LAG_MS);
    assert_int_equal(job.outcome.todo, TODO_PASSWORD_NOT_SET | TODO_NOT_YET_VISIBLE);
    assert_null(job.outcome.removed_addresses);
}

static void the_latest_operation_is_kept_when_there_are_too_many(void **state)
{
    (void)state;
    rules.request_deadline_ms = 24 * HOUR_MS;
    up_to_the_password();
    int n = 0;
    while (n <= OPERATIONS_MAX) {
        if (job.question.operation == DIRECTORY_SET_PASSWORD) {
            n++;
            answered(DIRECTORY_UNKNOWN);
        } else {
            passed_ms += JOB_CERTAIN_MS;
            answer.user.last_password_change_at_ms = job.password_changed_before_ms;
            answered(DIRECTORY_YES);
        }
        if (action.type == JOB_SLEEP)
            woken();
    }
    assert_int_equal(job.outcome.n_operations, OPERATIONS_MAX);
    assert_int_equal(job.outcome.operations[0].operation, DIRECTORY_RESTORE);
}

static void a_job_in_use_is_made_new_without_touching_its_lists(void **state)
{
    (void)state;
    static unsigned char untouched[STRING_LIST_BYTES];
    memset(untouched, 0xa5, sizeof untouched);
    struct restore_request request = job.request;
    memset(&job, 0xa5, sizeof job);
    job.request = request;
    start();
    assert_asks(DIRECTORY_REQUESTER);
    assert_memory_equal(job.removed.bytes, untouched, sizeof untouched);
    assert_memory_equal(job.before.proxy_addresses.bytes, untouched, sizeof untouched);
    assert_null(job.outcome.removed_addresses);
    assert_int_equal(job.before.proxy_addresses.used_bytes, 0);
}

static struct user_facts before;
static struct intent intent;

/* An earlier incarnation began `age_ms` ago; its last call may still arrive until `settle_ms`. */
static void resume(int64_t age_ms, int64_t settle_ms)
{
    given_user(&before);
    intent = (struct intent){.name_policy = NAME_POLICY_REJECT,
                             .address_policy = ADDRESS_POLICY_REMOVE,
                             .generate_password = true,
                             .user = &before,
                             .started_at_ms = now().wall_ms - age_ms};
    job_init(&job, &rules, 1);
    action = job_step(&job, &(struct job_event){.type = JOB_RESUMED,
                                                .now = now(),
                                                .intent = &intent,
                                                .settled_at_mono_ms = now().mono_ms + settle_ms});
}

static void a_resumed_job_waits_and_then_looks(void **state)
{
    (void)state;
    named(GIVEN_USER_NAME); /* the intent knows the id */
    resume(MINUTE_MS, 35 * SECOND_MS);
    assert_int_equal(action.type, JOB_SLEEP);
    woken();
    assert_int_equal(passed_ms, 35 * SECOND_MS);
    assert_asks(DIRECTORY_USER_BY_ID);
    assert_string_equal(job.question.id, GIVEN_USER_ID);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    authorised();
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_USER_BY_ID); /* a manager without mail: no password, no intent */
}

static void a_resumed_job_whose_time_has_come_looks_at_once(void **state)
{
    (void)state;
    resume(MINUTE_MS, 0);
    assert_asks(DIRECTORY_USER_BY_ID);
}

static void a_resumed_jobs_deadline_is_the_first_ones(void **state)
{
    (void)state;
    resume(MINUTE_MS, 0);
    assert_int_equal(job.deadline_mono_ms, now().mono_ms + rules.request_deadline_ms - MINUTE_MS);
    resume(-HOUR_MS, 0); /* the clock was set back */
    assert_int_equal(job.deadline_mono_ms, now().mono_ms + rules.request_deadline_ms);
}

static void in_the_bin_again(void)
{
    answered(DIRECTORY_NOT_FOUND);
    assert_asks(DIRECTORY_DELETED_BY_ID);
    found();
}

static void a_resumed_job_that_changed_nothing_fails_like_any_other(void **state)
{
    (void)state;
    resume(MINUTE_MS, 0);
    in_the_bin_again();
    woken();
    assert_int_equal(passed_ms, JOB_CERTAIN_MS);
    in_the_bin_again();
    authorised();
    answered(DIRECTORY_NOT_FOUND); /* a replica that lags */
    answered(DIRECTORY_NOT_FOUND);
    woken();
    found();
    answered(DIRECTORY_NOT_FOUND);
    committed();
    answered(DIRECTORY_REJECTED);
    assert_ends(REASON_DIRECTORY_REJECTED); /* and not needs_hands */
}

static void found_deleted_at(int64_t deleted_at_ms)
{
    resume(MINUTE_MS, 0);
    in_the_bin_again();
    woken();
    in_the_bin_again();
    authorised();
    assert_asks(DIRECTORY_DELETED_BY_ID);
    given_user(&answer.user);
    answer.user.deleted_at_ms = deleted_at_ms;
    answered(DIRECTORY_YES);
}

static void a_newer_deletion_than_the_intents_stands(void **state)
{
    (void)state;
    found_deleted_at(GIVEN_DELETED_AT_MS + 1); /* long before the request */
    assert_ends(REASON_TOO_OLD);
    assert_int_equal(job.outcome.before->deleted_at_ms, GIVEN_DELETED_AT_MS + 1);
    assert_false(job.outcome.restored);

    found_deleted_at(GIVEN_DELETED_AT_MS - 1); /* a replica that lags */
    assert_asks(DIRECTORY_TARGET_ROLES);
}

static void a_resumed_jobs_password_that_is_never_answered_is_left_to_do(void **state)
{
    (void)state;
    resume(0, 0);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    authorised();
    text_copy(answer.manager_mail, sizeof answer.manager_mail, GIVEN_MANAGER);
    answered(DIRECTORY_YES);
    committed();
    int n_set = 0;
    for (int n = 0; action.type != JOB_FINISH && n < 1000; n++) {
        bool set = job.question.operation == DIRECTORY_SET_PASSWORD;
        n_set += action.type == JOB_ASK && set;
        if (action.type == JOB_SLEEP) {
            woken();
            continue;
        }
        given_user(&answer.user);
        answer.user.last_password_change_at_ms = GIVEN_NOW_MS + n; /* whose, nobody knows */
        answered(set ? DIRECTORY_UNKNOWN : DIRECTORY_YES);
    }
    assert_ends(REASON_RESTORED);
    assert_true(n_set > 10);
    assert_int_equal(job.outcome.password, PASSWORD_LEFT);
    assert_true((job.outcome.todo & TODO_PASSWORD_NOT_SET) != 0);
    assert_true(passed_ms <= rules.request_deadline_ms + JOB_LAST_MS);
    assert_true(passed_ms > rules.request_deadline_ms + JOB_LAST_MS - 30 * SECOND_MS);
}

static void assert_resumed_without_a_password(void)
{
    resume(MINUTE_MS, 0);
    given_user(&answer.user);
    answered(DIRECTORY_YES);
    authorised();
    text_copy(answer.manager_mail, sizeof answer.manager_mail, GIVEN_MANAGER);
    answered(DIRECTORY_YES);
    assert_asks(DIRECTORY_USER_BY_ID);
    answered(DIRECTORY_YES);
    assert_ends(REASON_RESTORED);
    assert_true((job.outcome.todo & TODO_PASSWORD_NOT_SET) != 0);
}

static void a_resumed_job_without_a_key_sets_no_password(void **state)
{
    (void)state;
    rules.has_recipient_key = false;
    assert_resumed_without_a_password();
}

static void a_resumed_job_tells_no_password_to_whom_it_may_not(void **state)
{
    (void)state;
    rules.secret_words = 0;
    assert_resumed_without_a_password();
}

static void a_long_list_of_addresses_is_no_loss(void **state)
{
    (void)state;
    up_to_the_password();
    answered(DIRECTORY_YES);
    given_user(&answer.user);
    string_list_clear(&answer.user.proxy_addresses);
    answer.user.proxy_addresses.left_out = 2;
    answered(DIRECTORY_YES);
    assert_ends(REASON_RESTORED);
    assert_null(job.outcome.removed_addresses);
}

static void nobody_gets_a_copy_of_what_nobody_gets(void **state)
{
    (void)state;
    given_recipients(&job.request.notify_cc, "it@contoso.com", NULL);
    up_to_the_restore();
    answered(DIRECTORY_YES);
    answered(DIRECTORY_YES); /* a manager without mail */
    answered(DIRECTORY_YES);
    assert_ends(REASON_RESTORED);
    assert_int_equal(job.outcome.to.n, 0);
    assert_int_equal(job.outcome.cc.n, 0);
}

static void not_after_is_the_directorys_time(void **state)
{
    (void)state;
    job.request.not_after_ms = GIVEN_NOW_MS + SECOND_MS;
    struct instant early = now();
    early.wall_ms += MINUTE_MS; /* our clock is ahead */
    job_init(&job, &rules, 1);
    action = job_step(&job, &(struct job_event){.type = JOB_STARTED, .now = early});
    assert_asks(DIRECTORY_REQUESTER);
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    for (enum job_state a = JOB_QUEUED; a <= JOB_DONE; a++)
        for (enum job_state b = JOB_QUEUED; b < a; b++)
            assert_string_not_equal(job_state_name(a), job_state_name(b));
}

#define JOB_TEST(name) cmocka_unit_test_setup(name, the_plain_case)
int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(a_stranger_learns_nothing),
        JOB_TEST(a_requester_who_does_not_exist_is_unknown),
        JOB_TEST(what_needs_no_question_is_refused_without_one),
        JOB_TEST(an_accepted_app_is_looked_up_before_the_user),
        JOB_TEST(an_id_is_asked_for_in_lower_case),
        JOB_TEST(a_name_is_asked_for_until_the_id_is_known),
        JOB_TEST(a_call_is_named_by_journal_key_operation_and_number),
        JOB_TEST(several_deleted_users_of_a_name_are_offered_not_chosen),
        JOB_TEST(an_active_namesake_is_a_candidate_and_no_more),
        JOB_TEST(not_found_is_looked_at_twice),
        JOB_TEST(who_is_active_already_is_left_alone),
        JOB_TEST(an_expired_user_is_refused),
        JOB_TEST(beyond_the_limit_nothing_is_announced),
        JOB_TEST(what_was_announced_is_carried_out_whatever_the_limit),
        JOB_TEST(an_administrator_is_refused),
        JOB_TEST(where_administrators_are_allowed_their_roles_are_not_read),
        JOB_TEST(roles_older_than_a_minute_are_read_again),
        JOB_TEST(roles_age_before_they_are_answered_too),
        JOB_TEST(a_restore_that_was_put_off_needs_fresh_roles),
        JOB_TEST(a_lost_restore_needs_fresh_roles_to_be_repeated),
        JOB_TEST(after_the_restore_roles_may_be_old),
        JOB_TEST(a_retry_after_beyond_the_deadline_is_not_waited_for),
        JOB_TEST(a_directory_that_stays_busy_is_unavailable),
        JOB_TEST(a_deadline_that_passes_while_the_directory_answers_is_told_so),
        JOB_TEST(a_job_that_stands_still_gets_its_time_back),
        JOB_TEST(a_breaker_gives_back_no_more_than_the_deadlines_length),
        JOB_TEST(a_job_held_by_an_open_breaker_ends_a_deadline_later),
        JOB_TEST(a_job_short_of_time_outlives_an_outage),
        JOB_TEST(not_after_stops_a_change_that_has_not_begun),
        JOB_TEST(not_after_does_not_stop_a_change_that_has_begun),
        JOB_TEST(a_refusal_is_told_in_the_directorys_words),
        JOB_TEST(a_holder_who_is_the_user_is_no_conflict),
        JOB_TEST(a_holder_who_is_not_found_is_unknown),
        JOB_TEST(every_address_of_the_user_is_looked_for),
        JOB_TEST(what_the_directory_names_is_a_conflict_whoever_holds_it),
        JOB_TEST(an_address_that_nobody_shows_is_not_guessed),
        JOB_TEST(many_addresses_are_asked_for_a_few_at_a_time),
        JOB_TEST(no_more_conflicts_are_told_than_there_are_places),
        JOB_TEST(a_configuration_that_rejects_offers_no_removal),
        JOB_TEST(a_password_of_unknown_age_is_never_confirmed),
        JOB_TEST(what_is_missing_on_the_account_is_left_to_do),
        JOB_TEST(who_never_shows_up_is_not_yet_visible),
        JOB_TEST(the_latest_operation_is_kept_when_there_are_too_many),
        JOB_TEST(a_job_in_use_is_made_new_without_touching_its_lists),
        JOB_TEST(a_resumed_job_waits_and_then_looks),
        JOB_TEST(a_resumed_job_whose_time_has_come_looks_at_once),
        JOB_TEST(a_resumed_jobs_deadline_is_the_first_ones),
        JOB_TEST(a_resumed_job_that_changed_nothing_fails_like_any_other),
        JOB_TEST(a_newer_deletion_than_the_intents_stands),
        JOB_TEST(a_resumed_jobs_password_that_is_never_answered_is_left_to_do),
        JOB_TEST(a_resumed_job_without_a_key_sets_no_password),
        JOB_TEST(a_resumed_job_tells_no_password_to_whom_it_may_not),
        JOB_TEST(a_long_list_of_addresses_is_no_loss),
        JOB_TEST(nobody_gets_a_copy_of_what_nobody_gets),
        JOB_TEST(not_after_is_the_directorys_time),
        JOB_TEST(every_state_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

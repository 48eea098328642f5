/* Every kind of publication against data/<kind>/<case>/expected: all messages, all headers in their
 * order, the values as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/instant.h"
#include "producers/dead_letter_encode.h"
#include "producers/outcome_encode.h"
#include "producers/publication_encode.h"
#include "producers/replay_encode.h"
#include "producers/request_encode.h"
#include "producers/summary_encode.h"
#include "tests/unit/producers/dump.h"
#include "tests/unit/producers/given.h"
#include "tests/unit/producers/recipient.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET(field, text) assert_true(text_copy(field, sizeof(field), text))

static struct event_settings settings;
static struct restore_request request;
static struct user_facts before;
static struct outcome outcome;
static struct json_out scratch;
static struct publication publication;

static int given_everything(void **state)
{
    (void)state;
    given_event_settings(&settings);
    given_request(&request);
    given_user(&before);
    given_outcome(&outcome, &request, &before);
    publication = (struct publication){.kind = PUBLISH_OUTCOME,
                                       .partition = 7,
                                       .offset = 4711,
                                       .started_ms = GIVEN_STARTED_MS,
                                       .of.outcome = {.outcome = &outcome, .password = ""}};
    return 0;
}

static int free_everything(void **state)
{
    (void)state;
    publication_free_messages(&publication);
    json_out_free(&scratch);
    return 0;
}

static void check(const char *folder, const char *name)
{
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_golden(&settings, publication.messages, folder, name);
}

static void a_restore_that_changed_much(void **state)
{
    (void)state;
    static struct string_list removed;
    string_list_clear(&removed);
    assert_true(string_list_add(&removed, "smtp:o.n@contoso.com"));
    outcome.removed_addresses = &removed;
    outcome.todo = TODO_SIGN_IN_DISABLED | TODO_NO_LICENCE | TODO_WAS_SYNCHRONISED;
    SET(outcome.user_principal_name, "ola.2@contoso.com");
    SET(outcome.mail, "ola.2@contoso.com");
    SET(request.envelope.correlation_id, "corr-1");
    SET(request.envelope.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    SET(request.envelope.tracestate, "vendor=x");
    check("outcome", "restored");
}

static void a_user_who_was_active_already(void **state)
{
    (void)state;
    outcome.reason = REASON_ALREADY_ACTIVE;
    outcome.before = NULL;
    outcome.restorable_until_ms = 0;
    outcome.password = PASSWORD_UNTOUCHED;
    outcome.n_operations = 0;
    SET(request.tenant, "fabrikam");
    check("outcome", "already-active");
}

static void given_holder(struct holder *holder, enum holder_type type)
{
    *holder = (struct holder){.type = type, .created_at_ms = GIVEN_STARTED_MS - DAY_MS};
    SET(holder->id, "44444444-4444-4444-8444-444444444444");
    SET(holder->display_name, "Ola Hansen");
    if (type == HOLDER_CONTACT)
        holder->created_at_ms = 0;
    if (type != HOLDER_USER)
        return;
    SET(holder->user_principal_name, "ola@contoso.com");
    holder->enabled = true;
}

static void given_conflicts(const struct conflict *conflicts, int n)
{
    outcome.conflicts = conflicts;
    outcome.n_conflicts = n;
}

static void a_name_clash_with_two_ways_out(void **state)
{
    (void)state;
    outcome.reason = REASON_NAME_CONFLICT;
    static struct conflict conflict = {.property = CONFLICT_USER_PRINCIPAL_NAME};
    SET(conflict.value, "Ola.N@contoso.com");
    given_holder(&conflict.holder, HOLDER_USER);
    given_conflicts(&conflict, 1);
    outcome.resolution[NAME_POLICY_RENAME_RESTORED] = true;
    outcome.resolution[NAME_POLICY_REPLACE_ACTIVE] = true;
    request.name_policy = NAME_POLICY_ABSENT; /* the configuration's */
    SET(request.new_user_principal_name, "ola.n@contoso.com");
    request.address_policy = ADDRESS_POLICY_REMOVE;
    request.password = PASSWORD_GENERATE;
    request.has_notify_to = true;
    request.notify_to.n = 1;
    SET(request.notify_to.address[0], "manager");
    request.notify_cc.n = 1;
    SET(request.notify_cc.address[0], "it@contoso.com");
    request.not_after_ms = GIVEN_STARTED_MS + DAY_MS;
    check("outcome", "name-conflict");
}

static void a_chosen_name_that_was_not_tried_is_kept(void **state)
{
    (void)state;
    outcome.reason = REASON_NAME_CONFLICT;
    static struct conflict conflict = {.property = CONFLICT_USER_PRINCIPAL_NAME};
    SET(conflict.value, "ola@contoso.com");
    given_conflicts(&conflict, 1);
    outcome.resolution[NAME_POLICY_RENAME_RESTORED] = true;
    request.name_policy = NAME_POLICY_REJECT;
    SET(request.new_user_principal_name, "ola.n@contoso.com");
    check("outcome", "name-conflict-untried");
}

static void an_address_clash_with_an_unknown_holder(void **state)
{
    (void)state;
    outcome.reason = REASON_ADDRESS_CONFLICT;
    static struct conflict conflict = {.property = CONFLICT_PROXY_ADDRESSES};
    given_conflicts(&conflict, 1);
    check("outcome", "address-conflict");
}

static void addresses_clash_with_objects_of_every_kind(void **state)
{
    (void)state;
    static struct conflict conflicts[4];
    static const char *const values[] = {"smtp:a@contoso.com", "smtp:b@contoso.com",
                                         "SMTP:c@contoso.com", "smtp:d@contoso.com"};
    outcome.reason = REASON_ADDRESS_CONFLICT;
    for (int i = 0; i < 4; i++) {
        conflicts[i].property = CONFLICT_PROXY_ADDRESSES;
        SET(conflicts[i].value, values[i]);
        given_holder(&conflicts[i].holder, (enum holder_type)i);
    }
    given_conflicts(conflicts, 4);
    outcome.resolution_remove = true;
    request.address_policy = ADDRESS_POLICY_REJECT;
    check("outcome", "address-conflict-holders");
}

static void a_user_nobody_found_is_named_as_the_request_did(void **state)
{
    (void)state;
    static struct candidate candidate;
    given_early_failure(&outcome, &request, REASON_NOT_FOUND);
    request.user.by = NAMED_BY_NAME;
    SET(request.user.text, "Ola@Contoso.com");
    SET(candidate.id, "44444444-4444-4444-8444-444444444444");
    SET(candidate.user_principal_name, "ola@contoso.com");
    outcome.n_candidates = 1;
    outcome.candidates = &candidate;
    check("outcome", "not-found");
}

static void a_refusal_of_the_directory_is_told_in_its_words(void **state)
{
    (void)state;
    outcome.reason = REASON_DIRECTORY_REJECTED;
    outcome.error_status = 400;
    SET(outcome.error_code, "Request_BadRequest");
    SET(outcome.error_request_id, "55555555-5555-4555-8555-555555555555");
    check("outcome", "directory-rejected");
}

static void what_may_be_sent_again_comes_ready_to_send(void **state)
{
    (void)state;
    given_early_failure(&outcome, &request, REASON_DIRECTORY_UNAVAILABLE);
    SET(request.user.text, "8F3C0F9E-4B51-4C0E-9A51-0D5D1C1F7A10");
    request.not_after_ms = GIVEN_STARTED_MS + MINUTE_MS;
    request.requested_by.by = NAMED_BY_NOTHING;
    check("outcome", "directory-unavailable");
}

static void an_uncertain_end_says_what_is_certain(void **state)
{
    (void)state;
    outcome.reason = REASON_NEEDS_HANDS;
    outcome.restored = true;
    outcome.todo = TODO_PASSWORD_NOT_SET;
    outcome.milliseconds_left = -1;
    check("outcome", "needs-hands");
}

static struct user_list list;

static void given_list(void)
{
    user_list_clear(&list);
    struct list_wish wish = {
        .retention_ms = 30 * DAY_MS, .now_ms = GIVEN_STARTED_MS, .until_ms = INT64_MAX};
    user_list_take(&list, &wish,
                   &(struct listed_user){.id = GIVEN_USER_ID,
                                         .user_principal_name = "ola@contoso.com",
                                         .display_name = "Ola \"Nordmann\"",
                                         .deleted_at_ms = GIVEN_STARTED_MS - 10 * DAY_MS});
    user_list_take(&list, &wish,
                   &(struct listed_user){.id = "44444444-4444-4444-8444-444444444444",
                                         .user_principal_name = "kari@contoso.com",
                                         .display_name = "",
                                         .deleted_at_ms = GIVEN_STARTED_MS - 9 * DAY_MS,
                                         .synced = true});
    given_early_failure(&outcome, &request, REASON_LISTED);
    request.mode = MODE_LIST;
    request.user = (struct named){0};
    outcome.list = &list;
}

static void who_can_be_restored(void **state)
{
    (void)state;
    given_list();
    list.truncated = true;
    check("answer", "listed");
}

static void a_list_that_failed_goes_to_the_plans_topic(void **state)
{
    (void)state;
    given_list();
    outcome.reason = REASON_DIRECTORY_UNAVAILABLE;
    SET(request.match, "ola");
    request.closing_within_days = 5;
    check("answer", "list-failed");
}

#define PLAN_HASH "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void given_plan(void)
{
    request.mode = MODE_PLAN;
    outcome.n_operations = 0;
    SET(outcome.plan_hash, PLAN_HASH);
}

static void a_plan_that_would_restore_can_be_applied(void **state)
{
    (void)state;
    static struct string_list removed;
    string_list_clear(&removed);
    assert_true(string_list_add(&removed, "smtp:o.n@contoso.com"));
    given_plan();
    outcome.removed_addresses = &removed;
    outcome.password = PASSWORD_GENERATED;
    request.name_policy = NAME_POLICY_RENAME_RESTORED;
    SET(outcome.new_user_principal_name, "ola.2@contoso.com");
    check("answer", "planned-restore");
}

static void a_plan_that_would_end_in_a_conflict(void **state)
{
    (void)state;
    static struct conflict conflict = {.property = CONFLICT_USER_PRINCIPAL_NAME,
                                       .holder.type = HOLDER_USER};
    SET(conflict.value, "ola@contoso.com");
    SET(conflict.holder.id, "44444444-4444-4444-8444-444444444444");
    given_plan();
    outcome.reason = REASON_NAME_CONFLICT;
    outcome.n_conflicts = 1;
    outcome.conflicts = &conflict;
    outcome.resolution[NAME_POLICY_RENAME_RESTORED] = true;
    SET(request.plan_hash, PLAN_HASH);
    check("answer", "planned-conflict");
}

static bool event_says(const char *text)
{
    const struct out_message *event = publication.messages;
    return memmem(event->value, event->value_bytes, text, strlen(text)) != NULL;
}

static void given_clash(void)
{
    static const struct conflict conflict = {.property = CONFLICT_USER_PRINCIPAL_NAME,
                                             .value = "ola@contoso.com"};
    outcome.reason = REASON_NAME_CONFLICT;
    outcome.n_conflicts = 1;
    outcome.conflicts = &conflict;
}

/* Whoever frees the name changes the facts that the hash is of. */
static void a_resend_after_a_conflict_is_bound_to_no_plan(void **state)
{
    (void)state;
    given_clash();
    SET(request.plan_hash, PLAN_HASH);
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_true(event_says("\"resend\""));
    assert_false(event_says("planHash"));
}

/* The configuration's default may be rename-active: then the request need not say so. */
static void a_name_for_the_holder_that_was_tried_is_not_tried_again(void **state)
{
    (void)state;
    given_clash();
    outcome.resolution[NAME_POLICY_RENAME_ACTIVE] = true;
    outcome.name_policy = NAME_POLICY_RENAME_ACTIVE;
    request.name_policy = NAME_POLICY_ABSENT;
    SET(request.rename_active_to, "ola.old@contoso.com");
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_true(event_says("\"rename-active\""));
    assert_false(event_says("renameActiveTo"));
}

static void a_plan_that_would_fail(void **state)
{
    (void)state;
    given_early_failure(&outcome, &request, REASON_OVER_LIMIT);
    request.mode = MODE_PLAN;
    check("answer", "planned-fail");
}

static void a_plan_for_who_is_active_has_nothing_to_apply(void **state)
{
    (void)state;
    outcome.reason = REASON_ALREADY_ACTIVE;
    outcome.before = NULL;
    outcome.restorable_until_ms = 0;
    outcome.password = PASSWORD_UNTOUCHED;
    outcome.n_operations = 0;
    request.mode = MODE_PLAN;
    check("answer", "planned-already-active");
}

static void a_reused_id_leaves_the_originals_journal_record_alone(void **state)
{
    (void)state;
    given_early_failure(&outcome, &request, REASON_REQUEST_ID_REUSED);
    publication.kind = PUBLISH_REUSED;
    publication.of.reused = &outcome;
    check("reused", "reused");
}

static void the_generated_password_travels_only_in_the_notification(void **state)
{
    (void)state;
    struct recipient recipient;
    recipient_make(&recipient);
    settings.recipient_key = recipient.key;
    char password[] = "Kj8-xQ2\"pw";
    publication.of.outcome.password = password;
    outcome.password = PASSWORD_GENERATED;
    outcome.to.n = 2;
    SET(outcome.to.address[0], "boss@contoso.com");
    SET(outcome.to.address[1], "ola@home.example");
    outcome.cc.n = 1;
    SET(outcome.cc.address[0], "it@contoso.com");
    SET(outcome.contact_display_name, "Admin");
    SET(outcome.contact_mail, "admin@contoso.com");
    check("notification", "user-restored");

    const struct out_message *event = publication.messages, *notification = event->next;
    json_error_t error;
    json_t *data = json_loadb(notification->value, notification->value_bytes, 0, &error);
    char *plain = recipient_open(&recipient, json_string_value(json_object_get(data, "secret")));
    assert_string_equal(plain,
                        "{\"password\":\"Kj8-xQ2\\\"pw\",\"userPrincipalName\":\"ola@contoso.com\","
                        "\"userId\":\"8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10\","
                        "\"eventId\":\"" /* the notification's own ce_id */
                        "1805c7a1-0606-596f-82f5-c0e49f56156a\","
                        "\"to\":[\"boss@contoso.com\",\"ola@home.example\"],\"exp\":1795262401}");
    for (size_t i = 0; i < sizeof password; i++)
        assert_int_equal(password[i], '\0');
    free(plain);
    json_decref(data);
    recipient_free(&recipient);
}

static void a_failure_is_notified_with_code_and_hint(void **state)
{
    (void)state;
    given_early_failure(&outcome, &request, REASON_TOO_OLD);
    request.user.by = NAMED_BY_NAME;
    SET(request.user.text, "Ola@Contoso.com");
    request.locale[0] = '\0';
    outcome.to.n = 1;
    SET(outcome.to.address[0], "admin@contoso.com");
    check("notification", "restore-failed");
}

static void a_conflict_is_notified_without_a_word_on_passwords(void **state)
{
    (void)state;
    outcome.reason = REASON_NAME_CONFLICT;
    outcome.to.n = 1;
    SET(outcome.to.address[0], "admin@contoso.com");
    request.locale[0] = '\0';
    check("notification", "restore-conflict");
}

static void given_freed(enum freed how)
{
    struct freed_user *freed = &outcome.freed;
    freed->how = how;
    SET(freed->id, "44444444-4444-4444-8444-444444444444");
    SET(freed->from, "ola@contoso.com");
    SET(freed->display_name, "Ola Hansen");
    SET(freed->preferred_language, "sv-SE");
    freed->told.n = 1;
    SET(freed->told.address[0], "ola.hansen@contoso.com");
    if (how == FREED_RENAMED)
        SET(freed->to, "ola.2@contoso.com");
    else
        freed->restorable_until_ms = GIVEN_FINISHED_MS + 30 * DAY_MS;
}

static void an_active_user_who_was_renamed_is_told(void **state)
{
    (void)state;
    given_freed(FREED_RENAMED);
    outcome.todo = TODO_RESTORED_ADMINISTRATOR;
    check("outcome", "renamed-active");
}

static void an_active_user_who_was_replaced_is_told(void **state)
{
    (void)state;
    given_freed(FREED_REPLACED);
    check("outcome", "replaced-active");
}

static void who_gave_way_in_vain_is_named_where_hands_are_needed(void **state)
{
    (void)state;
    given_freed(FREED_RENAMED);
    outcome.freed.told.n = 0;
    outcome.reason = REASON_NEEDS_HANDS;
    check("outcome", "needs-hands-freed");
}

static void given_holder_intent(struct intent *intent, enum intent_phase phase)
{
    *intent = (struct intent){.name_policy = NAME_POLICY_RENAME_ACTIVE,
                              .address_policy = ADDRESS_POLICY_REMOVE,
                              .phase = phase,
                              .user = outcome.before,
                              .started_at_ms = GIVEN_STARTED_MS};
    SET(intent->rename_template, "{local}.{n}@{domain}");
    SET(intent->holder.id, "44444444-4444-4444-8444-444444444444");
    SET(intent->holder.from, "ola@contoso.com");
    SET(intent->holder.to, "ola.2@contoso.com");
    publication.kind = PUBLISH_INTENT;
    publication.of.intent.request = &request;
    publication.of.intent.intent = intent;
}

static void an_intent_names_who_gives_way(void **state)
{
    (void)state;
    static struct intent intent;
    given_holder_intent(&intent, INTENT_FREE);
    check("intent", "rename-active");
}

static void an_undoing_intent_says_what_the_job_ends_with(void **state)
{
    (void)state;
    static struct intent intent;
    given_holder_intent(&intent, INTENT_UNDO);
    intent.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    intent.holder.to[0] = '\0';
    intent.refusal = REASON_DIRECTORY_REJECTED;
    check("intent", "undo-replace-active");
}

static void an_intent_tells_another_process_how_to_go_on(void **state)
{
    (void)state;
    static struct intent intent;
    intent = (struct intent){.name_policy = NAME_POLICY_RENAME_RESTORED,
                             .address_policy = ADDRESS_POLICY_REMOVE,
                             .generate_password = true,
                             .phase = INTENT_RESTORE,
                             .user = &before,
                             .started_at_ms = GIVEN_STARTED_MS};
    SET(intent.rename_template, "{local}.{n}@{domain}");
    publication.kind = PUBLISH_INTENT;
    publication.of.intent.request = &request;
    publication.of.intent.intent = &intent;
    check("intent", "rename-restored");
}

static struct dead_letter *given_dead_letter(struct record *record, bool readable)
{
    *record = (struct record){
        .topic = "user-restore.requests",
        .partition = 7,
        .offset = 4711,
        .key = "k\xff",
        .key_bytes = 2,
        .value = "{\"requestId\":",
        .value_bytes = 13,
        .n_headers = 2,
        .headers = {{.name = "content-type", .value = "application/json", .value_bytes = 16},
                    {.name = "empty", .value = NULL}}};
    static struct request_envelope cause;
    cause = (struct request_envelope){0};
    SET(cause.source, "urn:servicenow:prod");
    SET(cause.id, "INC0012345");
    SET(cause.correlation_id, "corr-1");
    struct dead_letter *letter =
        dead_letter_new(record, "line 1, column 13 (byte 13): value expected",
                        readable ? &cause : NULL, GIVEN_FINISHED_MS);
    assert_non_null(letter);
    publication.kind = PUBLISH_DEAD_LETTER;
    publication.of.dead_letter = letter;
    return letter;
}

static void a_dead_letter_with_a_readable_id_also_fails_the_request(void **state)
{
    (void)state;
    struct record record;
    struct dead_letter *letter = given_dead_letter(&record, true);
    memset(&record, 0xee, sizeof record); /* it must hold copies */
    check("dead-letter", "readable-id");
    dead_letter_free(letter);
}

static void a_dead_letter_keeps_a_null_key_and_a_null_value(void **state)
{
    (void)state;
    struct record record;
    struct dead_letter *letter = given_dead_letter(&record, false);
    dead_letter_free(letter);
    record.key = record.value = NULL;
    record.key_bytes = record.value_bytes = record.n_headers = 0;
    letter = dead_letter_new(&record, "the value is null", NULL, GIVEN_FINISHED_MS);
    publication.of.dead_letter = letter;
    check("dead-letter", "nothing");
    dead_letter_free(letter);
}

static void what_is_too_large_loses_its_value_then_key_and_headers(void **state)
{
    (void)state;
    struct record record;
    struct dead_letter *letter = given_dead_letter(&record, false);
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_true(dead_letter_shrink(publication.messages));
    assert_golden(&settings, publication.messages, "dead-letter", "truncated");
    assert_true(dead_letter_shrink(publication.messages));
    assert_golden(&settings, publication.messages, "dead-letter", "stripped");
    assert_false(dead_letter_shrink(publication.messages));
    assert_false(dead_letter_shrink(publication.messages->next)); /* the journal's record */
    dead_letter_free(letter);
}

/* ---- a record with `users` ---- */

static struct summary summary;

static void given_summary(int n_parts)
{
    request.user = (struct named){0};
    summary = (struct summary){.request = &request,
                               .started_at_ms = GIVEN_STARTED_MS,
                               .finished_at_ms = GIVEN_FINISHED_MS,
                               .n_parts = n_parts};
    publication.kind = PUBLISH_SUMMARY;
    publication.of.summary = &summary;
}

static void a_batch_is_summed_up_with_what_may_be_sent_next(void **state)
{
    (void)state;
    static char anna[] = "{\"id\":\"44444444-4444-4444-8444-444444444444\"}";
    static char requests[] = "[{\"key\":\"anna\",\"event\":{\"id\":\"1\"}}]";
    given_summary(4);
    summary.parts[0].verdict = VERDICT_SUCCEEDED;
    summary.parts[1] =
        (struct summary_part){.verdict = VERDICT_CONFLICT, .user = anna, .requests = requests};
    SET(summary.parts[1].code, "name_conflict");
    summary.parts[2] = (struct summary_part){.verdict = VERDICT_FAILED, .user = anna};
    SET(summary.parts[2].code, "retention_expired");
    summary.parts[3].verdict = VERDICT_SUCCEEDED;
    check("summary", "mixed");
}

static void a_plan_of_a_batch_counts_what_would_be(void **state)
{
    (void)state;
    given_summary(2);
    summary.parts[0] = (struct summary_part){.verdict = VERDICT_SUCCEEDED, .planned = true};
    summary.parts[1] = (struct summary_part){.verdict = VERDICT_FAILED, .planned = true};
    SET(summary.parts[1].code, "not_found");
    check("summary", "planned");
}

/* P7: a request of 64 KB must not make a record that its topic refuses. */
static void a_summary_leaves_out_requests_rather_than_outgrow_its_topic(void **state)
{
    (void)state;
    static char requests[20000];
    given_summary(ITEMS_MAX);
    memset(requests, ' ', sizeof requests - 1);
    memcpy(requests, "[{}", 3);
    requests[sizeof requests - 2] = ']';
    for (int i = 0; i < ITEMS_MAX; i++)
        summary.parts[i] = (struct summary_part){.verdict = VERDICT_FAILED, .requests = requests};
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    const struct out_message *event = publication.messages;
    assert_in_range(event->value_bytes, SUMMARY_BYTES_MAX / 2, SUMMARY_BYTES_MAX);
    json_error_t error;
    json_t *data = json_loadb(event->value, event->value_bytes, 0, &error);
    json_t *failures = json_object_get(data, "failures");
    assert_int_equal(json_array_size(failures), ITEMS_MAX);
    json_t *first = json_object_get(json_array_get(failures, 0), "requests");
    json_t *last = json_object_get(json_array_get(failures, ITEMS_MAX - 1), "requests");
    assert_int_equal(json_array_size(first), 1);
    assert_int_equal(json_array_size(last), 0);
    json_decref(data);
}

static void an_item_whose_id_was_used_keeps_its_outcome_under_its_offset(void **state)
{
    (void)state;
    given_early_failure(&outcome, &request, REASON_REQUEST_ID_REUSED);
    publication.kind = PUBLISH_REUSED;
    publication.item = 17;
    publication.of.reused = &outcome;
    check("reused", "item");
}

/* What stands in the journal after `outcome`, as a reader gets it. */
static void store(struct record *record)
{
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    const struct out_message *done = publication.messages;
    while (done->topic != TOPIC_JOURNAL)
        done = done->next;
    *record = (struct record){.key = done->key,
                              .key_bytes = done->key_bytes,
                              .value = done->value,
                              .value_bytes = done->value_bytes,
                              .n_headers = done->n_headers};
    memcpy(record->headers, done->headers, done->n_headers * sizeof *done->headers);
}

static void a_repeat_publishes_the_stored_outcome_with_the_flag_turned(void **state)
{
    (void)state;
    struct record stored;
    settings.type_prefix = "com.example.before."; /* the prefix was changed in between */
    store(&stored);
    struct out_message *kept = publication.messages;
    settings.type_prefix = "io.restore-worker.";
    publication = (struct publication){
        .kind = PUBLISH_REPLAY, .partition = 7, .offset = 5000, .of.replay.record = &stored};
    check("replay", "restored");
    struct publication first = {.messages = kept};
    publication_free_messages(&first);
}

static void an_answer_is_replayed_where_answers_go(void **state)
{
    (void)state;
    struct record stored;
    store(&stored);
    struct publication first = {.messages = publication.messages};
    publication = (struct publication){.kind = PUBLISH_REPLAY,
                                       .of.replay = {.record = &stored, .mode = MODE_LIST}};
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_int_equal(publication.messages->topic, TOPIC_PLANS);
    publication_free_messages(&first);
}

static void a_summary_of_plans_is_replayed_where_summaries_go(void **state)
{
    (void)state;
    given_summary(0);
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    struct out_message *summary_message = publication.messages;
    struct record stored = {.key = summary_message->key,
                            .key_bytes = summary_message->key_bytes,
                            .value = summary_message->value,
                            .value_bytes = summary_message->value_bytes,
                            .n_headers = summary_message->n_headers};
    memcpy(stored.headers, summary_message->headers,
           stored.n_headers * sizeof *summary_message->headers);
    struct publication first = {.messages = summary_message};
    publication = (struct publication){.kind = PUBLISH_REPLAY,
                                       .of.replay = {.record = &stored, .mode = MODE_PLAN}};
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_int_equal(publication.messages->topic, TOPIC_BATCHES);
    publication_free_messages(&first);
}

static void what_is_no_outcome_is_not_replayed(void **state)
{
    (void)state;
    struct record stored;
    store(&stored);
    struct out_message *kept = publication.messages;
    publication = (struct publication){.kind = PUBLISH_REPLAY, .of.replay.record = &stored};
    assert_true(replay_is_possible(&stored));
    struct record whole = stored;
    stored.value_bytes = 5;
    assert_false(replay_is_possible(&stored));
    assert_int_equal(publication_encode(&settings, &publication, &scratch), -EPROTO);
    assert_null(publication.messages);
    stored = whole;
    stored.n_headers = 0;
    assert_false(replay_is_possible(&stored));
    assert_int_equal(publication_encode(&settings, &publication, &scratch), -EPROTO);
    stored = whole;
    stored.n_headers = RECORD_HEADERS_MAX + 1;
    assert_false(replay_is_possible(&stored));
    assert_int_equal(publication_encode(&settings, &publication, &scratch), -EPROTO);
    struct publication first = {.messages = kept};
    publication_free_messages(&first);
}

static void an_encoded_publication_is_not_encoded_again(void **state)
{
    (void)state;
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    const struct out_message *messages = publication.messages;
    outcome.reason = REASON_NOT_FOUND;
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_ptr_equal(publication.messages, messages);
}

static void the_event_id_is_the_contracts_vector(void **state)
{
    (void)state;
    assert_int_equal(publication_encode(&settings, &publication, &scratch), 0);
    assert_string_equal(publication.messages->headers[2].name, "ce_id");
    assert_string_equal(publication.messages->headers[2].value,
                        "3fac718e-8086-5256-a5ed-f283398b4b66");
}

static void every_failure_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < REASONS; a++) {
        bool failure = reason_verdict((enum reason)a) == VERDICT_FAILED;
        assert_int_equal(failure_message((enum reason)a)[0] != '\0', failure);
        for (int b = 0; failure && b < a; b++)
            assert_string_not_equal(failure_message((enum reason)a),
                                    failure_message((enum reason)b));
    }
}

static void a_requests_time_is_written_when_it_has_one(void **state)
{
    (void)state;
    request_encode(&scratch, NULL, &request, settings.type_prefix);
    json_error_t error;
    json_t *event = json_loadb(scratch.bytes, scratch.used, 0, &error);
    assert_string_equal(json_string_value(json_object_get(event, "time")),
                        "2026-11-20T11:59:00.000Z");
    assert_string_equal(json_string_value(json_object_get(event, "type")),
                        "io.restore-worker.user.restore.requested.v1");
    json_decref(event);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_everything, free_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restore_that_changed_much),
        TEST(a_user_who_was_active_already),
        TEST(a_name_clash_with_two_ways_out),
        TEST(a_chosen_name_that_was_not_tried_is_kept),
        TEST(an_address_clash_with_an_unknown_holder),
        TEST(addresses_clash_with_objects_of_every_kind),
        TEST(a_user_nobody_found_is_named_as_the_request_did),
        TEST(a_refusal_of_the_directory_is_told_in_its_words),
        TEST(what_may_be_sent_again_comes_ready_to_send),
        TEST(an_uncertain_end_says_what_is_certain),
        TEST(who_can_be_restored),
        TEST(a_list_that_failed_goes_to_the_plans_topic),
        TEST(a_plan_that_would_restore_can_be_applied),
        TEST(a_plan_that_would_end_in_a_conflict),
        TEST(a_plan_that_would_fail),
        TEST(a_resend_after_a_conflict_is_bound_to_no_plan),
        TEST(a_name_for_the_holder_that_was_tried_is_not_tried_again),
        TEST(a_plan_for_who_is_active_has_nothing_to_apply),
        TEST(a_reused_id_leaves_the_originals_journal_record_alone),
        TEST(the_generated_password_travels_only_in_the_notification),
        TEST(a_failure_is_notified_with_code_and_hint),
        TEST(a_conflict_is_notified_without_a_word_on_passwords),
        TEST(an_intent_tells_another_process_how_to_go_on),
        TEST(an_intent_names_who_gives_way),
        TEST(an_undoing_intent_says_what_the_job_ends_with),
        TEST(an_active_user_who_was_renamed_is_told),
        TEST(an_active_user_who_was_replaced_is_told),
        TEST(who_gave_way_in_vain_is_named_where_hands_are_needed),
        TEST(a_dead_letter_with_a_readable_id_also_fails_the_request),
        TEST(a_dead_letter_keeps_a_null_key_and_a_null_value),
        TEST(what_is_too_large_loses_its_value_then_key_and_headers),
        TEST(a_repeat_publishes_the_stored_outcome_with_the_flag_turned),
        TEST(an_answer_is_replayed_where_answers_go),
        TEST(a_summary_of_plans_is_replayed_where_summaries_go),
        TEST(what_is_no_outcome_is_not_replayed),
        TEST(a_batch_is_summed_up_with_what_may_be_sent_next),
        TEST(a_plan_of_a_batch_counts_what_would_be),
        TEST(a_summary_leaves_out_requests_rather_than_outgrow_its_topic),
        TEST(an_item_whose_id_was_used_keeps_its_outcome_under_its_offset),
        TEST(an_encoded_publication_is_not_encoded_again),
        TEST(the_event_id_is_the_contracts_vector),
        TEST(every_failure_has_a_sentence_of_its_own),
        TEST(a_requests_time_is_written_when_it_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

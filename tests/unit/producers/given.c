#include "tests/unit/producers/given.h"

#include "policy/instant.h"

static void set(char *to, size_t bytes, const char *text)
{
    (void)text_copy(to, bytes, text);
}
#define SET(field, text) set(field, sizeof(field), text)

void given_event_settings(struct event_settings *settings)
{
    *settings = (struct event_settings){
        .topics = {[TOPIC_SUCCEEDED] = "user-restore.succeeded",
                   [TOPIC_CONFLICTS] = "user-restore.conflicts",
                   [TOPIC_FAILED] = "user-restore.failed",
                   [TOPIC_BATCHES] = "user-restore.batches",
                   [TOPIC_PLANS] = "user-restore.plans",
                   [TOPIC_NOTIFICATIONS] = "user-restore.notifications",
                   [TOPIC_DEAD_LETTERS] = "user-restore.dead-letters",
                   [TOPIC_JOURNAL] = "user-restore.journal"},
        .source = "urn:restore-worker:restore-worker",
        .type_prefix = "io.restore-worker.",
        .secret_expire_ms = 24 * HOUR_MS,
        .retention_ms = 30 * DAY_MS,
        .default_tenant = "contoso",
    };
}

void given_request(struct restore_request *request)
{
    *request = (struct restore_request){.user.by = NAMED_BY_ID, .requested_by.by = NAMED_BY_NAME};
    SET(request->envelope.source, "urn:servicenow:prod");
    SET(request->envelope.id, "INC0012345");
    SET(request->envelope.digest,
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    request->envelope.requested_at_ms = GIVEN_STARTED_MS - MINUTE_MS;
    SET(request->user.text, GIVEN_USER_ID);
    SET(request->requested_by.text, "Admin@contoso.com");
    SET(request->reason, "INC0012345: deleted by \"mistake\"");
    SET(request->ticket_system, "servicenow");
    SET(request->ticket_id, "INC0012345");
    SET(request->locale, "nb-NO");
}

void given_user(struct user_facts *user)
{
    *user = (struct user_facts){.enabled = true, .n_other_mails = 1};
    SET(user->id, GIVEN_USER_ID);
    SET(user->user_principal_name, "ola@contoso.com");
    SET(user->display_name, "Ola Nordmann \xC3\x86");
    SET(user->mail, "ola@contoso.com");
    SET(user->preferred_language, "nb-NO");
    SET(user->other_mails[0], "ola@home.example");
    user->created_at_ms = GIVEN_STARTED_MS - 400 * DAY_MS;
    user->deleted_at_ms = GIVEN_STARTED_MS - 10 * DAY_MS;
    user->last_password_change_at_ms = GIVEN_STARTED_MS - 100 * DAY_MS;
    (void)string_list_add(&user->proxy_addresses, "SMTP:ola@contoso.com");
    (void)string_list_add(&user->proxy_addresses, "smtp:o.n@contoso.com");
}

void given_outcome(struct outcome *outcome, const struct restore_request *request,
                   const struct user_facts *before)
{
    static struct operation operations[2] = {
        {.operation = DIRECTORY_RESTORE,
         .client_request_id = "11111111-1111-5111-8111-111111111111",
         .request_id = "22222222-2222-4222-8222-222222222222",
         .at_ms = GIVEN_STARTED_MS + 500},
        {.operation = DIRECTORY_SET_PASSWORD,
         .client_request_id = "33333333-3333-5333-8333-333333333333"},
    };
    *outcome = (struct outcome){.request = request,
                                .reason = REASON_RESTORED,
                                .started_at_ms = GIVEN_STARTED_MS,
                                .finished_at_ms = GIVEN_FINISHED_MS,
                                .restorable_until_ms = before->deleted_at_ms + 30 * DAY_MS,
                                .milliseconds_left = 20 * DAY_MS - 1234,
                                .before = before,
                                .password = PASSWORD_LEFT,
                                .n_operations = 2,
                                .operations = operations};
    SET(outcome->user_id, before->id);
    SET(outcome->user_principal_name, before->user_principal_name);
    SET(outcome->display_name, before->display_name);
    SET(outcome->mail, before->mail);
    SET(outcome->preferred_language, before->preferred_language);
}

void given_early_failure(struct outcome *outcome, const struct restore_request *request,
                         enum reason reason)
{
    *outcome = (struct outcome){.request = request,
                                .reason = reason,
                                .started_at_ms = GIVEN_STARTED_MS,
                                .finished_at_ms = GIVEN_FINISHED_MS};
}

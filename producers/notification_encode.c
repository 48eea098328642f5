#include "producers/notification_encode.h"

#include "policy/instant.h"
#include "producers/cloudevent_out.h"
#include "producers/jwe.h"
#include "producers/outcome_encode.h"
#include "producers/request_encode.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREED_TEMPLATE "user-renamed"

static const char *template_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_SUCCEEDED: return "user-restored";
    case VERDICT_CONFLICT: return "restore-conflict";
    case VERDICT_FAILED: return "restore-failed";
    case VERDICT_PROCEED: break;
    }
    assert(false && "an outcome has a verdict");
    return "";
}

/* Bound to its event, reader and time, so that it cannot be taken out and used elsewhere. */
static int encrypt_secret(const struct event_settings *settings, const struct outcome *outcome,
                          const char *event_id, char *password, char **ret_compact)
{
    struct json_out plain = {0};
    json_out_open_object(&plain, NULL);
    json_out_text(&plain, "password", password);
    json_out_text(&plain, "userPrincipalName", outcome->user_principal_name);
    json_out_text(&plain, "userId", outcome->user_id);
    json_out_text(&plain, "eventId", event_id);
    json_out_recipients(&plain, "to", &outcome->to);
    json_out_number(&plain, "exp",
                    (outcome->finished_at_ms + settings->secret_expire_ms) / SECOND_MS);
    json_out_close_object(&plain);
    int rc = plain.failed
                 ? -ENOMEM
                 : jwe_encrypt(settings->recipient_key, plain.bytes, plain.used, ret_compact);
    json_out_free(&plain);
    if (rc == 0)
        explicit_bzero(password, strlen(password));
    return rc;
}

/* As resolved, else as named: a mail about a failure should say whom it is about. */
static const char *user_principal_name(const struct outcome *outcome)
{
    if (outcome->user_id[0] != '\0')
        return outcome->user_principal_name;
    return outcome->request->user.by == NAMED_BY_NAME ? outcome->request->user.text : NULL;
}

static void encode_contact_and_cause(struct json_out *out, const struct outcome *outcome)
{
    if (outcome->contact_display_name[0] != '\0' || outcome->contact_mail[0] != '\0') {
        json_out_open_object(out, "contact");
        json_out_text(out, "displayName", outcome->contact_display_name);
        json_out_text(out, "mail", outcome->contact_mail);
        json_out_close_object(out);
    }
    request_encode_ticket(out, outcome->request);
    json_out_text(out, "reason", outcome->request->reason);
}

static void encode_values(struct json_out *out, const struct outcome *outcome)
{
    const struct user_facts *before = outcome->before;
    enum verdict verdict = reason_verdict(outcome->reason);
    json_out_open_object(out, "values");
    json_out_text(out, "displayName", outcome->display_name);
    json_out_text(out, "userPrincipalName", user_principal_name(outcome));
    if (before != NULL && outcome->user_principal_name[0] != '\0' &&
        strcmp(before->user_principal_name, outcome->user_principal_name) != 0)
        json_out_text(out, "previousUserPrincipalName", before->user_principal_name);
    if (outcome->removed_addresses != NULL && outcome->removed_addresses->n > 0)
        json_out_strings(out, "removedProxyAddresses", outcome->removed_addresses);
    if (verdict == VERDICT_SUCCEEDED) {
        bool generated = outcome->password == PASSWORD_GENERATED;
        if (outcome->reason == REASON_RESTORED)
            json_out_time(out, "restoredAt", outcome->finished_at_ms);
        json_out_bool(out, "passwordChanged", generated);
        json_out_bool(out, "mustChangeAtSignIn", generated);
    }
    encode_contact_and_cause(out, outcome);
    if (verdict != VERDICT_SUCCEEDED) {
        json_out_text(out, "code", reason_code(outcome->reason));
        json_out_text(out, "hint", reason_hint(outcome->reason));
    }
    json_out_close_object(out);
}

static void open_data(struct json_out *out, const struct event_settings *settings,
                      const struct restore_request *request, const char *template)
{
    json_out_reset(out);
    json_out_open_object(out, NULL);
    json_out_text(out, "requestId", request->envelope.id);
    json_out_text(out, "tenant",
                  request->tenant[0] != '\0' ? request->tenant : settings->default_tenant);
    json_out_text(out, "template", template);
}

static void encode_data(struct json_out *out, const struct event_settings *settings,
                        const struct outcome *outcome, const char *secret)
{
    const struct restore_request *request = outcome->request;
    open_data(out, settings, request, template_of(reason_verdict(outcome->reason)));
    json_out_recipients(out, "to", &outcome->to);
    json_out_recipients(out, "cc", &outcome->cc);
    json_out_text(out, "locale",
                  request->locale[0] != '\0' ? request->locale : outcome->preferred_language);
    encode_values(out, outcome);
    json_out_time(out, "expiresAt", outcome->finished_at_ms + settings->secret_expire_ms);
    json_out_text(out, "secret", secret);
    json_out_close_object(out);
}

int notification_encode(const struct event_settings *settings, const struct outcome *outcome,
                        char *password, struct json_out *scratch, struct out_message **ret_event)
{
    char id_kind[64], id[GUID_CHARS + 1], object_id[GUID_CHARS + 1], *secret = NULL;
    (void)snprintf(id_kind, sizeof id_kind, "notification-requested:%s",
                   template_of(reason_verdict(outcome->reason)));
    request_uuid(outcome->request, id_kind, id);
    if (password[0] != '\0') {
        assert(settings->recipient_key != NULL && outcome->to.n > 0);
        int rc = encrypt_secret(settings, outcome, id, password, &secret);
        if (rc < 0)
            return rc;
    }
    encode_data(scratch, settings, outcome, secret);
    outcome_object_id(outcome, object_id);
    struct cloudevent event = {
        .kind = EVENT_NOTIFICATION,
        .id = id,
        .object_id = object_id,
        .cause = &outcome->request->envelope,
        .time_ms = outcome->finished_at_ms,
        .expires_at_ms = secret == NULL ? 0 : outcome->finished_at_ms + settings->secret_expire_ms};
    free(secret);
    return cloudevent_encode(settings, &event, scratch, ret_event);
}

static void encode_freed_data(struct json_out *out, const struct event_settings *settings,
                              const struct outcome *outcome)
{
    const struct freed_user *freed = &outcome->freed;
    bool renamed = freed->how == FREED_RENAMED;
    open_data(out, settings, outcome->request, FREED_TEMPLATE);
    json_out_recipients(out, "to", &freed->told);
    json_out_open_array(out, "cc");
    json_out_close_array(out);
    json_out_text(out, "locale", freed->preferred_language);
    json_out_open_object(out, "values");
    json_out_text(out, "displayName", freed->display_name);
    /* Replaced: there is no other name, because there is no account. */
    json_out_text(out, "userPrincipalName", renamed ? freed->to : freed->from);
    json_out_text(out, "previousUserPrincipalName", renamed ? freed->from : NULL);
    json_out_bool(out, "passwordChanged", false);
    encode_contact_and_cause(out, outcome);
    json_out_close_object(out);
    json_out_time(out, "expiresAt", outcome->finished_at_ms + settings->secret_expire_ms);
    json_out_close_object(out);
}

int notification_encode_freed(const struct event_settings *settings, const struct outcome *outcome,
                              struct json_out *scratch, struct out_message **ret_event)
{
    char id[GUID_CHARS + 1];
    request_uuid(outcome->request, "notification-requested:" FREED_TEMPLATE, id);
    encode_freed_data(scratch, settings, outcome);
    struct cloudevent event = {.kind = EVENT_NOTIFICATION,
                               .id = id,
                               .object_id = outcome->freed.id,
                               .cause = &outcome->request->envelope,
                               .time_ms = outcome->finished_at_ms};
    return cloudevent_encode(settings, &event, scratch, ret_event);
}

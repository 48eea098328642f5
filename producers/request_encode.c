#include "producers/request_encode.h"

#include <stdio.h>

void request_key(const struct restore_request *request, char ret_key[IDENTITY_BYTES + 1])
{
    bool is_list = request->mode == MODE_LIST;
    (void)text_copy(ret_key, IDENTITY_BYTES + 1,
                    is_list ? request->envelope.id : request->user.text);
    if (!is_list)
        text_lower(ret_key);
}

const char *request_named_member(enum named_by by)
{
    switch (by) {
    case NAMED_BY_ID: return "id";
    case NAMED_BY_NAME: return "userPrincipalName";
    case NAMED_BY_APP_ID: return "appId";
    case NAMED_BY_NOTHING: break;
    }
    return NULL;
}

void request_encode_named(struct json_out *out, const char *name, const struct named *named)
{
    if (named->by == NAMED_BY_NOTHING)
        return;
    json_out_open_object(out, name);
    json_out_text(out, request_named_member(named->by), named->text);
    json_out_close_object(out);
}

void request_encode_ticket(struct json_out *out, const struct restore_request *request)
{
    if (request->ticket_system[0] == '\0' && request->ticket_id[0] == '\0')
        return;
    json_out_open_object(out, "ticket");
    json_out_text(out, "system", request->ticket_system);
    json_out_text(out, "id", request->ticket_id);
    json_out_close_object(out);
}

static void encode_conflict(struct json_out *out, const struct restore_request *request)
{
    /* A name may be given without a policy: the configuration's default may want it. */
    bool has_name_part = request->name_policy != NAME_POLICY_ABSENT ||
                         request->new_user_principal_name[0] != '\0' ||
                         request->rename_active_to[0] != '\0';
    if (!has_name_part && request->address_policy == ADDRESS_POLICY_ABSENT)
        return;
    json_out_open_object(out, "conflict");
    if (has_name_part) {
        json_out_open_object(out, "userPrincipalName");
        json_out_text(out, "policy", name_policy_word(request->name_policy));
        json_out_text(out, "newUserPrincipalName", request->new_user_principal_name);
        json_out_text(out, "renameActiveTo", request->rename_active_to);
        json_out_close_object(out);
    }
    json_out_text(out, "proxyAddresses", address_policy_word(request->address_policy));
    json_out_close_object(out);
}

static void encode_notify(struct json_out *out, const struct restore_request *request)
{
    if (!request->has_notify_to && request->notify_cc.n == 0 && request->locale[0] == '\0')
        return;
    json_out_open_object(out, "notify");
    if (request->has_notify_to)
        json_out_recipients(out, "to", &request->notify_to);
    if (request->notify_cc.n > 0)
        json_out_recipients(out, "cc", &request->notify_cc);
    json_out_text(out, "locale", request->locale);
    json_out_close_object(out);
}

/* Beside `users`, who is told is each item's own matter (contract 3). */
static void encode_users(struct json_out *out, const struct restore_request *request,
                         const struct named *users, int n_users)
{
    json_out_open_array(out, "users");
    for (int i = 0; i < n_users; i++) {
        json_out_open_object(out, NULL);
        json_out_text(out, request_named_member(users[i].by), users[i].text);
        encode_notify(out, request);
        json_out_close_object(out);
    }
    json_out_close_array(out);
}

void request_encode_data(struct json_out *out, const char *name,
                         const struct restore_request *request, const struct named *users,
                         int n_users)
{
    json_out_open_object(out, name);
    if (request->mode != MODE_RESTORE)
        json_out_text(out, "mode", request_mode_word(request->mode));
    json_out_text(out, "tenant", request->tenant);
    if (n_users > 1)
        encode_users(out, request, users, n_users);
    else if (n_users == 1)
        request_encode_named(out, "user", users);
    request_encode_named(out, "requestedBy", &request->requested_by);
    encode_conflict(out, request);
    json_out_text(out, "password", password_choice_word(request->password));
    if (n_users <= 1)
        encode_notify(out, request);
    json_out_text(out, "reason", request->reason);
    request_encode_ticket(out, request);
    json_out_time(out, "notAfter", request->not_after_ms);
    json_out_text(out, "planHash", request->plan_hash);
    json_out_text(out, "match", request->match);
    if (request->closing_within_days > 0)
        json_out_number(out, "closingWithinDays", request->closing_within_days);
    json_out_close_object(out);
}

void request_encode(struct json_out *out, const char *name, const struct restore_request *request,
                    const char *type_prefix)
{
    const struct request_envelope *envelope = &request->envelope;
    char type[256], key[IDENTITY_BYTES + 1];
    (void)snprintf(type, sizeof type, "%suser.restore.requested.v1", type_prefix);
    request_key(request, key);
    json_out_open_object(out, name);
    json_out_text(out, "specversion", "1.0");
    json_out_text(out, "id", envelope->id);
    json_out_text(out, "source", envelope->source);
    json_out_text(out, "type", type);
    json_out_time(out, "time", envelope->requested_at_ms);
    json_out_text(out, "datacontenttype", "application/json");
    json_out_text(out, "dataschema", "urn:restore-worker:schema:requested:1");
    json_out_text(out, "partitionkey", key);
    json_out_text(out, "correlationid", envelope->correlation_id);
    json_out_text(out, "traceparent", envelope->traceparent);
    json_out_text(out, "tracestate", envelope->tracestate);
    request_encode_data(out, "data", request, &request->user, 1);
    json_out_close_object(out);
}

void request_encode_ready(struct json_out *out, const char *name,
                          const struct restore_request *ready, const char *id_kind,
                          const char *type_prefix)
{
    struct restore_request request = *ready;
    char key[IDENTITY_BYTES + 1], id[GUID_CHARS + 1];
    request_uuid(ready, id_kind, id);
    request.envelope.requested_at_ms = 0; /* its age counts from sending */
    if (request.envelope.correlation_id[0] == '\0')
        (void)text_copy(request.envelope.correlation_id, sizeof request.envelope.correlation_id,
                        ready->envelope.id);
    (void)text_copy(request.envelope.id, sizeof request.envelope.id, id);
    request_key(&request, key);
    json_out_open_object(out, name);
    json_out_text(out, "key", key);
    request_encode(out, "event", &request, type_prefix);
    json_out_close_object(out);
}

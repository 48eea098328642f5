#include "producers/outcome_encode.h"

#include "producers/cloudevent_out.h"
#include "producers/request_encode.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void outcome_object_id(const struct outcome *outcome, char ret_id[GUID_CHARS + 1])
{
    const struct named *named = &outcome->request->user;
    ret_id[0] = '\0';
    if (outcome->user_id[0] != '\0')
        (void)text_copy(ret_id, GUID_CHARS + 1, outcome->user_id);
    else if (named->by == NAMED_BY_ID)
        (void)text_copy(ret_id, GUID_CHARS + 1, named->text);
    text_lower(ret_id);
}

const char *failure_message(enum reason reason)
{
    static const char *const messages[REASONS] = {
        [REASON_MALFORMED] = "The record is not a request.",
        [REASON_REQUEST_ID_REUSED] = "Another request came before under this source and id.",
        [REASON_UNKNOWN_TENANT] = "The request names no tenant that is configured.",
        [REASON_TOO_OLD] = "The request is older than it may be.",
        [REASON_RETENTION_EXPIRED] = "The time in which the user could be restored is over.",
        [REASON_NOT_FOUND] = "The directory knows no deleted user of that name or id.",
        [REASON_AMBIGUOUS_USER] = "Several deleted users bore that name.",
        [REASON_DUPLICATE_USER] = "Another item of the batch names the same account.",
        [REASON_REQUESTER_UNKNOWN] = "The requester is no enabled user or app of the tenant.",
        [REASON_REQUESTER_NOT_AUTHORIZED] = "The requester may not restore users.",
        [REASON_PRIVILEGED_TARGET] = "The deleted user holds a directory role.",
        [REASON_SYNCED_USER] = "The user is synchronised from an on-premises directory.",
        [REASON_POLICY_NOT_ALLOWED] = "The requested conflict policy is not allowed here.",
        [REASON_RECIPIENT_NOT_ALLOWED] = "The password has no recipient that is allowed.",
        [REASON_OVER_LIMIT] = "As many users were restored within the hour as are allowed.",
        [REASON_PLAN_STALE] = "The facts are no longer those of the plan.",
        [REASON_DEADLINE_EXCEEDED] = "The time allowed for the request ran out.",
        [REASON_DIRECTORY_UNAVAILABLE] = "The directory gave no usable answer in time.",
        [REASON_DIRECTORY_DENIED] = "The directory denied the worker the right to do this.",
        [REASON_DIRECTORY_REJECTED] = "The directory refused the change.",
        [REASON_NEEDS_HANDS] = "The restore was begun, and its end could not be confirmed.",
    };
    return messages[reason] != NULL ? messages[reason] : "";
}

static void encode_list(struct json_out *out, const struct user_list *list)
{
    json_out_open_array(out, "users");
    for (int i = 0; i < list->n; i++) {
        const struct listed_user *user = &list->users[i];
        json_out_open_object(out, NULL);
        json_out_text(out, "id", user->id);
        json_out_text(out, "userPrincipalName", user->user_principal_name);
        json_out_text(out, "displayName", user->display_name);
        json_out_time(out, "deletedAt", user->deleted_at_ms);
        json_out_time(out, "restorableUntil", user->restorable_until_ms);
        json_out_bool(out, "synced", user->synced);
        json_out_close_object(out);
    }
    json_out_close_array(out);
    json_out_bool(out, "truncated", list->truncated);
}

static void encode_user(struct json_out *out, const struct outcome *outcome)
{
    if (outcome->user_id[0] == '\0') {
        request_encode_named(out, "user", &outcome->request->user);
        return;
    }
    json_out_open_object(out, "user");
    json_out_text(out, "id", outcome->user_id);
    json_out_text(out, "userPrincipalName", outcome->user_principal_name);
    json_out_text(out, "displayName", outcome->display_name);
    json_out_close_object(out);
}

static void encode_directory(struct json_out *out, const struct outcome *outcome)
{
    json_out_open_array(out, "directory");
    for (int i = 0; i < outcome->n_operations; i++) {
        const struct operation *operation = &outcome->operations[i];
        json_out_open_object(out, NULL);
        json_out_text(out, "operation", directory_operation_name(operation->operation));
        json_out_text(out, "clientRequestId", operation->client_request_id);
        json_out_text(out, "requestId", operation->request_id);
        json_out_time(out, "at", operation->at_ms);
        json_out_close_object(out);
    }
    json_out_close_array(out);
}

static void encode_common(struct json_out *out, const struct event_settings *settings,
                          const struct outcome *outcome)
{
    const struct restore_request *request = outcome->request;
    json_out_bool(out, "replayed", false); /* OUTCOME_BEGIN */
    json_out_text(out, "requestId", request->envelope.id);
    json_out_text(out, "tenant",
                  request->tenant[0] != '\0' ? request->tenant : settings->default_tenant);
    encode_user(out, outcome);
    request_encode_named(out, "requestedBy", &request->requested_by);
    json_out_text(out, "reason", request->reason);
    request_encode_ticket(out, request);
    if (outcome->before != NULL)
        json_out_time(out, "deletedAt", outcome->before->deleted_at_ms);
    if (outcome->restorable_until_ms != 0) {
        int64_t left_ms = outcome->milliseconds_left;
        json_out_time(out, "restorableUntil", outcome->restorable_until_ms);
        json_out_number(out, "secondsLeft", left_ms > 0 ? left_ms / 1000 : 0);
    }
    json_out_time(out, "startedAt", outcome->started_at_ms);
    json_out_time(out, "finishedAt", outcome->finished_at_ms);
    encode_directory(out, outcome);
}

static void encode_todo(struct json_out *out, unsigned todo, const char *first)
{
    static const char *const words[] = {"sign_in_disabled",       "no_licence",
                                        "password_not_set",       "not_yet_visible",
                                        "restored_administrator", "was_synchronised"};
    json_out_open_array(out, "todo");
    json_out_text(out, NULL, first);
    for (size_t bit = 0; bit < sizeof words / sizeof *words; bit++)
        if (todo & 1U << bit)
            json_out_text(out, NULL, words[bit]);
    json_out_close_array(out);
}

/* Without `to` there is none any more: a primary address lost to another takes `mail` with it. */
static void encode_change(struct json_out *out, const char *name, const char *from, const char *to)
{
    if (strcmp(from, to) == 0)
        return;
    json_out_open_object(out, name);
    json_out_text(out, "from", from);
    json_out_text(out, "to", to);
    json_out_close_object(out);
}

static void encode_freed(struct json_out *out, const struct freed_user *freed)
{
    if (freed->how == FREED_NOBODY)
        return;
    bool renamed = freed->how == FREED_RENAMED;
    json_out_open_object(out, renamed ? "renamedActiveUser" : "replacedActiveUser");
    json_out_text(out, "id", freed->id);
    json_out_text(out, renamed ? "from" : "userPrincipalName", freed->from);
    json_out_text(out, "to", freed->to);
    json_out_time(out, "restorableUntil", freed->restorable_until_ms);
    json_out_close_object(out);
}

static void encode_succeeded(struct json_out *out, const struct outcome *outcome)
{
    static const char *const passwords[] = {
        [PASSWORD_UNTOUCHED] = "", [PASSWORD_GENERATED] = "generated", [PASSWORD_LEFT] = "left"};
    const struct user_facts *before = outcome->before;
    json_out_text(out, "disposition", reason_code(outcome->reason));
    json_out_open_object(out, "changes");
    if (before != NULL) {
        const char *planned = outcome->new_user_principal_name;
        encode_change(out, "userPrincipalName", before->user_principal_name,
                      planned[0] != '\0' ? planned : outcome->user_principal_name);
        encode_change(out, "mail", before->mail, outcome->mail);
    }
    if (outcome->removed_addresses != NULL && outcome->removed_addresses->n > 0)
        json_out_strings(out, "removedProxyAddresses", outcome->removed_addresses);
    encode_freed(out, &outcome->freed);
    json_out_text(out, "password", passwords[outcome->password]);
    json_out_close_object(out);
    encode_todo(out, outcome->todo, NULL);
}

static void encode_holder(struct json_out *out, const struct holder *holder)
{
    if (holder->type == HOLDER_UNKNOWN) {
        json_out_text(out, "holder", holder_type_word(holder->type));
        return;
    }
    json_out_open_object(out, "holder");
    json_out_text(out, "id", holder->id);
    json_out_text(out, "type", holder_type_word(holder->type));
    json_out_text(out, "userPrincipalName", holder->user_principal_name);
    json_out_text(out, "displayName", holder->display_name);
    json_out_time(out, "createdAt", holder->created_at_ms);
    if (holder->type == HOLDER_USER)
        json_out_bool(out, "enabled", holder->enabled);
    json_out_close_object(out);
}

static void encode_conflicts(struct json_out *out, const struct outcome *outcome)
{
    json_out_open_array(out, "conflicts");
    for (int i = 0; i < outcome->n_conflicts; i++) {
        const struct conflict *conflict = &outcome->conflicts[i];
        bool is_address = conflict->property == CONFLICT_PROXY_ADDRESSES;
        json_out_open_object(out, NULL);
        json_out_text(out, "property", is_address ? "proxyAddresses" : "userPrincipalName");
        json_out_text(out, "value", conflict->value);
        encode_holder(out, &conflict->holder);
        json_out_close_object(out);
    }
    json_out_close_array(out);
}

static bool has_clashed(const struct outcome *outcome, const char *name)
{
    for (int i = 0; i < outcome->n_conflicts; i++)
        if (outcome->conflicts[i].property == CONFLICT_USER_PRINCIPAL_NAME &&
            text_equal_ignore_case(outcome->conflicts[i].value, name))
            return true;
    return false;
}

static void encode_resend(struct json_out *out, const struct event_settings *settings,
                          const struct outcome *outcome)
{
    if (!reason_resend(outcome->reason))
        return;
    struct restore_request request = *outcome->request;
    request.not_after_ms = 0;
    if (reason_verdict(outcome->reason) == VERDICT_CONFLICT)
        request.plan_hash[0] = '\0'; /* of facts that must change first */
    request_encode_ready(out, "resend", &request, "resend", settings->type_prefix);
}

static bool has_resolution(const struct outcome *outcome)
{
    for (int policy = 0; policy < NAME_POLICIES; policy++)
        if (outcome->resolution[policy])
            return true;
    return outcome->resolution_remove;
}

static void encode_resolution(struct json_out *out, const struct event_settings *settings,
                              const struct restore_request *request, const char *policy)
{
    json_out_open_object(out, NULL);
    json_out_text(out, "policy", policy);
    request_encode_ready(out, "request", request, policy, settings->type_prefix);
    json_out_close_object(out);
}

static void encode_resolutions(struct json_out *out, const struct event_settings *settings,
                               const struct outcome *outcome)
{
    json_out_open_array(out, "resolutions");
    for (int i = NAME_POLICY_REJECT; i < NAME_POLICIES; i++) {
        enum name_policy policy = (enum name_policy)i;
        if (!outcome->resolution[policy])
            continue;
        struct restore_request request = *outcome->request;
        /* A name means nothing to another policy, and one that has just clashed would again: the
         * template finds another. */
        if (policy != NAME_POLICY_RENAME_RESTORED ||
            has_clashed(outcome, request.new_user_principal_name))
            request.new_user_principal_name[0] = '\0';
        if (policy != NAME_POLICY_RENAME_ACTIVE || outcome->name_policy == policy)
            request.rename_active_to[0] = '\0';
        request.name_policy = policy;
        request.plan_hash[0] = '\0'; /* of a plan under another policy */
        encode_resolution(out, settings, &request, name_policy_word(policy));
    }
    if (outcome->resolution_remove) {
        struct restore_request request = *outcome->request;
        request.address_policy = ADDRESS_POLICY_REMOVE;
        request.plan_hash[0] = '\0';
        encode_resolution(out, settings, &request, address_policy_word(ADDRESS_POLICY_REMOVE));
    }
    json_out_close_array(out);
    if (!has_resolution(outcome)) /* what is left is to free the name or address, and try again */
        encode_resend(out, settings, outcome);
}

static void encode_candidates(struct json_out *out, const struct outcome *outcome)
{
    if (outcome->n_candidates == 0)
        return;
    json_out_open_array(out, "candidates");
    for (int i = 0; i < outcome->n_candidates; i++) {
        const struct candidate *candidate = &outcome->candidates[i];
        json_out_open_object(out, NULL);
        json_out_text(out, "id", candidate->id);
        json_out_text(out, "userPrincipalName", candidate->user_principal_name);
        json_out_text(out, "displayName", candidate->display_name);
        json_out_time(out, "deletedAt", candidate->deleted_at_ms);
        json_out_close_object(out);
    }
    json_out_close_array(out);
}

/* What is certain; who gave way is named as a success would name him. */
static void encode_needs_hands(struct json_out *out, const struct outcome *outcome)
{
    static const char *const freed[] = {[FREED_NOBODY] = NULL,
                                        [FREED_RENAMED] = "active_user_renamed",
                                        [FREED_REPLACED] = "active_user_replaced"};
    json_out_open_array(out, "done");
    json_out_text(out, NULL, freed[outcome->freed.how]);
    if (outcome->restored)
        json_out_text(out, NULL, "restored");
    json_out_close_array(out);
    if (outcome->freed.how != FREED_NOBODY) {
        json_out_open_object(out, "changes");
        encode_freed(out, &outcome->freed);
        json_out_close_object(out);
    }
    encode_todo(out, outcome->todo, "needs_hands");
}

static void encode_failed(struct json_out *out, const struct event_settings *settings,
                          const struct outcome *outcome)
{
    json_out_text(out, "code", reason_code(outcome->reason));
    json_out_text(out, "message", failure_message(outcome->reason));
    json_out_bool(out, "retryable", reason_retryable(outcome->reason));
    json_out_text(out, "owner", reason_owner(outcome->reason));
    json_out_text(out, "hint", reason_hint(outcome->reason));
    if (outcome->error_status != 0) {
        json_out_open_object(out, "directoryError");
        json_out_number(out, "status", outcome->error_status);
        json_out_text(out, "code", outcome->error_code);
        json_out_text(out, "requestId", outcome->error_request_id);
        json_out_close_object(out);
    }
    encode_candidates(out, outcome);
    if (outcome->reason == REASON_NEEDS_HANDS)
        encode_needs_hands(out, outcome);
    encode_resend(out, settings, outcome);
}

static void encode_end(struct json_out *out, const struct event_settings *settings,
                       const struct outcome *outcome)
{
    switch (reason_verdict(outcome->reason)) {
    case VERDICT_SUCCEEDED:
        if (outcome->reason == REASON_LISTED)
            encode_list(out, outcome->list);
        else
            encode_succeeded(out, outcome);
        break;
    case VERDICT_CONFLICT:
        encode_conflicts(out, outcome);
        encode_resolutions(out, settings, outcome);
        break;
    case VERDICT_FAILED: encode_failed(out, settings, outcome); break;
    case VERDICT_PROCEED: assert(false && "an outcome has a verdict");
    }
}

/* The outcome that a restore would have now, and the request for it. Ready requests of a plan ask
 * for plans again, but for `apply`: nobody who follows a way out changes anything unasked. */
static void encode_planned(struct json_out *out, const struct event_settings *settings,
                           const struct outcome *outcome)
{
    static const char *const words[] = {[VERDICT_SUCCEEDED] = "restore",
                                        [VERDICT_CONFLICT] = "conflict",
                                        [VERDICT_FAILED] = "fail"};
    json_out_text(out, "would", words[reason_verdict(outcome->reason)]);
    json_out_text(out, "planHash", outcome->plan_hash);
    encode_end(out, settings, outcome);
    if (outcome->reason != REASON_RESTORED)
        return;
    struct restore_request request = *outcome->request;
    request.mode = MODE_RESTORE;
    memcpy(request.plan_hash, outcome->plan_hash, sizeof request.plan_hash);
    request_encode_ready(out, "apply", &request, "apply", settings->type_prefix);
}

static enum event_kind kind_of(const struct outcome *outcome)
{
    static const enum event_kind kinds[] = {[VERDICT_SUCCEEDED] = EVENT_SUCCEEDED,
                                            [VERDICT_CONFLICT] = EVENT_CONFLICT,
                                            [VERDICT_FAILED] = EVENT_FAILED};
    if (outcome->request->mode == MODE_PLAN)
        return EVENT_PLANNED;
    return outcome->reason == REASON_LISTED ? EVENT_LISTED : kinds[reason_verdict(outcome->reason)];
}

int outcome_encode(const struct event_settings *settings, const struct outcome *outcome,
                   struct json_out *scratch, struct out_message **ret_event)
{
    enum event_kind kind = kind_of(outcome);
    char id_kind[32], id[GUID_CHARS + 1], object_id[GUID_CHARS + 1];
    json_out_reset(scratch);
    json_out_open_object(scratch, NULL);
    encode_common(scratch, settings, outcome);
    if (kind == EVENT_PLANNED)
        encode_planned(scratch, settings, outcome);
    else
        encode_end(scratch, settings, outcome);
    json_out_close_object(scratch);
    if (outcome->reason == REASON_REQUEST_ID_REUSED)
        (void)snprintf(id_kind, sizeof id_kind, "failed:reused:%.16s",
                       outcome->request->envelope.digest);
    else
        (void)text_copy(id_kind, sizeof id_kind, event_kind_word(kind));
    request_uuid(outcome->request, id_kind, id);
    outcome_object_id(outcome, object_id);
    struct cloudevent event = {.kind = kind,
                               .mode = outcome->request->mode,
                               .id = id,
                               .object_id = object_id,
                               .cause = &outcome->request->envelope,
                               .time_ms = outcome->finished_at_ms};
    return cloudevent_encode(settings, &event, scratch, ret_event);
}

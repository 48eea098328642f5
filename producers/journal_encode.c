#include "producers/journal_encode.h"

#include "producers/cloudevent_out.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RW_HEADERS = 6, INT64_CHARS = 20 };

/* The text behind the rw- headers of one record. */
struct rw_headers {
    char offset[INT64_CHARS + 1], time[INT64_CHARS + 1], started[INT64_CHARS + 1];
    struct record_header headers[RW_HEADERS];
};

static struct record_header text_header(const char *name, const char *value)
{
    return (struct record_header){.name = name, .value = value, .value_bytes = strlen(value)};
}

static void format_decimal(char text[INT64_CHARS + 1], int64_t value)
{
    (void)snprintf(text, INT64_CHARS + 1, "%" PRId64, value);
}

static void fill_rw_headers(struct rw_headers *rw, const struct publication *publication,
                            const char *state, const char *digest, int64_t time_ms)
{
    format_decimal(rw->offset, publication->offset);
    format_decimal(rw->time, time_ms);
    format_decimal(rw->started, publication->started_ms);
    rw->headers[0] = text_header("rw-v", "1");
    rw->headers[1] = text_header("rw-state", state);
    rw->headers[2] = text_header("rw-offset", rw->offset);
    rw->headers[3] = text_header("rw-digest", digest);
    rw->headers[4] = text_header("rw-time", rw->time);
    rw->headers[5] = text_header("rw-started", rw->started);
}

static struct out_message journal_model(const struct publication *publication, const char *key)
{
    return (struct out_message){.topic = TOPIC_JOURNAL,
                                .partition = publication->partition,
                                .key = key,
                                .key_bytes = strlen(key)};
}

static void encode_user(struct json_out *out, const struct user_facts *user)
{
    json_out_open_object(out, "user");
    json_out_text(out, "id", user->id);
    json_out_text(out, "userPrincipalName", user->user_principal_name);
    json_out_text(out, "displayName", user->display_name);
    json_out_text(out, "mail", user->mail);
    json_out_strings(out, "proxyAddresses", &user->proxy_addresses);
    json_out_time(out, "deletedDateTime", user->deleted_at_ms);
    json_out_bool(out, "synced", user->synced);
    json_out_time(out, "lastPasswordChangeDateTime", user->last_password_change_at_ms);
    json_out_text(out, "preferredLanguage", user->preferred_language);
    json_out_open_array(out, "otherMails");
    for (int i = 0; i < user->n_other_mails; i++)
        json_out_text(out, NULL, user->other_mails[i]);
    json_out_close_array(out);
    json_out_time(out, "createdDateTime", user->created_at_ms);
    json_out_close_object(out);
}

int journal_encode_intent(const struct publication *publication, struct json_out *scratch,
                          struct out_message **ret_message)
{
    static const char *const phases[] = {
        [INTENT_RESTORE] = "restore", [INTENT_FREE] = "free", [INTENT_UNDO] = "undo"};
    const struct intent *intent = publication->of.intent.intent;
    const struct restore_request *request = publication->of.intent.request;
    json_out_reset(scratch);
    json_out_open_object(scratch, NULL);
    json_out_open_object(scratch, "plan");
    json_out_text(scratch, "policy", name_policy_word(intent->name_policy));
    json_out_text(scratch, "newUserPrincipalName", intent->new_user_principal_name);
    json_out_text(scratch, "template", intent->rename_template);
    json_out_text(scratch, "proxyAddresses", address_policy_word(intent->address_policy));
    json_out_text(
        scratch, "password",
        password_choice_word(intent->generate_password ? PASSWORD_GENERATE : PASSWORD_LEAVE));
    json_out_close_object(scratch);
    json_out_text(scratch, "phase", phases[intent->phase]);
    if (intent->phase == INTENT_UNDO)
        json_out_text(scratch, "refusal", reason_code(intent->refusal));
    if (intent->phase != INTENT_RESTORE) {
        json_out_open_object(scratch, "holder");
        json_out_text(scratch, "id", intent->holder.id);
        json_out_text(scratch, "from", intent->holder.from);
        json_out_text(scratch, "to", intent->holder.to);
        json_out_close_object(scratch);
    }
    encode_user(scratch, intent->user);
    json_out_close_object(scratch);
    if (scratch->failed)
        return -ENOMEM;

    char key[GUID_CHARS + 1];
    struct rw_headers rw;
    request_uuid(request, "journal", key);
    /* Nobody reads the time of an intent: it is never forgotten while it may be needed. */
    fill_rw_headers(&rw, publication, "intent", request->envelope.digest, publication->started_ms);
    struct out_message model = journal_model(publication, key);
    model.value = scratch->bytes;
    model.value_bytes = scratch->used;
    model.headers = rw.headers;
    model.n_headers = RW_HEADERS;
    return out_message_new(&model, ret_message);
}

enum { KEY_CHARS = GUID_CHARS }; /* not less than "!", an offset, "#" and an item */
static_assert(KEY_CHARS >= 1 + INT64_CHARS + 1 + DECIMAL_CHARS, "both kinds of key fit");

/* Under which a record, or its k-th item, is answered when its request is another's. */
static void offset_key(const struct publication *publication, char ret_key[KEY_CHARS + 1])
{
    if (publication->item > 0)
        (void)snprintf(ret_key, KEY_CHARS + 1, "!%" PRId64 "#%d", publication->offset,
                       publication->item);
    else
        (void)snprintf(ret_key, KEY_CHARS + 1, "!%" PRId64, publication->offset);
}

int journal_encode_done(const struct publication *publication,
                        const struct restore_request *request, int64_t time_ms,
                        const struct out_message *event, struct out_message **ret_message)
{
    struct record_header headers[EVENT_HEADERS_MAX + RW_HEADERS];
    char key[KEY_CHARS + 1];
    struct rw_headers rw;
    if (publication->kind == PUBLISH_REUSED)
        offset_key(publication, key);
    else
        request_uuid(request, "journal", key);
    fill_rw_headers(&rw, publication, "done", request->envelope.digest, time_ms);
    memcpy(headers, event->headers, event->n_headers * sizeof *headers);
    memcpy(headers + event->n_headers, rw.headers, sizeof rw.headers);
    struct out_message model = journal_model(publication, key);
    model.value = event->value;
    model.value_bytes = event->value_bytes;
    model.headers = headers;
    model.n_headers = event->n_headers + RW_HEADERS;
    return out_message_new_sharing_value(&model, ret_message);
}

int journal_encode_skipped(const struct publication *publication, const char *digest,
                           int64_t time_ms, struct out_message **ret_message)
{
    char key[KEY_CHARS + 1];
    struct rw_headers rw;
    offset_key(publication, key);
    fill_rw_headers(&rw, publication, "done", digest, time_ms);
    struct out_message model = journal_model(publication, key);
    /* Empty, not null: a null value is a tombstone, and compaction would drop it after
     * delete.retention.ms, perhaps while a slow request still holds the committed offset below. */
    model.value = "";
    model.headers = rw.headers;
    model.n_headers = RW_HEADERS;
    return out_message_new(&model, ret_message);
}

int journal_encode_done_again(const struct publication *publication,
                              struct out_message **ret_message)
{
    const struct record *stored = publication->of.replay.record;
    struct record_header headers[RECORD_HEADERS_MAX];
    char offset[INT64_CHARS + 1];
    assert(stored->n_headers <= RECORD_HEADERS_MAX);
    format_decimal(offset, publication->offset);
    for (size_t i = 0; i < stored->n_headers; i++)
        headers[i] = strcmp(stored->headers[i].name, "rw-offset") == 0
                         ? text_header("rw-offset", offset)
                         : stored->headers[i];
    struct out_message model = journal_model(publication, "");
    model.key = stored->key;
    model.key_bytes = stored->key_bytes;
    model.value = stored->value;
    model.value_bytes = stored->value_bytes;
    model.headers = headers;
    model.n_headers = stored->n_headers;
    return out_message_new(&model, ret_message);
}

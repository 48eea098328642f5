#include "consumers/request_decode.h"

#include "consumers/cloudevent_in.h"
#include "consumers/json_in.h"
#include "consumers/request_data.h"
#include "policy/digest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A digest of what was asked, whatever the order and spacing. Valid data holds no real numbers,
 * which jansson would write differently than it read them (19.99 -> 19.989999999999998). */
static void data_digest(const json_t *data, char ret_hex[DIGEST_CHARS + 1])
{
    uint8_t digest[SHA256_BYTES];
    char *text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);
    assert(text != NULL && "out of memory");
    digest_sha256(text, strlen(text), digest);
    digest_hex(digest, sizeof digest, ret_hex);
    free(text);
}

/* Where plain JSON has no requestId: unique, and so never recognised as a repeat (contract 2). A
 * topic's name may have 249 bytes, of which the first suffice. */
static void id_from_place(const struct record *record, char ret_id[IDENTITY_BYTES + 1])
{
    snprintf(ret_id, IDENTITY_BYTES + 1, "%.220s/%" PRId32 "/%" PRId64, record->topic,
             record->partition, record->offset);
}

static void request_complete(const struct record *record, const struct cloudevent *event,
                             struct restore_request *request)
{
    request->envelope = event->envelope;
    if (request->envelope.id[0] == '\0')
        id_from_place(record, request->envelope.id);
    data_digest(event->data, request->envelope.digest);
    if (event->expires_at_ms != 0 &&
        (request->not_after_ms == 0 || event->expires_at_ms < request->not_after_ms))
        request->not_after_ms = event->expires_at_ms;
}

static void malformed_complete(const struct request_envelope *envelope, struct malformed *reterr)
{
    memcpy(reterr->source, envelope->source, sizeof reterr->source);
    memcpy(reterr->request_id, envelope->id, sizeof reterr->request_id);
    memcpy(reterr->correlation_id, envelope->correlation_id, sizeof reterr->correlation_id);
    memcpy(reterr->traceparent, envelope->traceparent, sizeof reterr->traceparent);
    memcpy(reterr->tracestate, envelope->tracestate, sizeof reterr->tracestate);
}

/* What the record says of everybody, for one of its users. */
static void item_complete(struct restore_request *item, const struct restore_request *common)
{
    struct restore_request own = *item;
    *item = *common;
    item->user = own.user;
    item->occurrence = own.occurrence;
    memcpy(item->new_user_principal_name, own.new_user_principal_name,
           sizeof item->new_user_principal_name);
    memcpy(item->rename_active_to, own.rename_active_to, sizeof item->rename_active_to);
    item->has_notify_to = own.has_notify_to;
    item->notify_to = own.notify_to;
    item->notify_cc = own.notify_cc;
    memcpy(item->locale, own.locale, sizeof item->locale);
    memcpy(item->plan_hash, own.plan_hash, sizeof item->plan_hash);
}

enum decoded request_decode(const struct decode_settings *settings, const struct record *record,
                            struct restore_request *ret_request, struct request_items **ret_items,
                            struct malformed *reterr)
{
    struct json_in in;
    struct cloudevent event;
    json_in_init(&in, reterr->message, sizeof reterr->message);
    bool valid = cloudevent_read(&in, settings, record, &event) &&
                 request_data_read(&in, event.data, ret_request, ret_items);
    if (valid) {
        request_complete(record, &event, ret_request);
        for (int i = 0; *ret_items != NULL && i < (*ret_items)->n; i++)
            item_complete(&(*ret_items)->requests[i], ret_request);
    } else {
        malformed_complete(&event.envelope, reterr);
    }
    json_decref(event.data);
    return valid ? DECODED_REQUEST : DECODED_MALFORMED;
}

/* CloudEvents 1.0 in Kafka's binary mode: every attribute a header, the data the value (contract
 * 2).
 */
#ifndef PRODUCERS_CLOUDEVENT_OUT_H
#define PRODUCERS_CLOUDEVENT_OUT_H

#include "policy/request.h"
#include "producers/json_out.h"
#include "producers/out_message.h"

/* kind (last part of the type, name of the schema), topic */
/* clang-format off */
#define EVENT_KINDS(X) \
    X(EVENT_SUCCEEDED,    "succeeded",              TOPIC_SUCCEEDED) \
    X(EVENT_CONFLICT,     "conflict",               TOPIC_CONFLICTS) \
    X(EVENT_FAILED,       "failed",                 TOPIC_FAILED) \
    X(EVENT_BATCH_COMPLETED, "batch-completed",     TOPIC_BATCHES) \
    X(EVENT_PLANNED,      "planned",                TOPIC_PLANS) \
    X(EVENT_LISTED,       "listed",                 TOPIC_PLANS) \
    X(EVENT_NOTIFICATION, "notification-requested", TOPIC_NOTIFICATIONS)
/* clang-format on */

enum event_kind {
#define X(constant, word, topic) constant,
    EVENT_KINDS(X)
#undef X
        EVENT_KIND_COUNT
};

enum { EVENT_TYPE_BYTES = 256, EVENT_HEADERS_MAX = 20 };

struct cloudevent {
    enum event_kind kind;
    enum request_mode mode; /* of the request that it answers */
    const char *id;
    const char *object_id; /* of the user, lower case: key and subject; "": the request's id is */
    const struct request_envelope *cause;
    int64_t time_ms;
    int64_t expires_at_ms; /* 0: never */
};

/* A message for event_topic with `data` as its value. -ENOMEM, also when `data` failed. */
int cloudevent_encode(const struct event_settings *settings, const struct cloudevent *event,
                      const struct json_out *data, struct out_message **ret_message);

/* The kind of a published type, EVENT_KIND_COUNT for none. Its prefix does not count: the journal
 * may hold events from before events.type_prefix was changed. */
enum event_kind event_kind_of_type(const void *type, size_t type_bytes);
/* As it stands in the type, the schema and the event's id. */
const char *event_kind_word(enum event_kind kind);
/* The answers to `plan` and `list` have a topic of their own, failures too, but for the summary of
 * a batch (contract 2). */
enum out_topic event_topic(enum event_kind kind, enum request_mode mode);

/* NULL when there is no header of that name. */
const struct record_header *header_find(const struct record_header *headers, size_t n_headers,
                                        const char *name);

#endif

#include "producers/cloudevent_out.h"

#include "policy/time_text.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    enum out_topic topic;
} kinds[] = {
#define X(constant, word, topic) {word, topic},
    EVENT_KINDS(X)
#undef X
};

const char *event_kind_word(enum event_kind kind)
{
    return kinds[kind].word;
}

enum out_topic event_topic(enum event_kind kind, enum request_mode mode)
{
    bool is_answer = mode != MODE_RESTORE && kind != EVENT_BATCH_COMPLETED;
    return is_answer ? TOPIC_PLANS : kinds[kind].topic;
}

static void event_type(const char *prefix, enum event_kind kind, char ret_type[EVENT_TYPE_BYTES])
{
    int length =
        snprintf(ret_type, EVENT_TYPE_BYTES, "%suser.restore.%s.v1", prefix, kinds[kind].word);
    assert(length > 0 && length < EVENT_TYPE_BYTES);
}

enum event_kind event_kind_of_type(const void *type, size_t type_bytes)
{
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        char end[EVENT_TYPE_BYTES];
        event_type("", (enum event_kind)kind, end);
        size_t end_bytes = strlen(end);
        if (type_bytes >= end_bytes &&
            memcmp((const char *)type + (type_bytes - end_bytes), end, end_bytes) == 0)
            return (enum event_kind)kind;
    }
    return EVENT_KIND_COUNT;
}

const struct record_header *header_find(const struct record_header *headers, size_t n_headers,
                                        const char *name)
{
    for (size_t i = 0; i < n_headers; i++)
        if (strcmp(headers[i].name, name) == 0)
            return &headers[i];
    return NULL;
}

struct header_list {
    size_t n;
    struct record_header headers[EVENT_HEADERS_MAX];
};

static void add_header(struct header_list *list, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    assert(list->n < EVENT_HEADERS_MAX);
    list->headers[list->n++] =
        (struct record_header){.name = name, .value = value, .value_bytes = strlen(value)};
}

int cloudevent_encode(const struct event_settings *settings, const struct cloudevent *event,
                      const struct json_out *data, struct out_message **ret_message)
{
    const struct request_envelope *cause = event->cause;
    bool has_object = event->object_id[0] != '\0';
    const char *key = has_object ? event->object_id : cause->id;
    char type[EVENT_TYPE_BYTES], schema[64], subject[IDENTITY_BYTES + sizeof "requests/"];
    char time[TIME_CHARS + 1], expires_at[TIME_CHARS + 1] = "";
    event_type(settings->type_prefix, event->kind, type);
    (void)snprintf(schema, sizeof schema, "urn:restore-worker:schema:%s:1",
                   kinds[event->kind].word);
    (void)snprintf(subject, sizeof subject, "%s/%s", has_object ? "users" : "requests", key);
    time_format(event->time_ms, time);
    if (event->expires_at_ms != 0)
        time_format(event->expires_at_ms, expires_at);

    struct header_list list = {0};
    /* This *is* datacontenttype: a ce_datacontenttype beside it would say it twice. */
    add_header(&list, "content-type", "application/json");
    add_header(&list, "ce_specversion", "1.0");
    add_header(&list, "ce_id", event->id);
    add_header(&list, "ce_source", settings->source);
    add_header(&list, "ce_type", type);
    add_header(&list, "ce_time", time);
    add_header(&list, "ce_subject", subject);
    add_header(&list, "ce_dataschema", schema);
    add_header(&list, "ce_partitionkey", key);
    add_header(&list, "ce_correlationid",
               cause->correlation_id[0] != '\0' ? cause->correlation_id : cause->id);
    add_header(&list, "ce_causationid", cause->id);
    add_header(&list, "ce_expirytime", expires_at);
    add_header(&list, "ce_traceparent", cause->traceparent);
    add_header(&list, "ce_tracestate", cause->tracestate);
    add_header(&list, "traceparent", cause->traceparent);
    add_header(&list, "tracestate", cause->tracestate);
    if (data->failed)
        return -ENOMEM;
    const struct out_message model = {.topic = event_topic(event->kind, event->mode),
                                      .partition = -1,
                                      .key = key,
                                      .key_bytes = strlen(key),
                                      .value = data->bytes,
                                      .value_bytes = data->used,
                                      .n_headers = list.n,
                                      .headers = list.headers};
    return out_message_new(&model, ret_message);
}

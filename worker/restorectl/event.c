#include "worker/restorectl/event.h"

#include <string.h>

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

bool event_from_json(json_t *whole, struct event *ret_event)
{
    *ret_event = (struct event){.whole = whole};
    const char *type = text_of(whole, "type");
    ret_event->is_request = text_ends_with_ignore_case(type, "user.restore.requested.v1");
    ret_event->kind = event_kind_of_type(type, strlen(type));
    ret_event->data = json_object_get(whole, "data");
    ret_event->id = text_of(whole, "id");
    ret_event->request_id = ret_event->is_request ? ret_event->id : text_of(whole, "causationid");
    bool is_outcome = ret_event->kind != EVENT_KIND_COUNT && ret_event->kind != EVENT_NOTIFICATION;
    if ((ret_event->is_request || is_outcome) && json_is_object(ret_event->data))
        return true;
    event_deinit(ret_event);
    return false;
}

void event_deinit(struct event *event)
{
    json_decref(event->whole);
    *event = (struct event){0};
}

/* Binary mode: every attribute a header, the data the value. NULL: no CloudEvent. */
static json_t *whole_of_headers(const rd_kafka_headers_t *headers, json_t *data)
{
    const char *name;
    const void *value;
    size_t bytes;
    json_t *whole = json_object();
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == 0; i++) {
        bool is_attribute = strncmp(name, "ce_", 3) == 0;
        if (value != NULL && (is_attribute || strcmp(name, "content-type") == 0))
            json_object_set_new(whole, is_attribute ? name + 3 : "datacontenttype",
                                json_stringn(value, bytes)); /* not UTF-8: nothing is set */
    }
    if (json_object_get(whole, "specversion") == NULL) {
        json_decref(whole);
        return NULL;
    }
    json_object_set(whole, "data", data);
    return whole;
}

bool event_from_message(const rd_kafka_message_t *message, struct event *ret_event)
{
    rd_kafka_headers_t *headers;
    rd_kafka_timestamp_type_t timestamp_type;
    json_t *whole = NULL;
    json_t *value =
        message->payload != NULL ? json_loadb(message->payload, message->len, 0, NULL) : NULL;
    if (!json_is_object(value)) {
        json_decref(value);
        return false;
    }
    if (json_object_get(value, "specversion") != NULL)
        whole = json_incref(value);
    else if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        whole = whole_of_headers(headers, value);
    if (whole == NULL) /* plain JSON can only be a request */
        whole = json_pack("{s:s, s:s, s:O}", "type", "user.restore.requested.v1", "id",
                          text_of(value, "requestId"), "data", value);
    json_decref(value);
    bool is_ours = event_from_json(whole, ret_event);
    ret_event->at_ms = rd_kafka_message_timestamp(message, &timestamp_type);
    return is_ours;
}

bool event_ends_batch(const struct event *event)
{
    return event->kind == EVENT_FAILED && json_object_get(event->data, "user") == NULL;
}

static int64_t count_of(const struct event *event, const char *name)
{
    return json_integer_value(json_object_get(event->data, name));
}

void tally_add(struct tally *tally, const struct event *event)
{
    const char *would = text_of(event->data, "would");
    switch (event->kind) {
    case EVENT_SUCCEEDED:
    case EVENT_LISTED: tally->good++; break;
    case EVENT_CONFLICT: tally->conflicts++; break;
    case EVENT_FAILED: tally->failed++; break;
    case EVENT_PLANNED:
        if (strcmp(would, "restore") == 0)
            tally->good++;
        else if (strcmp(would, "conflict") == 0)
            tally->conflicts++;
        else
            tally->failed++;
        break;
    case EVENT_BATCH_COMPLETED:
        tally->good += count_of(event, "succeeded");
        tally->conflicts += count_of(event, "conflicts");
        tally->failed += count_of(event, "failed");
        break;
    case EVENT_NOTIFICATION:
    case EVENT_KIND_COUNT: break;
    }
}

enum exit_code tally_exit_code(const struct tally *tally, int n_missing)
{
    if (n_missing > 0)
        return EXIT_TIMED_OUT;
    if (tally->failed > 0)
        return EXIT_SOME_FAILED;
    return tally->conflicts > 0 ? EXIT_CONFLICT : EXIT_OK;
}

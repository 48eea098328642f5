#include "consumers/kafka_in.h"

#include "policy/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool option_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *reterr,
                       size_t reterr_bytes)
{
    return rd_kafka_conf_set(conf, name, value, reterr, reterr_bytes) == RD_KAFKA_CONF_OK;
}

static bool options_set(rd_kafka_conf_t *conf, const struct kafka_option *options, char *reterr,
                        size_t reterr_bytes)
{
    for (; options->name != NULL; options++)
        if (!option_set(conf, options->name, options->value, reterr, reterr_bytes))
            return false;
    return true;
}

static bool property_set(rd_kafka_conf_t *conf, const char *property, char *reterr,
                         size_t reterr_bytes)
{
    enum { PROPERTY_NAME_BYTES = 128 };
    char name[PROPERTY_NAME_BYTES];
    const char *value;
    if (!text_split_at(property, '=', name, sizeof name, &value)) {
        /* Not the property itself: its value may be a secret. */
        snprintf(reterr, reterr_bytes, "a Kafka property is not of the form name=value");
        return false;
    }
    return option_set(conf, name, value, reterr, reterr_bytes);
}

int kafka_in_new(const struct request_consumer_settings *settings,
                 const struct kafka_option *defaults, const struct kafka_option *fixed,
                 rd_kafka_t **ret_handle, char *reterr, size_t reterr_bytes)
{
    /* log.queue: a log callback would run on librdkafka's threads. */
    const struct kafka_option common[] = {
        {"bootstrap.servers", settings->brokers}, {"log.queue", "true"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool set = option_set(conf, "client.id", settings->instance, reterr, reterr_bytes) &&
               options_set(conf, defaults, reterr, reterr_bytes);
    for (int i = 0; set && i < settings->n_properties; i++)
        set = property_set(conf, settings->properties[i], reterr, reterr_bytes);
    if (!set || !options_set(conf, common, reterr, reterr_bytes) ||
        !options_set(conf, fixed, reterr, reterr_bytes)) {
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    rd_kafka_conf_set_events(conf,
                             RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_REBALANCE);
    *ret_handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reterr, reterr_bytes);
    if (*ret_handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    return 0;
}

void kafka_in_wake(rd_kafka_queue_t *queue, int wake_fd)
{
    const uint64_t one = 1; /* eventfd(2) takes 8 bytes */
    rd_kafka_queue_io_event_enable(queue, wake_fd, &one, sizeof one);
}

bool log_limit_passes(struct log_limit *limit, int code, int64_t now_mono_ms)
{
    enum { QUIET_MS = 10000 };
    if (code == limit->code && now_mono_ms < limit->quiet_until_mono_ms)
        return false;
    *limit = (struct log_limit){code, now_mono_ms + QUIET_MS};
    return true;
}

static void take_more_headers(const rd_kafka_headers_t *headers, struct record *record,
                              struct more_headers *more)
{
    size_t n = record->n_headers - RECORD_HEADERS_MAX;
    if (n > more->room) {
        more->headers = realloc(more->headers, n * sizeof *more->headers);
        assert(more->headers != NULL);
        more->room = n;
    }
    for (size_t i = 0; i < n; i++) {
        struct record_header *header = &more->headers[i];
        rd_kafka_header_get_all(headers, RECORD_HEADERS_MAX + i, &header->name, &header->value,
                                &header->value_bytes);
    }
    record->more_headers = more->headers;
}

void record_from_message(const rd_kafka_message_t *message, struct record *ret_record,
                         struct more_headers *more)
{
    rd_kafka_timestamp_type_t type;
    /* Not as a whole: clearing 64 headers costs more than all the rest. */
    ret_record->topic = rd_kafka_topic_name(message->rkt);
    ret_record->partition = message->partition;
    ret_record->offset = message->offset;
    ret_record->timestamp_ms = rd_kafka_message_timestamp(message, &type);
    ret_record->key = message->key;
    ret_record->key_bytes = message->key_len;
    ret_record->value = message->payload;
    ret_record->value_bytes = message->len;
    ret_record->n_headers = 0;
    ret_record->more_headers = NULL;
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    ret_record->n_headers = rd_kafka_header_cnt(headers);
    for (size_t i = 0; i < ret_record->n_headers && i < RECORD_HEADERS_MAX; i++) {
        struct record_header *header = &ret_record->headers[i];
        rd_kafka_header_get_all(headers, i, &header->name, &header->value, &header->value_bytes);
    }
    if (ret_record->n_headers > RECORD_HEADERS_MAX)
        take_more_headers(headers, ret_record, more);
}

/* What the two consumer handles (requests, journal) have in common: how a handle is made, and how a
 * message of librdkafka becomes a record. Loop thread only. */
#ifndef CONSUMERS_KAFKA_IN_H
#define CONSUMERS_KAFKA_IN_H

#include "consumers/request_consumer.h"

struct kafka_option {
    const char *name, *value;
};

/* A consumer whose log lines, errors and rebalances wait in a queue as events, so that nothing of
 * ours ever runs on a thread of librdkafka. `defaults` come before settings->properties and may be
 * overridden by them, `fixed` come after; both end with a NULL name. -EINVAL with a sentence. */
int kafka_in_new(const struct request_consumer_settings *settings,
                 const struct kafka_option *defaults, const struct kafka_option *fixed,
                 rd_kafka_t **ret_handle, char *reterr, size_t reterr_bytes);

/* Writes to wake_fd whenever the queue stops being empty. */
void kafka_in_wake(rd_kafka_queue_t *queue, int wake_fd);

/* The same trouble is worth a line every ten seconds. */
struct log_limit {
    int code;
    int64_t quiet_until_mono_ms;
};
bool log_limit_passes(struct log_limit *limit, int code, int64_t now_mono_ms);

/* Room for headers beyond RECORD_HEADERS_MAX: as many as Kafka let through in one record. */
struct more_headers {
    struct record_header *headers; /* owned */
    size_t room;
};

/* Borrows from the message, and from `more` until it is used again. */
void record_from_message(const rd_kafka_message_t *message, struct record *ret_record,
                         struct more_headers *more);

#endif

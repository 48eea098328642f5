/* Whether Kafka keeps the journal as long as it must: never shorter than the requests (design 7).
 * The worker goes on either way; its owner is told once. Loop thread only. */
#ifndef CONSUMERS_JOURNAL_CARE_H
#define CONSUMERS_JOURNAL_CARE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Asks for the configuration of both topics; the answer comes to `queue`. */
void journal_care_ask(rd_kafka_t *handle, const char *requests_topic, const char *journal_topic,
                      rd_kafka_queue_t *queue);
/* Takes the answer. False, with a sentence, when something is wrong or cannot be known. */
bool journal_care_answer(rd_kafka_event_t *event, const char *requests_topic,
                         const char *journal_topic, char *reterr, size_t reterr_bytes);

struct topic_care {
    int64_t retention_ms; /* -1: for ever */
    char cleanup_policy[32], timestamp_type[32];
};
/* The judgement alone. */
bool journal_care_judge(const struct topic_care *requests, const struct topic_care *journal,
                        char *reterr, size_t reterr_bytes);

#endif

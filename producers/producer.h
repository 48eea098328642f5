/* One life of the transactional producer. When Kafka leaves it in doubt it is thrown away and made
 * again; nothing else carries state from one transaction to the next. Publisher thread only, after
 * publisher_new. */
#ifndef PRODUCERS_PRODUCER_H
#define PRODUCERS_PRODUCER_H

#include "producers/publisher.h"

/* The coordinator ends a transaction that is older. */
enum { TRANSACTION_TIMEOUT_MS = 15 * 1000 };

struct producer {
    rd_kafka_t *handle;
    rd_kafka_topic_t *topics[OUT_TOPICS];
};

/* Makes the handle, fetches the topics' metadata (a first produce without it waits a second) and
 * fences every older producer of this transactional id. Faults as publisher_new. */
int producer_open(struct producer *producer, const struct publisher_settings *settings,
                  int64_t deadline_mono_ms, char *reterr, size_t reterr_bytes);
/* Throws away what is in flight. After it no delivery report comes any more. */
void producer_close(struct producer *producer);

/* What producer and journal reader have in common: brokers, the operator's properties, the log. */
int kafka_conf_new(const struct publisher_settings *settings, rd_kafka_conf_t **ret_conf,
                   char *reterr, size_t reterr_bytes);
int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *reterr,
                   size_t reterr_bytes);

#endif

/* The way to Kafka: which one, with which properties, and what topics it has. */
#ifndef WORKER_RESTORECTL_KAFKA_H
#define WORKER_RESTORECTL_KAFKA_H

#include "worker/restorectl/options.h"

#include <librdkafka/rdkafka.h>

enum { KAFKA_TIMEOUT_MS = 15000, KAFKA_TIMEOUT_LEAST_MS = 1000 };

struct connection {
    struct settings *settings; /* of the worker's file, else the defaults: names of topics */
    const char *brokers;
    int n_properties; /* those of -X, after the settings' own */
    const char *const *properties;
    int64_t until_mono_ms; /* --timeout, from connection_open on: all waiting ends then */
    char last_error[256];  /* what librdkafka said last */
    int delivered;         /* records sent; the first fault among the others */
    rd_kafka_resp_err_t delivery_error;
};

/* Errors go to stderr. `needs_brokers` false: --print does without. */
enum exit_code connection_open(const struct options *options, bool needs_brokers,
                               struct connection *ret_connection);
void connection_close(struct connection *connection);

/* The client with the connection's properties and then `extra`, name and value in turn, NULL ends
 * them. The connection must outlive it. Errors go to stderr. */
enum exit_code kafka_open(struct connection *connection, rd_kafka_type_t type,
                          const char *const *extra, rd_kafka_t **ret_client);

/* What is left of --timeout, and not more than a call to a broker may take; never less than it
 * needs, so that a short --timeout still sends. */
int kafka_timeout_ms(const struct connection *connection);

/* All topics: asking for one by name would make a broker that may create it do so. Errors go to
 * stderr; to be given to rd_kafka_metadata_destroy. */
enum exit_code kafka_list(struct connection *connection, rd_kafka_t *client,
                          const struct rd_kafka_metadata **ret_metadata);
/* 0: there is no such topic. */
int kafka_partitions(const struct rd_kafka_metadata *metadata, const char *topic);

bool kafka_is_denied(rd_kafka_resp_err_t error);
/* One line on stderr, with what librdkafka said last. */
enum exit_code kafka_unreachable(const struct connection *connection, rd_kafka_resp_err_t error);

#endif

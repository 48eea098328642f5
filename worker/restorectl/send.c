#include "worker/restorectl/request.h"

#include <string.h>

static rd_kafka_resp_err_t send_one(rd_kafka_t *producer, const char *topic,
                                    const struct request_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(REQUEST_HEADERS);
    for (int i = 0; i < REQUEST_HEADERS; i++)
        rd_kafka_header_add(headers, record->headers[i].name, -1, record->headers[i].value, -1);
    /* producev, not produceva: that one frees the headers twice on an error in librdkafka 2.0.2. */
    rd_kafka_resp_err_t error = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(record->key, strlen(record->key)),
        RD_KAFKA_V_VALUE(record->value, strlen(record->value)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return error;
}

/* A repeated send would be a second request, so the producer is idempotent; the partitioner is the
 * one that all producers of requests must share (contract 2). */
static enum exit_code send_all(struct connection *connection, rd_kafka_t *producer,
                               const struct request_record *records, int n)
{
    const char *topic = connection->settings->kafka.requests_topic;
    const struct rd_kafka_metadata *metadata;
    enum exit_code code = kafka_list(connection, producer, &metadata);
    if (code != EXIT_OK)
        return code;
    int n_partitions = kafka_partitions(metadata, topic);
    rd_kafka_metadata_destroy(metadata);
    if (n_partitions == 0) {
        fprintf(stderr, "restorectl: there is no topic %s (restorectl topics create)\n", topic);
        return EXIT_CONFIGURATION;
    }
    connection->delivered = 0;
    connection->delivery_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < n; i++) {
        rd_kafka_resp_err_t error = send_one(producer, topic, &records[i]);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_unreachable(connection, error);
    }
    rd_kafka_flush(producer, 2 * KAFKA_TIMEOUT_MS); /* ends by message.timeout.ms before that */
    if (connection->delivered < n) {
        fprintf(stderr, "restorectl: %d of %d requests were sent\n", connection->delivered, n);
        return kafka_unreachable(connection, connection->delivery_error);
    }
    return EXIT_OK;
}

enum exit_code requests_send(struct connection *connection, const struct request_record *records,
                             int n)
{
    static const char *const extra[] = {
        "partitioner", "murmur2_random",     "acks",  "all", "enable.idempotence",
        "true",        "message.timeout.ms", "15000", NULL};
    rd_kafka_t *producer;
    enum exit_code code = kafka_open(connection, RD_KAFKA_PRODUCER, extra, &producer);
    if (code != EXIT_OK)
        return code;
    code = send_all(connection, producer, records, n);
    rd_kafka_destroy(producer);
    return code;
}

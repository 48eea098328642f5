#include "worker/restorectl/sender.h"

#include "worker/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_FULL_WAIT_MS = 100 };

struct sender {
    struct connection *connection;
    rd_kafka_t *producer;
    int n_sent;
};

static enum exit_code find_topic(struct sender *sender)
{
    const char *topic = sender->connection->settings->kafka.requests_topic;
    const struct rd_kafka_metadata *metadata;
    enum exit_code code = kafka_list(sender->connection, sender->producer, &metadata);
    if (code != EXIT_OK)
        return code;
    int n_partitions = kafka_partitions(metadata, topic);
    rd_kafka_metadata_destroy(metadata);
    if (n_partitions > 0)
        return EXIT_OK;
    fprintf(stderr, "restorectl: there is no topic %s (restorectl topics create)\n", topic);
    return EXIT_CONFIGURATION;
}

/* A repeated send would be a second request, so the producer is idempotent; the partitioner is the
 * one that all producers of requests must share (contract 2). */
enum exit_code sender_open(struct connection *connection, struct sender **ret_sender)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", kafka_timeout_ms(connection));
    const char *const extra[] = {
        "partitioner", "murmur2_random",     "acks",  "all", "enable.idempotence",
        "true",        "message.timeout.ms", timeout, NULL};
    struct sender *sender = calloc(1, sizeof *sender);
    assert(sender != NULL);
    sender->connection = connection;
    connection->delivered = 0;
    connection->delivery_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    enum exit_code code = kafka_open(connection, RD_KAFKA_PRODUCER, extra, &sender->producer);
    if (code == EXIT_OK)
        code = find_topic(sender);
    if (code == EXIT_OK)
        *ret_sender = sender;
    else
        sender_close(sender);
    return code;
}

static rd_kafka_resp_err_t produce(struct sender *sender, const struct request *request)
{
    const struct settings *settings = sender->connection->settings;
    struct request_header headers[REQUEST_HEADERS];
    rd_kafka_headers_t *list = rd_kafka_headers_new(REQUEST_HEADERS);
    int n = request_headers(request, settings->events.type_prefix, clock_read_wall_ms(), headers);
    for (int i = 0; i < n; i++)
        rd_kafka_header_add(list, headers[i].name, -1, headers[i].value, -1);
    /* producev, not produceva: that one frees the headers twice on an error in librdkafka 2.0.2. */
    rd_kafka_resp_err_t error = rd_kafka_producev(
        sender->producer, RD_KAFKA_V_TOPIC(settings->kafka.requests_topic),
        RD_KAFKA_V_KEY(request->key, strlen(request->key)),
        RD_KAFKA_V_VALUE(request->value, strlen(request->value)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(list);
    return error;
}

enum exit_code sender_send(struct sender *sender, const struct request *request)
{
    rd_kafka_resp_err_t error;
    while ((error = produce(sender, request)) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           sender_check(sender) == EXIT_OK)
        rd_kafka_poll(sender->producer, QUEUE_FULL_WAIT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_unreachable(sender->connection, error);
    sender->n_sent++;
    return EXIT_OK;
}

enum exit_code sender_check(struct sender *sender)
{
    rd_kafka_poll(sender->producer, 0);
    rd_kafka_resp_err_t error = sender->connection->delivery_error;
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_OK
                                               : kafka_unreachable(sender->connection, error);
}

enum exit_code sender_flush(struct sender *sender)
{
    rd_kafka_flush(sender->producer, 2 * KAFKA_TIMEOUT_MS); /* message.timeout.ms ends it before */
    int delivered = sender->connection->delivered;
    if (delivered == sender->n_sent)
        return EXIT_OK;
    fprintf(stderr, "restorectl: %d of %d requests were sent\n", delivered, sender->n_sent);
    return sender_check(sender) == EXIT_OK ? EXIT_UNREACHABLE : sender_check(sender);
}

void sender_close(struct sender *sender)
{
    if (sender == NULL)
        return;
    if (sender->producer != NULL)
        rd_kafka_destroy(sender->producer);
    free(sender);
}

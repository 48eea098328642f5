#include "worker/restorectl/outcomes.h"

#include "producers/cloudevent_out.h"
#include "worker/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OUTCOME_TOPICS = 3, PARTITIONS_MAX = 4096, RETRY_MS = 100 };

struct outcomes {
    struct connection *connection;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    int n_topics;
    struct {
        rd_kafka_topic_t *handle;
        int n_partitions, n_started;
    } topics[OUTCOME_TOPICS];
    int n_unread; /* partitions whose end has not been seen yet */
    bool caught_up;
    bool *at_end; /* by topic, then partition */
};

void found_outcome_deinit(struct found_outcome *found)
{
    json_decref(found->data);
    found->data = NULL;
}

/* Several outcomes may share a topic (contract 2): each name once. */
static int distinct_topics(const struct settings *settings, const char *ret_names[OUTCOME_TOPICS])
{
    static const enum out_topic all[OUTCOME_TOPICS] = {TOPIC_SUCCEEDED, TOPIC_CONFLICTS,
                                                       TOPIC_FAILED};
    int n = 0;
    for (int i = 0; i < OUTCOME_TOPICS; i++) {
        int k = 0;
        while (k < n && strcmp(ret_names[k], settings->kafka.topics[all[i]]) != 0)
            k++;
        if (k == n)
            ret_names[n++] = settings->kafka.topics[all[i]];
    }
    return n;
}

/* A topic just made has no leader yet, or one that does not know it. */
static bool leader_is_missing(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

/* Where a partition ends now, uncommitted records included: what comes later is behind it. */
static enum exit_code start_offset(struct outcomes *outcomes, const char *topic, int partition,
                                   bool from_beginning, int64_t *ret_offset)
{
    int64_t low;
    int64_t until_mono_ms = clock_read_mono_ms() + KAFKA_TIMEOUT_MS;
    rd_kafka_resp_err_t error;
    *ret_offset = RD_KAFKA_OFFSET_BEGINNING;
    if (from_beginning)
        return EXIT_OK;
    do {
        error = rd_kafka_query_watermark_offsets(outcomes->consumer, topic, partition, &low,
                                                 ret_offset, KAFKA_TIMEOUT_MS);
    } while (leader_is_missing(error) && clock_read_mono_ms() < until_mono_ms &&
             rd_kafka_poll(outcomes->consumer, RETRY_MS) >= 0);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_OK
                                               : kafka_unreachable(outcomes->connection, error);
}

static enum exit_code start_topic(struct outcomes *outcomes, const char *name, int n_partitions,
                                  bool from_beginning)
{
    int t = outcomes->n_topics++;
    outcomes->topics[t].handle = rd_kafka_topic_new(outcomes->consumer, name, NULL);
    outcomes->topics[t].n_partitions = n_partitions;
    for (int i = 0; i < n_partitions; i++) {
        int64_t offset;
        enum exit_code code = start_offset(outcomes, name, i, from_beginning, &offset);
        if (code != EXIT_OK)
            return code;
        if (rd_kafka_consume_start_queue(outcomes->topics[t].handle, i, offset, outcomes->queue) !=
            0)
            return kafka_unreachable(outcomes->connection, rd_kafka_last_error());
        outcomes->topics[t].n_started++;
    }
    outcomes->n_unread += n_partitions;
    return EXIT_OK;
}

static enum exit_code start_all(struct outcomes *outcomes, bool from_beginning)
{
    const struct rd_kafka_metadata *metadata;
    const char *names[OUTCOME_TOPICS];
    int n = distinct_topics(outcomes->connection->settings, names);
    enum exit_code code = kafka_list(outcomes->connection, outcomes->consumer, &metadata);
    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < n && code == EXIT_OK; i++) {
        int n_partitions = kafka_partitions(metadata, names[i]);
        if (n_partitions == 0 || n_partitions > PARTITIONS_MAX) {
            fprintf(stderr, "restorectl: %s topic %s (restorectl topics create)\n",
                    n_partitions == 0 ? "there is no" : "too many partitions in", names[i]);
            code = EXIT_CONFIGURATION;
        } else {
            code = start_topic(outcomes, names[i], n_partitions, from_beginning);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

enum exit_code outcomes_open(struct connection *connection, bool from_beginning,
                             struct outcomes **ret_outcomes)
{
    static const char *const extra[] = {"isolation.level",
                                        "read_committed",
                                        "enable.partition.eof",
                                        "true",
                                        "auto.offset.reset",
                                        "earliest",
                                        "fetch.wait.max.ms",
                                        "100",
                                        NULL};
    struct outcomes *outcomes = calloc(1, sizeof *outcomes);
    assert(outcomes != NULL);
    outcomes->connection = connection;
    outcomes->at_end = calloc((size_t)OUTCOME_TOPICS * PARTITIONS_MAX, sizeof *outcomes->at_end);
    assert(outcomes->at_end != NULL);
    enum exit_code code = kafka_open(connection, RD_KAFKA_CONSUMER, extra, &outcomes->consumer);
    if (code == EXIT_OK) {
        outcomes->queue = rd_kafka_queue_new(outcomes->consumer);
        code = start_all(outcomes, from_beginning);
    }
    if (code == EXIT_OK)
        *ret_outcomes = outcomes;
    else
        outcomes_close(outcomes);
    return code;
}

void outcomes_close(struct outcomes *outcomes)
{
    for (int t = 0; t < outcomes->n_topics; t++) {
        for (int i = 0; i < outcomes->topics[t].n_started; i++)
            rd_kafka_consume_stop(outcomes->topics[t].handle, i);
        rd_kafka_topic_destroy(outcomes->topics[t].handle);
    }
    if (outcomes->queue != NULL)
        rd_kafka_queue_destroy(outcomes->queue);
    if (outcomes->consumer != NULL)
        rd_kafka_destroy(outcomes->consumer);
    free(outcomes->at_end);
    free(outcomes);
}

static void copy_header(const rd_kafka_headers_t *headers, const char *name,
                        char ret_value[IDENTITY_BYTES + 1])
{
    const void *value;
    size_t bytes;
    ret_value[0] = '\0';
    if (rd_kafka_header_get_last(headers, name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        value != NULL && bytes <= IDENTITY_BYTES) {
        memcpy(ret_value, value, bytes);
        ret_value[bytes] = '\0';
    }
}

/* False: no outcome (a notification, say, where topics are shared). */
static bool read_outcome(const rd_kafka_message_t *message, struct found_outcome *ret_found)
{
    rd_kafka_headers_t *headers;
    rd_kafka_timestamp_type_t timestamp_type;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    copy_header(headers, "ce_type", ret_found->type);
    copy_header(headers, "ce_id", ret_found->event_id);
    copy_header(headers, "ce_causationid", ret_found->request_id);
    switch (event_kind_of_type(ret_found->type, strlen(ret_found->type))) {
    case EVENT_SUCCEEDED: ret_found->kind = OUTCOME_SUCCEEDED; break;
    case EVENT_CONFLICT: ret_found->kind = OUTCOME_CONFLICT; break;
    case EVENT_FAILED: ret_found->kind = OUTCOME_FAILED; break;
    case EVENT_BATCH_COMPLETED:
    case EVENT_PLANNED:
    case EVENT_LISTED: /* answers to what restorectl does not ask yet */
    case EVENT_NOTIFICATION:
    case EVENT_KIND_COUNT: return false;
    }
    ret_found->at_ms = rd_kafka_message_timestamp(message, &timestamp_type);
    ret_found->data =
        message->payload != NULL ? json_loadb(message->payload, message->len, 0, NULL) : NULL;
    return ret_found->data != NULL;
}

static void see_end(struct outcomes *outcomes, const rd_kafka_message_t *message)
{
    int t = 0;
    while (t < outcomes->n_topics && strcmp(rd_kafka_topic_name(outcomes->topics[t].handle),
                                            rd_kafka_topic_name(message->rkt)) != 0)
        t++;
    assert(t < outcomes->n_topics);
    bool *at_end = &outcomes->at_end[t * PARTITIONS_MAX + message->partition];
    if (!*at_end)
        outcomes->n_unread--;
    *at_end = true;
}

enum outcomes_result outcomes_next(struct outcomes *outcomes, int wait_ms,
                                   struct found_outcome *ret_found)
{
    if (outcomes->n_unread == 0 && !outcomes->caught_up) {
        outcomes->caught_up = true;
        return OUTCOMES_CAUGHT_UP;
    }
    rd_kafka_message_t *message = rd_kafka_consume_queue(outcomes->queue, wait_ms);
    rd_kafka_poll(outcomes->consumer, 0); /* errors, for kafka_unreachable */
    if (message == NULL)
        return OUTCOMES_NOTHING;
    bool found = false;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        found = read_outcome(message, ret_found);
    else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        see_end(outcomes, message);
    rd_kafka_message_destroy(message);
    /* What was none costs no waiting: the caller looks at its clock and asks again. */
    return found ? OUTCOMES_FOUND : OUTCOMES_NOTHING;
}

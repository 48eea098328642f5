#include "worker/restorectl/events.h"

#include "worker/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TOPICS_MAX = 6, PARTITIONS_MAX = 4096, RETRY_MS = 100 };

struct events {
    struct connection *connection;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    int n_topics;
    struct {
        rd_kafka_topic_t *handle;
        int n_partitions, n_started;
    } topics[TOPICS_MAX];
    int n_unread; /* partitions whose end has not been seen yet */
    bool caught_up;
    bool *at_end; /* by topic, then partition */
};

struct topic_choice {
    const char *name;
    bool is_optional;
};

/* Several kinds of events may share a topic (contract 2): each name once. */
static int choose_topics(const struct settings *settings, enum events_from from,
                         struct topic_choice ret_topics[TOPICS_MAX])
{
    static const enum out_topic all[] = {TOPIC_SUCCEEDED, TOPIC_CONFLICTS, TOPIC_FAILED,
                                         TOPIC_PLANS, TOPIC_BATCHES};
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *name = settings->kafka.topics[all[i]];
        int k = 0;
        while (k < n && strcmp(ret_topics[k].name, name) != 0)
            k++;
        if (k == n)
            ret_topics[n++] = (struct topic_choice){name, false};
    }
    if (from == EVENTS_FROM_BEGINNING)
        ret_topics[n++] = (struct topic_choice){settings->kafka.requests_topic, true};
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
static enum exit_code start_offset(struct events *events, const char *topic, int partition,
                                   enum events_from from, int64_t *ret_offset)
{
    int64_t low;
    int64_t until_mono_ms = clock_read_mono_ms() + kafka_timeout_ms(events->connection);
    rd_kafka_resp_err_t error;
    *ret_offset = RD_KAFKA_OFFSET_BEGINNING;
    if (from == EVENTS_FROM_BEGINNING)
        return EXIT_OK;
    do {
        error = rd_kafka_query_watermark_offsets(events->consumer, topic, partition, &low,
                                                 ret_offset, kafka_timeout_ms(events->connection));
    } while (leader_is_missing(error) && clock_read_mono_ms() < until_mono_ms &&
             rd_kafka_poll(events->consumer, RETRY_MS) >= 0);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_OK
                                               : kafka_unreachable(events->connection, error);
}

static enum exit_code start_topic(struct events *events, const char *name, int n_partitions,
                                  enum events_from from)
{
    int t = events->n_topics++;
    events->topics[t].handle = rd_kafka_topic_new(events->consumer, name, NULL);
    events->topics[t].n_partitions = n_partitions;
    for (int i = 0; i < n_partitions; i++) {
        int64_t offset;
        enum exit_code code = start_offset(events, name, i, from, &offset);
        if (code != EXIT_OK)
            return code;
        if (rd_kafka_consume_start_queue(events->topics[t].handle, i, offset, events->queue) != 0)
            return kafka_unreachable(events->connection, rd_kafka_last_error());
        events->topics[t].n_started++;
    }
    events->n_unread += n_partitions;
    return EXIT_OK;
}

static enum exit_code start_all(struct events *events, enum events_from from)
{
    const struct rd_kafka_metadata *metadata;
    struct topic_choice topics[TOPICS_MAX];
    int n = choose_topics(events->connection->settings, from, topics);
    enum exit_code code = kafka_list(events->connection, events->consumer, &metadata);
    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < n && code == EXIT_OK; i++) {
        int n_partitions = kafka_partitions(metadata, topics[i].name);
        bool fits = n_partitions > 0 && n_partitions <= PARTITIONS_MAX;
        if (fits) {
            code = start_topic(events, topics[i].name, n_partitions, from);
        } else if (!topics[i].is_optional) {
            fprintf(stderr, "restorectl: %s topic %s (restorectl topics create)\n",
                    n_partitions == 0 ? "there is no" : "too many partitions in", topics[i].name);
            code = EXIT_CONFIGURATION;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

enum exit_code events_open(struct connection *connection, enum events_from from,
                           struct events **ret_events)
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
    struct events *events = calloc(1, sizeof *events);
    assert(events != NULL);
    events->connection = connection;
    events->at_end = calloc((size_t)TOPICS_MAX * PARTITIONS_MAX, sizeof *events->at_end);
    assert(events->at_end != NULL);
    enum exit_code code = kafka_open(connection, RD_KAFKA_CONSUMER, extra, &events->consumer);
    if (code == EXIT_OK) {
        events->queue = rd_kafka_queue_new(events->consumer);
        code = start_all(events, from);
    }
    if (code == EXIT_OK)
        *ret_events = events;
    else
        events_close(events);
    return code;
}

void events_close(struct events *events)
{
    if (events == NULL)
        return;
    for (int t = 0; t < events->n_topics; t++) {
        for (int i = 0; i < events->topics[t].n_started; i++)
            rd_kafka_consume_stop(events->topics[t].handle, i);
        rd_kafka_topic_destroy(events->topics[t].handle);
    }
    if (events->queue != NULL)
        rd_kafka_queue_destroy(events->queue);
    if (events->consumer != NULL)
        rd_kafka_destroy(events->consumer);
    free(events->at_end);
    free(events);
}

static void see_end(struct events *events, const rd_kafka_message_t *message)
{
    int t = 0;
    while (t < events->n_topics && strcmp(rd_kafka_topic_name(events->topics[t].handle),
                                          rd_kafka_topic_name(message->rkt)) != 0)
        t++;
    assert(t < events->n_topics);
    bool *at_end = &events->at_end[t * PARTITIONS_MAX + message->partition];
    if (!*at_end)
        events->n_unread--;
    *at_end = true;
}

/* Requests may be hidden from who reads outcomes: then it is not known which were batches. */
static bool is_of_requests(const struct events *events, const rd_kafka_message_t *message)
{
    return message->rkt != NULL && strcmp(rd_kafka_topic_name(message->rkt),
                                          events->connection->settings->kafka.requests_topic) == 0;
}

static enum events_result take_message(struct events *events, const rd_kafka_message_t *message,
                                       struct event *ret_event)
{
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return event_from_message(message, ret_event) ? EVENTS_FOUND : EVENTS_NOTHING;
    bool denied = kafka_is_denied(message->err);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
        (denied && is_of_requests(events, message))) {
        see_end(events, message);
        return EVENTS_NOTHING;
    }
    if (!denied)
        return EVENTS_NOTHING; /* librdkafka goes on trying */
    (void)kafka_unreachable(events->connection, message->err);
    return EVENTS_DENIED;
}

enum events_result events_next(struct events *events, int wait_ms, struct event *ret_event)
{
    if (events->n_unread == 0 && !events->caught_up) {
        events->caught_up = true;
        return EVENTS_CAUGHT_UP;
    }
    rd_kafka_message_t *message = rd_kafka_consume_queue(events->queue, wait_ms);
    rd_kafka_poll(events->consumer, 0); /* errors, for kafka_unreachable */
    if (message == NULL)
        return EVENTS_NOTHING;
    /* What was none costs no waiting: the caller looks at its clock and asks again. */
    enum events_result result = take_message(events, message, ret_event);
    rd_kafka_message_destroy(message);
    return result;
}

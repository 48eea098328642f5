#include "consumers/rebalance.h"

#include "consumers/journal_care.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <syslog.h>

enum {
    ASK_AGAIN_MS = 100,              /* while an offset is pending in a transaction */
    ASK_AGAIN_AFTER_ERROR_MS = 1200, /* the coordinator may be another: journal_reader_handle */
    TOPICS_AGAIN_MS = 2000,
    TOPICS_TIMEOUT_MS = 250, /* on the loop, and only while nothing is held */
    REJOINED_MS = 60000,
};

/* ---- topics ---- */

static int topic_count(struct request_consumer *consumer, const char *name, int timeout_ms)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer->handle, name, NULL);
    const struct rd_kafka_metadata *metadata;
    int n = -1;
    if (rd_kafka_metadata(consumer->handle, 0, topic, &metadata, timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return n;
}

struct topic_counts topics_count(struct request_consumer *consumer, int timeout_ms)
{
    struct topic_counts counts = {.journal = -1};
    counts.requests = topic_count(consumer, consumer->requests_topic, timeout_ms);
    if (counts.requests > 0)
        counts.journal = topic_count(consumer, consumer->journal_topic, timeout_ms);
    return counts;
}

/* True when both topics are there and fit together. */
static bool topics_check(struct request_consumer *consumer)
{
    char line[512];
    struct topic_counts counts = topics_count(consumer, TOPICS_TIMEOUT_MS);
    if (counts.requests > 0 && counts.requests == counts.journal) {
        consumer->n_all = counts.requests;
        return true;
    }
    if (counts.requests > 0 && counts.journal > 0) {
        snprintf(line, sizeof line,
                 "topic %s has %d partitions and topic %s has %d: the numbers must be the same",
                 consumer->requests_topic, counts.requests, consumer->journal_topic,
                 counts.journal);
        consumer_fail(consumer, EX_CONFIG, line);
    } else if (log_limit_passes(&consumer->limit, -2, consumer->now_mono_ms)) {
        snprintf(line, sizeof line, "waiting for topic %s: %s",
                 counts.requests > 0 ? consumer->journal_topic : consumer->requests_topic,
                 counts.requests != 0 && counts.journal != 0 ? "no broker answers"
                                                             : "it does not exist");
        consumer_log(consumer, LOG_WARNING, line);
    }
    return false;
}

static void subscribe(struct request_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, consumer->requests_topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(consumer->handle, topics);
    assert(error == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(topics);
    journal_care_ask(consumer->handle, consumer->requests_topic, consumer->journal_topic,
                     consumer->queue);
    consumer->state = IDLE;
}

/* ---- assigning: offsets, journal, assign ---- */

static void assignment_drop(struct request_consumer *consumer)
{
    free(consumer->assignment);
    consumer->assignment = NULL;
    journal_reader_abandon(consumer->reader);
    journal_index_let_go(&consumer->index);
    consumer->state = IDLE;
}

/* Takes the assignment over. Until rd_kafka_assign answers it, heartbeats go on and the others
 * work, but a member that joins waits for us: what can hold it up is bounded by the transaction
 * timeout of a dead owner (kafka-worker.md 2.4). */
static void assignment_begin(struct request_consumer *consumer, struct assignment *assignment)
{
    consumer->assignment = assignment;
    consumer->state = ASKING;
    consumer->act_at_mono_ms = consumer->now_mono_ms;
}

static void assignment_load(struct request_consumer *consumer)
{
    consumer->state = consumer->assignment->n == 0 ? READY : LOADING;
    for (int i = 0; i < consumer->assignment->n; i++) {
        struct assigned_partition *partition = &consumer->assignment->partitions[i];
        journal_reader_load(consumer->reader, partition->id, assignment_base(partition));
    }
}

void rebalance_on_answer(struct request_consumer *consumer, rd_kafka_event_t *event)
{
    uint32_t epoch = (uint32_t)(uintptr_t)rd_kafka_event_opaque(event);
    if (consumer->state != ASKING || consumer->assignment->epoch != epoch)
        return; /* to the question of an assignment that was given up */
    char line[256];
    int64_t again_ms = ASK_AGAIN_MS;
    if (!assignment_answer(consumer->assignment, event, line, sizeof line)) {
        again_ms = ASK_AGAIN_AFTER_ERROR_MS;
        if (log_limit_passes(&consumer->limit, -1, consumer->now_mono_ms))
            consumer_log(consumer, LOG_WARNING, line);
    }
    consumer->act_at_mono_ms = consumer->now_mono_ms + again_ms;
    if (consumer->assignment->n_unknown == 0)
        assignment_load(consumer);
}

void rebalance_on_loaded(void *context, int32_t id, enum journal_load load, const char *why)
{
    struct request_consumer *consumer = context;
    struct assigned_partition *partition = assignment_find(consumer->assignment, id);
    consumer->assignment->n_unended--;
    if (load == JOURNAL_NO_ROOM) {
        consumer_fail(consumer, EX_SOFTWARE, why);
        return;
    }
    if (load == JOURNAL_UNREADABLE) {
        partition->unreadable = true;
        consumer_log(consumer, LOG_ERR, why);
    }
    if (consumer->assignment->n_unended == 0)
        consumer->state = READY;
}

static struct held *held_new(struct request_consumer *consumer,
                             const struct assigned_partition *assigned)
{
    struct held *held = calloc(1, sizeof *held);
    assert(held != NULL);
    held->partition =
        (struct request_partition){.id = assigned->id, .loaded_at_mono_ms = consumer->now_mono_ms};
    offsets_init(&held->partition.offsets, assignment_base(assigned));
    /* Split off before rd_kafka_assign: it forwards the queue to the consumer's own only if nobody
     * has forwarded it before, and so no record can come by the wrong way. */
    held->queue =
        rd_kafka_queue_get_partition(consumer->handle, consumer->requests_topic, assigned->id);
    rd_kafka_queue_forward(held->queue, NULL);
    /* Records of an earlier assignment are void, but while they lie there nothing wakes us. */
    for (rd_kafka_message_t *void_message;
         (void_message = rd_kafka_consume_queue(held->queue, 0)) != NULL;)
        rd_kafka_message_destroy(void_message);
    kafka_in_wake(held->queue, consumer->wake_fd);
    return held;
}

static void rejoined(struct request_consumer *consumer)
{
    if (consumer->rejoining_until_mono_ms == INT64_MAX)
        consumer->rejoining_until_mono_ms = consumer->now_mono_ms + REJOINED_MS;
}

static void assignment_finish(struct request_consumer *consumer)
{
    struct assignment *assignment = consumer->assignment;
    consumer->held = calloc((size_t)assignment->n + 1, sizeof *consumer->held);
    assert(consumer->held != NULL);
    for (int i = 0; i < assignment->n; i++)
        if (!assignment->partitions[i].unreadable)
            consumer->held[consumer->n_held++] = held_new(consumer, &assignment->partitions[i]);
        else if (consumer->n_unreadable++ == 0)
            consumer->first_unreadable = assignment->partitions[i].id;
    rd_kafka_topic_partition_list_t *starts =
        assignment_starts(assignment, consumer->requests_topic, consumer->start_latest);
    rd_kafka_assign(consumer->handle, starts);
    rd_kafka_topic_partition_list_destroy(starts);
    free(assignment);
    consumer->assignment = NULL;
    consumer->state = HOLDING;
    rejoined(consumer);
    for (int i = 0; i < consumer->n_held && consumer->state == HOLDING; i++)
        consumer->handlers.on_assigned(consumer->handlers.context, &consumer->held[i]->partition);
}

/* ---- rebalances ---- */

static void revoke_begin(struct request_consumer *consumer, struct assignment *next, bool lost)
{
    consumer->next = next;
    consumer->state = REVOKING;
    journal_reader_abandon(consumer->reader);
    consumer->handlers.on_revoked(consumer->handlers.context, lost);
}

void held_drop(struct request_consumer *consumer)
{
    for (int i = 0; i < consumer->n_held; i++) {
        rd_kafka_queue_io_event_enable(consumer->held[i]->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(consumer->held[i]->queue);
        free(consumer->held[i]);
    }
    free(consumer->held);
    consumer->held = NULL;
    consumer->n_held = 0;
    consumer->n_unreadable = 0;
}

void request_consumer_finish_revoke(struct request_consumer *consumer)
{
    if (consumer->state != REVOKING)
        return; /* failed meanwhile */
    held_drop(consumer);
    journal_index_let_go(&consumer->index);
    consumer->state = IDLE;
    struct assignment *next = consumer->next;
    consumer->next = NULL;
    if (next == NULL) {
        rd_kafka_assign(consumer->handle, NULL);
        return;
    }
    assignment_begin(consumer, next); /* its rd_kafka_assign will replace what is assigned */
    eventfd_write(consumer->wake_fd, 1);
}

void rebalance_on_assign(struct request_consumer *consumer,
                         const rd_kafka_topic_partition_list_t *list)
{
    struct assignment *next = assignment_new(list, ++consumer->epoch);
    switch (consumer->state) {
    case HOLDING: revoke_begin(consumer, next, true); break; /* lost without a word */
    case REVOKING:
        free(consumer->next);
        consumer->next = next;
        break;
    case WITHOUT_TOPICS:
    case FAILED: free(next); break;
    case IDLE:
    case ASKING:
    case LOADING:
    case READY:
        assignment_drop(consumer);
        if (list->cnt > 0) {
            assignment_begin(consumer, next);
            break;
        }
        /* Others wait for this answer (kafka-worker.md 2.4). */
        rd_kafka_assign(consumer->handle, list);
        consumer->member = true;
        rejoined(consumer);
        free(next);
        break;
    }
}

void rebalance_on_revoke(struct request_consumer *consumer)
{
    char why[8];
    bool lost = rd_kafka_assignment_lost(consumer->handle) != 0;
    consumer->member = false;
    if (lost &&
        rd_kafka_fatal_error(consumer->handle, why, sizeof why) == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->rejoining_until_mono_ms = INT64_MAX;
    switch (consumer->state) {
    case HOLDING: revoke_begin(consumer, NULL, lost); break;
    case REVOKING:
        free(consumer->next);
        consumer->next = NULL;
        break;
    case WITHOUT_TOPICS:
    case FAILED: rd_kafka_assign(consumer->handle, NULL); break;
    case IDLE:
    case ASKING:
    case LOADING:
    case READY:
        assignment_drop(consumer);
        rd_kafka_assign(consumer->handle, NULL);
        break;
    }
}

/* The committed offset is not in the log (any more): all partitions are assigned anew, because
 * librdkafka moves a single one only while it is being fetched, and this one has stopped. */
static void restart_out_of_range(struct request_consumer *consumer)
{
    int32_t id = consumer->out_of_range.id;
    consumer->out_of_range.start = START_UNKNOWN;
    if (consumer->state != HOLDING)
        return;
    char line[160];
    snprintf(line, sizeof line,
             "partition %d: offset %lld is out of range, starting at the earliest", (int)id,
             (long long)consumer->out_of_range.offset);
    consumer_log(consumer, LOG_WARNING, line);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(consumer->n_held);
    for (int i = 0; i < consumer->n_held; i++)
        rd_kafka_topic_partition_list_add(list, consumer->requests_topic,
                                          consumer->held[i]->partition.id);
    struct assignment *next = assignment_new(list, ++consumer->epoch);
    rd_kafka_topic_partition_list_destroy(list);
    assignment_find(next, id)->start = START_OUT_OF_RANGE;
    next->n_unknown--;
    revoke_begin(consumer, next, false); /* the generation stays: the last batch can commit */
}

void rebalance_act(struct request_consumer *consumer)
{
    if (consumer->out_of_range.start == START_OUT_OF_RANGE)
        restart_out_of_range(consumer);
    if (consumer->state == READY)
        assignment_finish(consumer);
    if (consumer->now_mono_ms < consumer->act_at_mono_ms)
        return;
    if (consumer->state == WITHOUT_TOPICS) {
        consumer->act_at_mono_ms = consumer->now_mono_ms + TOPICS_AGAIN_MS;
        if (consumer->n_all > 0 || topics_check(consumer))
            subscribe(consumer);
    } else if (consumer->state == ASKING) {
        consumer->act_at_mono_ms = INT64_MAX; /* until the answer */
        if (!consumer->assignment->asked &&
            !assignment_is_below(consumer->assignment, consumer->n_all))
            topics_check(consumer); /* partitions were added */
        if (consumer->state == FAILED)
            return;
        if (consumer->assignment->n_unknown == 0)
            assignment_load(consumer);
        else
            assignment_ask(consumer->assignment, journal_reader_handle(consumer->reader),
                           consumer->group, consumer->requests_topic, consumer->queue);
    }
}

#include "consumers/request_consumer.h"
#include "consumers/journal_care.h"
#include "consumers/rebalance.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <syslog.h>

enum {
    TICK_MS =
        1000, /* librdkafka counts polls against max.poll.interval.ms; and no wake-up is sure */
    TOPICS_FIRST_TIMEOUT_MS = 5000, /* in new, which may block */
    EVENTS_PER_TURN = 1000,
    CLOSE_POLL_MS = 100,
    CLOSE_POLLS_MAX = 50,
    /* Room in the index before a record is taken: the 4,096 unfinished jobs (design 4, P3), each
     * with a key of its own, and what is beyond them in batches. */
    INDEX_ROOM = 8192,
};

void consumer_log(struct request_consumer *consumer, int level, const char *line)
{
    consumer->handlers.on_log(consumer->handlers.context, level, line);
}

void consumer_fail(struct request_consumer *consumer, int exit_code, const char *why)
{
    if (consumer->state == FAILED)
        return;
    consumer->state = FAILED;
    consumer->handlers.on_failed(consumer->handlers.context, exit_code, why);
}

/* ---- events ---- */

static void on_error(struct request_consumer *consumer, rd_kafka_resp_err_t code, const char *text)
{
    char line[512];
    /* The event carries the code behind _FATAL; only the handle says that it was fatal. */
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(consumer->handle, line, sizeof line);
    if (fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID &&
        consumer->now_mono_ms < consumer->rejoining_until_mono_ms) {
        /* A coordinator that hung answers what was sent to it before and after, in any order: the
         * join it took for the newer one was our own (measured, Kafka 4.1). */
        consumer_fail(consumer, EX_TEMPFAIL, "fenced while it joined again after a lost session");
    } else if (fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        snprintf(line, sizeof line, "another process uses kafka.instance %s", consumer->instance);
        consumer_fail(consumer, EX_CONFIG, line);
    } else if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        consumer_fail(consumer, EX_SOFTWARE, line);
    } else if (log_limit_passes(&consumer->limit, code, consumer->now_mono_ms)) {
        snprintf(line, sizeof line, "requests: %s", text);
        consumer_log(consumer, LOG_WARNING, line);
    }
}

static void on_event(struct request_consumer *consumer, rd_kafka_event_t *event)
{
    const char *facility, *text;
    int level;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
            rebalance_on_assign(consumer, rd_kafka_event_topic_partition_list(event));
        else
            rebalance_on_revoke(consumer);
        break;
    case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
        rebalance_on_answer(consumer, event);
        break;
    case RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT:
        consumer->journal_warning[0] = '\0';
        if (!journal_care_answer(event, consumer->requests_topic, consumer->journal_topic,
                                 consumer->journal_warning, sizeof consumer->journal_warning))
            consumer_log(consumer, LOG_WARNING, consumer->journal_warning);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(consumer, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
        break;
    case RD_KAFKA_EVENT_LOG:
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
            consumer_log(consumer, level, text);
        break;
    case RD_KAFKA_EVENT_FETCH:
        consumer_fail(consumer, EX_SOFTWARE, "a request came by the wrong queue");
        break;
    default: break;
    }
}

/* ---- the seam ---- */

int64_t request_consumer_service(struct request_consumer *consumer, int64_t now_mono_ms)
{
    consumer->now_mono_ms = now_mono_ms;
    rebalance_act(consumer);
    if (consumer->take_error != RD_KAFKA_RESP_ERR_NO_ERROR)
        on_error(consumer, consumer->take_error, rd_kafka_err2str(consumer->take_error));
    consumer->take_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool more = false;
    for (int i = 0; consumer->state != FAILED; i++) {
        rd_kafka_event_t *event =
            i < EVENTS_PER_TURN ? rd_kafka_queue_poll(consumer->queue, 0) : NULL;
        if (event == NULL) {
            more = i == EVENTS_PER_TURN;
            break;
        }
        on_event(consumer, event);
        rd_kafka_event_destroy(event);
    }
    if (consumer->state != FAILED)
        more = journal_reader_service(consumer->reader, now_mono_ms) || more;
    if (consumer->state == FAILED)
        return INT64_MAX;
    if (more || consumer->state == READY)
        return now_mono_ms;
    bool acts = consumer->state == WITHOUT_TOPICS || consumer->state == ASKING;
    return acts && consumer->act_at_mono_ms < now_mono_ms + TICK_MS ? consumer->act_at_mono_ms
                                                                    : now_mono_ms + TICK_MS;
}

static bool index_has_room(struct request_consumer *consumer)
{
    if (consumer->index.n_entries + INDEX_ROOM <= consumer->index.entries_max)
        return true;
    for (int i = 0; i < consumer->n_held; i++)
        journal_index_raise(&consumer->index, consumer->held[i]->partition.id,
                            offsets_committable(&consumer->held[i]->partition.offsets));
    return journal_index_make_room(&consumer->index, INDEX_ROOM);
}

/* A message that is an error; told to the owner from service. */
static void take_error(struct request_consumer *consumer, const struct held *held,
                       const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        consumer->out_of_range = (struct assigned_partition){
            .id = held->partition.id, .start = START_OUT_OF_RANGE, .offset = message->offset};
    else
        consumer->take_error = message->err;
    eventfd_write(consumer->wake_fd, 1);
}

/* Ends are only noted: a record may lie right behind one. */
static rd_kafka_message_t *next_message(struct held *held)
{
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consume_queue(held->queue, 0)) != NULL &&
           message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        held->end = message->offset;
        rd_kafka_message_destroy(message);
    }
    return message;
}

const struct record *request_consumer_take(struct request_consumer *consumer,
                                           struct request_partition **ret_partition,
                                           struct open_offset *entry)
{
    assert(consumer->message == NULL);
    if (consumer->state != HOLDING || !index_has_room(consumer))
        return NULL;
    for (int i = 0; i < consumer->n_held; i++) {
        struct held *held = consumer->held[(consumer->turn + i) % consumer->n_held];
        rd_kafka_message_t *message = next_message(held);
        if (message == NULL)
            continue;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            take_error(consumer, held, message);
            rd_kafka_message_destroy(message);
            continue;
        }
        consumer->turn = (consumer->turn + i + 1) % consumer->n_held;
        consumer->message = message;
        record_from_message(message, &consumer->record, &consumer->more);
        offsets_open(&held->partition.offsets, entry, message->offset);
        *ret_partition = &held->partition;
        return &consumer->record;
    }
    return NULL;
}

void request_consumer_release(struct request_consumer *consumer)
{
    assert(consumer->message != NULL);
    rd_kafka_message_destroy(consumer->message);
    consumer->message = NULL;
}

static struct held *held_find(const struct request_consumer *consumer, int32_t id)
{
    for (int i = 0; i < consumer->n_held; i++)
        if (consumer->held[i]->partition.id == id)
            return consumer->held[i];
    return NULL;
}

void request_consumer_share(const struct request_consumer *consumer, int *ret_held, int *ret_all)
{
    *ret_held = consumer->n_held;
    *ret_all = consumer->n_all;
}

enum consumer_standing request_consumer_standing(const struct request_consumer *consumer)
{
    switch (consumer->state) {
    case WITHOUT_TOPICS: return CONSUMER_WITHOUT_TOPICS;
    case IDLE: return consumer->member ? CONSUMER_MEMBER : CONSUMER_OUTSIDE;
    case ASKING:
    case LOADING:
    case READY: return CONSUMER_TAKING_OVER;
    case HOLDING: return CONSUMER_MEMBER;
    case REVOKING: return CONSUMER_REVOKING;
    case FAILED: break;
    }
    return CONSUMER_FAILED;
}

int request_consumer_unreadable(const struct request_consumer *consumer, int32_t *ret_first)
{
    *ret_first = consumer->first_unreadable;
    return consumer->n_unreadable;
}

const char *request_consumer_journal_warning(const struct request_consumer *consumer)
{
    return consumer->journal_warning;
}

int64_t request_consumer_behind(const struct request_consumer *consumer)
{
    int64_t behind = 0;
    for (int i = 0; i < consumer->n_held; i++) {
        const struct request_partition *partition = &consumer->held[i]->partition;
        int64_t low, high, next = partition->offsets.next;
        /* Of the last fetch: asks no broker. */
        if (rd_kafka_get_watermark_offsets(consumer->handle, consumer->requests_topic,
                                           partition->id, &low,
                                           &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        if (next == 0 && consumer->start_latest)
            continue; /* where it began is known only when the first record is taken */
        if (next < low)
            next = low;
        if (next < consumer->held[i]->end)
            next = consumer->held[i]->end;
        if (high > next)
            behind += high - next;
    }
    return behind;
}

int64_t request_consumer_window_ms(const struct request_consumer *consumer, int64_t now_wall_ms)
{
    return journal_index_window_ms(&consumer->index, now_wall_ms);
}

const struct journal_entry *request_consumer_journal_find(const struct request_consumer *consumer,
                                                          int32_t partition,
                                                          const struct journal_key *key)
{
    return journal_index_find(&consumer->index, partition, key);
}

void request_consumer_journal_put(struct request_consumer *consumer, int32_t partition,
                                  const struct journal_entry *entry)
{
    struct held *held = held_find(consumer, partition);
    if (held != NULL) {
        journal_index_raise(&consumer->index, partition,
                            offsets_committable(&held->partition.offsets));
        /* While it is held all that is new in its journal is our own. Afterwards another's records
         * may lie before this one, and the next load must not miss them. */
        journal_index_read_to(&consumer->index, partition, entry->journal_offset + 1);
    }
    journal_index_put(&consumer->index, partition, entry);
}

void request_consumer_fetch(struct request_consumer *consumer, int32_t partition,
                            int64_t journal_offset, void *fetch_context)
{
    assert(held_find(consumer, partition) != NULL);
    if (consumer->state == HOLDING) /* else on_revoked was called: never answered */
        journal_reader_fetch(consumer->reader, partition, journal_offset, fetch_context);
}

rd_kafka_consumer_group_metadata_t *request_consumer_membership(struct request_consumer *consumer)
{
    return rd_kafka_consumer_group_metadata(consumer->handle);
}

/* ---- making and ending ---- */

static void on_fetched(void *context, void *fetch_context, const struct journal_record *record)
{
    struct request_consumer *consumer = context;
    consumer->handlers.on_fetched(consumer->handlers.context, fetch_context, record);
}

static void on_log(void *context, int level, const char *line)
{
    consumer_log(context, level, line);
}

static char *text_keep(const char *text)
{
    char *copy = strdup(text);
    assert(copy != NULL);
    return copy;
}

/* session.timeout.ms: an instance that is back within it finds its partitions waiting. The bounds
 * of the queues: measurements.md 4, librdkafka 2.0.2 rests a full queue for a second. */
static int handle_new(struct request_consumer *consumer,
                      const struct request_consumer_settings *settings, char *reterr,
                      size_t reterr_bytes)
{
    static const struct kafka_option defaults[] = {
        {"session.timeout.ms", "15000"}, {"fetch.wait.max.ms", "100"}, {NULL, NULL}};
    const struct kafka_option fixed[] = {
        {"group.id", settings->group},
        {"group.instance.id", settings->instance},
        {"partition.assignment.strategy", "range"},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"queued.min.messages", "10000"},
        {"queued.max.messages.kbytes", "16384"},
        {NULL, NULL},
    };
    int result = kafka_in_new(settings, defaults, fixed, &consumer->handle, reterr, reterr_bytes);
    if (result < 0)
        return result;
    rd_kafka_poll_set_consumer(consumer->handle);
    consumer->queue = rd_kafka_queue_get_consumer(consumer->handle);
    rd_kafka_set_log_queue(consumer->handle, consumer->queue);
    consumer->topic = rd_kafka_topic_new(consumer->handle, settings->requests_topic, NULL);
    assert(consumer->topic != NULL);
    kafka_in_wake(consumer->queue, settings->wake_fd);
    return 0;
}

int request_consumer_new(const struct request_consumer_settings *settings,
                         const struct request_consumer_handlers *handlers,
                         struct request_consumer **ret_consumer, char *reterr, size_t reterr_bytes)
{
    struct request_consumer *consumer = calloc(1, sizeof *consumer);
    assert(consumer != NULL);
    consumer->handlers = *handlers;
    consumer->start_latest = settings->start_latest;
    consumer->wake_fd = settings->wake_fd;
    consumer->group = text_keep(settings->group);
    consumer->instance = text_keep(settings->instance);
    consumer->requests_topic = text_keep(settings->requests_topic);
    consumer->journal_topic = text_keep(settings->journal_topic);
    journal_index_init(&consumer->index, JOURNAL_ENTRIES_MAX, settings->journal_window_ms);
    const struct journal_reader_handlers own = {.context = consumer,
                                                .on_loaded = rebalance_on_loaded,
                                                .on_fetched = on_fetched,
                                                .on_log = on_log};
    int result = handle_new(consumer, settings, reterr, reterr_bytes);
    if (result == 0)
        result = journal_reader_new(settings, &own, &consumer->index, &consumer->reader, reterr,
                                    reterr_bytes);
    if (result < 0) {
        request_consumer_free(consumer);
        return result;
    }
    struct topic_counts counts = topics_count(consumer, TOPICS_FIRST_TIMEOUT_MS);
    if (counts.requests > 0 && counts.requests == counts.journal)
        consumer->n_all = counts.requests; /* else service looks again, and says so */
    eventfd_write(consumer->wake_fd, 1);
    *ret_consumer = consumer;
    return 0;
}

/* A static member does not leave: its partitions wait for it until the session times out. */
static void handle_close(struct request_consumer *consumer)
{
    /* A rebalance that waits for its answer would block the close. */
    rd_kafka_assign(consumer->handle, NULL);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->handle, consumer->queue);
    bool closing = error == NULL; /* else after a fatal error: there is nothing to close */
    rd_kafka_error_destroy(error);
    for (int i = 0; closing && i < CLOSE_POLLS_MAX && !rd_kafka_consumer_closed(consumer->handle);
         i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(consumer->queue, CLOSE_POLL_MS);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rd_kafka_assign(consumer->handle, NULL);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_topic_destroy(consumer->topic);
    rd_kafka_queue_destroy(consumer->queue);
    rd_kafka_destroy_flags(consumer->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void request_consumer_free(struct request_consumer *consumer)
{
    if (consumer == NULL)
        return;
    if (consumer->message != NULL)
        request_consumer_release(consumer);
    journal_reader_free(consumer->reader);
    held_drop(consumer);
    free(consumer->assignment);
    free(consumer->next);
    if (consumer->handle != NULL)
        handle_close(consumer);
    journal_index_free(&consumer->index);
    free(consumer->more.headers);
    free(consumer->group);
    free(consumer->instance);
    free(consumer->requests_topic);
    free(consumer->journal_topic);
    free(consumer);
}

#include "consumers/journal_reader.h"
#include "consumers/fetches.h"
#include "consumers/kafka_in.h"
#include "consumers/retained.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <syslog.h>

enum {
    EVENTS_PER_TURN = 2000, /* some 10 ms */
    PENDING_LOGGED_AFTER_MS = 5000,
    FETCH_AGAIN_MS = 500,  /* replica.fetch.wait.max.ms: so long a follower may be silent */
    GONE_AFTER_MS = 10000, /* twenty of them */
};

/* A partition of the journal. It is read for one purpose at a time: fetches wait. */
struct reading {
    enum { READING_NOTHING, READING_LOAD, READING_FETCH } purpose;
    int64_t base;
    int64_t pending_since_mono_ms; /* the end was not the end: -1 not seen, 0 logged */
    int64_t again_at_mono_ms;      /* the first fetch; 0: it need not wait */
    struct fetches fetches;
};

struct journal_reader {
    rd_kafka_t *handle;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue; /* of all partitions, errors and log lines */
    struct journal_index *index;
    struct journal_reader_handlers handlers;
    struct reading *readings; /* by partition */
    int n_readings;
    int n_loads, n_again;
    struct fetches ready;
    struct retained retained;
    struct log_limit limit;
    struct more_headers more;
    int64_t now_mono_ms;
    int wake_fd;
};

int journal_reader_new(const struct request_consumer_settings *settings,
                       const struct journal_reader_handlers *handlers, struct journal_index *index,
                       struct journal_reader **ret_reader, char *reterr, size_t reterr_bytes)
{
    /* fetch.wait.max.ms: the end of a partition is reported only when a fetch came back empty.
     * queued.max.messages.kbytes stays at 64 MB: it counts the queue that all partitions share, and
     * librdkafka 2.0.2 rests a full one for a second (measured, 12 partitions, records of 900
     * bytes: 226,000 a second; with 16 MB 70,000).
     * metadata.max.age.ms: see journal_reader_handle; for it the topic is looked up each second.
     * group.id: this handle never joins, but without a group librdkafka 2.0.2 crashes when the
     * coordinator asked is not the coordinator (rd_kafka_handle_OffsetFetch). */
    static const struct kafka_option defaults[] = {{"fetch.wait.max.ms", "10"}, {NULL, NULL}};
    const struct kafka_option fixed[] = {
        {"group.id", settings->group},         {"metadata.max.age.ms", "100"},
        {"isolation.level", "read_committed"}, {"enable.partition.eof", "true"},
        {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},        {NULL, NULL}};
    struct journal_reader *reader = calloc(1, sizeof *reader);
    assert(reader != NULL);
    reader->index = index;
    reader->handlers = *handlers;
    reader->wake_fd = settings->wake_fd;
    int result = kafka_in_new(settings, defaults, fixed, &reader->handle, reterr, reterr_bytes);
    if (result < 0) {
        free(reader);
        return result;
    }
    reader->topic = rd_kafka_topic_new(reader->handle, settings->journal_topic, NULL);
    assert(reader->topic != NULL);
    reader->queue = rd_kafka_queue_new(reader->handle);
    rd_kafka_queue_t *main_queue = rd_kafka_queue_get_main(reader->handle);
    rd_kafka_queue_forward(main_queue, reader->queue);
    rd_kafka_queue_destroy(main_queue);
    rd_kafka_set_log_queue(reader->handle, reader->queue);
    kafka_in_wake(reader->queue, settings->wake_fd);
    *ret_reader = reader;
    return 0;
}

void journal_reader_free(struct journal_reader *reader)
{
    if (reader == NULL)
        return;
    journal_reader_abandon(reader);
    rd_kafka_queue_destroy(reader->queue);
    rd_kafka_topic_destroy(reader->topic);
    rd_kafka_destroy_flags(reader->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(reader->readings);
    free(reader->more.headers);
    free(reader);
}

rd_kafka_t *journal_reader_handle(const struct journal_reader *reader)
{
    return reader->handle;
}

/* ---- starting and stopping ---- */

static struct reading *reading_get(struct journal_reader *reader, int32_t partition)
{
    assert(partition >= 0);
    if (partition >= reader->n_readings) {
        size_t n = (size_t)partition + 1;
        reader->readings = realloc(reader->readings, n * sizeof *reader->readings);
        assert(reader->readings != NULL);
        for (; reader->n_readings < (int)n; reader->n_readings++)
            reader->readings[reader->n_readings] = (struct reading){.purpose = READING_NOTHING};
    }
    return &reader->readings[partition];
}

static void reading_start(struct journal_reader *reader, int32_t partition, int64_t journal_offset)
{
    int failed =
        rd_kafka_consume_start_queue(reader->topic, partition, journal_offset, reader->queue);
    assert(failed == 0); /* only wrong arguments can make it fail */
}

/* What was fetched ahead carries an older version and is never handed out. */
static void reading_stop(struct journal_reader *reader, int32_t partition)
{
    struct reading *reading = &reader->readings[partition];
    if (reading->purpose == READING_NOTHING)
        return;
    if (reading->purpose == READING_LOAD)
        reader->n_loads--;
    reading->purpose = READING_NOTHING;
    rd_kafka_consume_stop(reader->topic, partition);
}

void journal_reader_abandon(struct journal_reader *reader)
{
    for (int32_t i = 0; i < reader->n_readings; i++) {
        reading_stop(reader, i);
        reader->readings[i].again_at_mono_ms = 0;
        fetches_drop(&reader->readings[i].fetches);
    }
    reader->n_again = 0;
    fetches_drop(&reader->ready);
    retained_clear(&reader->retained);
}

/* ---- loading ---- */

static void load_start(struct journal_reader *reader, int32_t partition)
{
    struct reading *reading = &reader->readings[partition];
    int64_t next = journal_index_hold(reader->index, partition, reading->base);
    reading->purpose = READING_LOAD;
    reading->pending_since_mono_ms = -1;
    reader->n_loads++;
    reading_start(reader, partition, next == 0 ? RD_KAFKA_OFFSET_BEGINNING : next);
}

void journal_reader_load(struct journal_reader *reader, int32_t partition, int64_t base)
{
    struct reading *reading = reading_get(reader, partition);
    assert(reading->purpose == READING_NOTHING && reading->fetches.first == NULL);
    reading->base = base;
    load_start(reader, partition);
}

static void load_end(struct journal_reader *reader, int32_t partition, enum journal_load load,
                     const char *why)
{
    reading_stop(reader, partition);
    reader->handlers.on_loaded(reader->handlers.context, partition, load, why);
}

static void load_record(struct journal_reader *reader, const struct record *record)
{
    char why[160];
    struct journal_record decoded;
    struct journal_key key;
    if (record->key == NULL || !journal_key_from_text(record->key, record->key_bytes, &key) ||
        journal_record_decode(record, &decoded) < 0) {
        snprintf(why, sizeof why, "journal partition %d cannot be read: record at offset %lld",
                 (int)record->partition, (long long)record->offset);
        load_end(reader, record->partition, JOURNAL_UNREADABLE, why);
        return;
    }
    if (!journal_index_make_room(reader->index, 1)) {
        snprintf(why, sizeof why,
                 "journal partition %d: more than %zu records beyond the lowest unfinished one",
                 (int)record->partition, reader->index->entries_max);
        load_end(reader, record->partition, JOURNAL_NO_ROOM, why);
        return;
    }
    int64_t base = reader->readings[record->partition].base;
    const struct journal_entry *older = journal_index_find(reader->index, record->partition, &key);
    if (older != NULL && older->state == JOURNAL_INTENT && older->request_offset >= base)
        free(retained_take(&reader->retained, record->partition, older->journal_offset));
    if (decoded.state == JOURNAL_INTENT && decoded.request_offset >= base)
        retained_put(&reader->retained, record);
    struct journal_entry entry = {.key = key,
                                  .request_offset = decoded.request_offset,
                                  .journal_offset = record->offset,
                                  .time_ms = decoded.time_ms & JOURNAL_TIME_MASK,
                                  .state = decoded.state};
    journal_index_put(reader->index, record->partition, &entry);
    journal_index_read_to(reader->index, record->partition, record->offset + 1);
}

/* An end below the high watermark is the last stable offset: a transaction is pending there, and
 * what it commits would be missed. Its end makes another PARTITION_EOF. */
static bool end_is_pending(struct journal_reader *reader, int32_t partition, int64_t end)
{
    int64_t low = -1, high = -1;
    rd_kafka_get_watermark_offsets(reader->handle, rd_kafka_topic_name(reader->topic), partition,
                                   &low, &high);
    return end != high;
}

static void load_at_end(struct journal_reader *reader, int32_t partition, int64_t end)
{
    struct reading *reading = &reader->readings[partition];
    if (!end_is_pending(reader, partition, end)) {
        journal_index_read_to(reader->index, partition, end);
        load_end(reader, partition, JOURNAL_LOADED, "");
    } else if (reading->pending_since_mono_ms < 0) {
        reading->pending_since_mono_ms = reader->now_mono_ms;
    }
}

static void loads_log_pending(struct journal_reader *reader)
{
    for (int32_t i = 0; i < reader->n_readings; i++) {
        struct reading *reading = &reader->readings[i];
        if (reading->purpose != READING_LOAD || reading->pending_since_mono_ms <= 0 ||
            reader->now_mono_ms - reading->pending_since_mono_ms < PENDING_LOGGED_AFTER_MS)
            continue;
        reading->pending_since_mono_ms = 0;
        char line[160];
        snprintf(line, sizeof line,
                 "journal partition %d: waiting for the end of another's transaction", (int)i);
        reader->handlers.on_log(reader->handlers.context, LOG_NOTICE, line);
    }
}

/* ---- fetching ---- */

static void fetch_start(struct journal_reader *reader, int32_t partition)
{
    struct reading *reading = &reader->readings[partition];
    if (reading->purpose != READING_NOTHING || reading->fetches.first == NULL ||
        reading->again_at_mono_ms > 0)
        return;
    reading->purpose = READING_FETCH;
    reading_start(reader, partition, reading->fetches.first->journal_offset);
}

void journal_reader_fetch(struct journal_reader *reader, int32_t partition, int64_t journal_offset,
                          void *fetch_context)
{
    struct reading *reading = reading_get(reader, partition);
    struct fetch *fetch = malloc(sizeof *fetch);
    assert(fetch != NULL);
    *fetch = (struct fetch){.partition = partition,
                            .journal_offset = journal_offset,
                            .context = fetch_context,
                            .missing_since_mono_ms = -1,
                            .record = retained_take(&reader->retained, partition, journal_offset)};
    if (fetch->record == NULL) {
        fetches_append(&reading->fetches, fetch);
        fetch_start(reader, partition);
        return;
    }
    fetches_append(&reader->ready, fetch);
    eventfd_write(reader->wake_fd, 1); /* the answer comes from service */
}

static void fetch_answer(struct journal_reader *reader, struct fetch *fetch,
                         const struct record *record)
{
    struct journal_record decoded;
    bool readable = record != NULL && journal_record_decode(record, &decoded) == 0;
    if (!readable) {
        char line[160];
        snprintf(line, sizeof line, "journal partition %d: record at offset %lld is gone",
                 (int)fetch->partition, (long long)fetch->journal_offset);
        reader->handlers.on_log(reader->handlers.context, LOG_WARNING, line);
    }
    reader->handlers.on_fetched(reader->handlers.context, fetch->context,
                                readable ? &decoded : NULL);
    free(fetch->record);
    free(fetch);
}

/* The first thing that was read at or after the offset: the record, or what follows its hole. */
static void fetch_end(struct journal_reader *reader, int32_t partition, const struct record *record)
{
    struct fetch *fetch = fetches_pop(&reader->readings[partition].fetches);
    bool found = record != NULL && record->offset == fetch->journal_offset;
    reading_stop(reader, partition);
    fetch_answer(reader, fetch, found ? record : NULL);
    fetch_start(reader, partition);
}

/* The broker does not show the record. It was committed, or nobody would know its offset: but the
 * high watermark of a new leader lags until its followers have asked, and until then it calls the
 * offset out of range (measured when brokers were killed or shut down), or reports an end before
 * it. Only what stays away is gone. */
static void fetch_missing(struct journal_reader *reader, int32_t partition)
{
    struct reading *reading = &reader->readings[partition];
    struct fetch *fetch = reading->fetches.first;
    if (fetch->missing_since_mono_ms < 0)
        fetch->missing_since_mono_ms = reader->now_mono_ms;
    if (reader->now_mono_ms - fetch->missing_since_mono_ms >= GONE_AFTER_MS) {
        fetch_end(reader, partition, NULL);
        return;
    }
    reading_stop(reader, partition);
    reading->again_at_mono_ms = reader->now_mono_ms + FETCH_AGAIN_MS;
    reader->n_again++;
}

/* Our own commit is acknowledged before its markers are written (Kafka answers EndTxn first), so
 * even a record that was just committed can lie beyond the last stable offset for a while. */
static void fetch_at_end(struct journal_reader *reader, int32_t partition, int64_t end)
{
    if (end > reader->readings[partition].fetches.first->journal_offset)
        fetch_end(reader, partition, NULL);
    else if (!end_is_pending(reader, partition, end))
        fetch_missing(reader, partition);
}

static void fetches_again(struct journal_reader *reader)
{
    for (int32_t i = 0; i < reader->n_readings && reader->n_again > 0; i++) {
        struct reading *reading = &reader->readings[i];
        if (reading->again_at_mono_ms == 0 || reading->again_at_mono_ms > reader->now_mono_ms)
            continue;
        reading->again_at_mono_ms = 0;
        reader->n_again--;
        fetch_start(reader, i);
    }
}

/* ---- events ---- */

static void on_message(struct journal_reader *reader, const rd_kafka_message_t *message)
{
    struct record record;
    record_from_message(message, &record, &reader->more);
    switch (reader->readings[record.partition].purpose) {
    case READING_LOAD: load_record(reader, &record); break;
    case READING_FETCH: fetch_end(reader, record.partition, &record); break;
    case READING_NOTHING: break;
    }
}

/* PARTITION_EOF; or the offset does not exist (any more), which stops the partition. */
static void on_partition_end(struct journal_reader *reader, int32_t partition, bool out_of_range,
                             int64_t offset)
{
    switch (reader->readings[partition].purpose) {
    case READING_LOAD:
        if (!out_of_range) {
            load_at_end(reader, partition, offset);
            break;
        }
        reading_stop(reader, partition);
        journal_index_forget(reader->index, partition);
        load_start(reader, partition);
        break;
    case READING_FETCH:
        if (out_of_range)
            fetch_missing(reader, partition);
        else
            fetch_at_end(reader, partition, offset);
        break;
    case READING_NOTHING: break;
    }
}

static void on_error(struct journal_reader *reader, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    rd_kafka_topic_partition_t *where = rd_kafka_event_topic_partition(event);
    bool out_of_range = code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
    if (where != NULL && (code == RD_KAFKA_RESP_ERR__PARTITION_EOF || out_of_range)) {
        on_partition_end(reader, where->partition, out_of_range, where->offset);
    } else if (log_limit_passes(&reader->limit, code, reader->now_mono_ms)) {
        char line[320];
        snprintf(line, sizeof line, "journal: %s", rd_kafka_event_error_string(event));
        reader->handlers.on_log(reader->handlers.context, LOG_WARNING, line);
    }
    if (where != NULL)
        rd_kafka_topic_partition_destroy(where);
}

static void on_event(struct journal_reader *reader, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    const char *facility, *text;
    int level;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
        while ((message = rd_kafka_event_message_next(event)) != NULL)
            on_message(reader, message);
        break;
    case RD_KAFKA_EVENT_ERROR: on_error(reader, event); break;
    case RD_KAFKA_EVENT_LOG:
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
            reader->handlers.on_log(reader->handlers.context, level, text);
        break;
    default: break;
    }
}

bool journal_reader_service(struct journal_reader *reader, int64_t now_mono_ms)
{
    reader->now_mono_ms = now_mono_ms;
    for (struct fetch *fetch; (fetch = fetches_pop(&reader->ready)) != NULL;)
        fetch_answer(reader, fetch, fetch->record);
    if (reader->n_loads > 0)
        loads_log_pending(reader);
    fetches_again(reader);
    for (int i = 0; i < EVENTS_PER_TURN; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(reader->queue, 0);
        if (event == NULL)
            return reader->ready.first != NULL;
        on_event(reader, event);
        rd_kafka_event_destroy(event);
    }
    return true;
}

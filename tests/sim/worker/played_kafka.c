/* Kafka as the worker's two edges would show it: a log per partition, committed offsets, the
 * journal, a group with generations. A batch is applied whole or not at all, at the end of
 * COMMIT_MS. */
#include "producers/out_message.h"
#include "producers/publication_encode.h"
#include "tests/sim/worker/played.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- consumer -------------------------------------------------------------------------------- */

void played_consumer_assign(struct world_worker *worker)
{
    worker->generation = worker->world->generation;
    worker->consumer.ready_at_ms = worker->world->now_ms + LOAD_MS;
}

void played_consumer_revoke(struct world_worker *worker, bool lost)
{
    struct request_consumer *consumer = &worker->consumer;
    consumer->ready_at_ms = -1;
    consumer->n_fetching = 0; /* open ones are never answered */
    for (int p = 0; p < worker->world->n_partitions; p++)
        consumer->held[p] = false;
    consumer->revoking = true;
    winding_revoked(&worker->worker, lost);
}

int64_t played_consumer_next_ms(const struct world_worker *worker)
{
    const struct request_consumer *consumer = &worker->consumer;
    if (consumer->n_fetching > 0)
        return worker->world->now_ms;
    return consumer->ready_at_ms < 0 ? INT64_MAX : consumer->ready_at_ms;
}

static void make_ready(struct world_worker *worker)
{
    struct request_consumer *consumer = &worker->consumer;
    struct world *world = worker->world;
    consumer->ready_at_ms = -1;
    for (int p = 0; p < world->n_partitions; p++) {
        if (world->owner != worker->index)
            continue;
        struct request_partition *partition = &consumer->partitions[p];
        partition->id = p;
        partition->loaded_at_mono_ms = world->controls.ignore_settling ? -DAY_MS : world->now_ms;
        offsets_init(&partition->offsets, world->committed[p]);
        consumer->position[p] = world->committed[p];
        consumer->held[p] = true;
    }
    if (worker->worker.phase == WORKER_HALTED)
        worker->worker.phase = WORKER_RUNNING;
    worker->worker.records_may_wait = true;
}

static const struct record *find_at(const struct world *world, int32_t partition,
                                    int64_t journal_offset)
{
    for (int i = 0; i < world->n_journal; i++) {
        const struct record *record = world->journal[i].record;
        if (record->partition == partition && record->offset == journal_offset)
            return record;
    }
    return NULL;
}

static struct world_journal *find_key(struct world *world, int32_t partition,
                                      const struct journal_key *key)
{
    for (int i = 0; i < world->n_journal; i++)
        if (world->journal[i].record->partition == partition &&
            memcmp(&world->journal[i].key, key, sizeof *key) == 0)
            return &world->journal[i];
    return NULL;
}

static struct journal_record decode(const struct record *record)
{
    struct journal_record decoded;
    int rc = journal_record_decode(record, &decoded);
    assert(rc == 0);
    return decoded;
}

static void deliver_fetch(struct world_worker *worker)
{
    struct request_consumer *consumer = &worker->consumer;
    struct slot *slot = consumer->fetching[--consumer->n_fetching];
    const struct record *stored =
        find_at(worker->world, slot->partition_id, consumer->fetching_offset[consumer->n_fetching]);
    if (stored == NULL) { /* replaced by another owner's record, and compacted away */
        intake_fetched(&worker->worker, slot, NULL);
        return;
    }
    struct journal_record record = decode(stored);
    intake_fetched(&worker->worker, slot, &record);
}

bool played_consumer_due(struct world_worker *worker)
{
    struct request_consumer *consumer = &worker->consumer;
    if (consumer->n_fetching > 0)
        deliver_fetch(worker);
    else if (consumer->ready_at_ms >= 0 && consumer->ready_at_ms <= worker->world->now_ms)
        make_ready(worker);
    else
        return false;
    return true;
}

int64_t request_consumer_service(struct request_consumer *consumer, int64_t now_mono_ms)
{
    (void)consumer, (void)now_mono_ms;
    return INT64_MAX;
}

static struct world_record *find_record(struct world *world, int32_t partition, int64_t offset)
{
    for (int i = 0; i < world->n_records; i++)
        if (world->records[i].partition == partition && world->records[i].offset == offset)
            return &world->records[i];
    return NULL;
}

const struct record *request_consumer_take(struct request_consumer *consumer,
                                           struct request_partition **ret_partition,
                                           struct open_offset *entry)
{
    struct world *world = consumer->world;
    for (int i = 0; i < world->n_partitions; i++) {
        int p = (consumer->turn + i) % world->n_partitions;
        if (!consumer->held[p] || consumer->position[p] >= world->end[p])
            continue;
        consumer->turn = p + 1;
        int64_t offset = consumer->position[p]++;
        const struct world_record *record = find_record(world, p, offset);
        *ret_partition = &consumer->partitions[p];
        offsets_open(&consumer->partitions[p].offsets, entry, offset);
        consumer->record = (struct record){
            .topic = "requests",
            .partition = p,
            .offset = offset,
            .timestamp_ms = WORLD_START_MS,
            .key = record->key,
            .key_bytes = strlen(record->key),
            .value = record->value,
            .value_bytes = strlen(record->value),
        };
        return &consumer->record;
    }
    return NULL;
}

void request_consumer_release(struct request_consumer *consumer)
{
    (void)consumer;
}

void request_consumer_share(const struct request_consumer *consumer, int *ret_held, int *ret_all)
{
    *ret_all = consumer->world->n_partitions;
    *ret_held = 0;
    for (int p = 0; p < consumer->world->n_partitions; p++)
        *ret_held += consumer->held[p];
}

const struct journal_entry *request_consumer_journal_find(const struct request_consumer *consumer,
                                                          int32_t partition,
                                                          const struct journal_key *key)
{
    static struct journal_entry entry;
    const struct world_journal *stored = find_key(consumer->world, partition, key);
    if (stored == NULL)
        return NULL;
    struct journal_record record = decode(stored->record);
    if (consumer->world->controls.ignore_done_records && record.state == JOURNAL_DONE)
        return NULL;
    entry = (struct journal_entry){.key = stored->key,
                                   .request_offset = record.request_offset,
                                   .journal_offset = stored->record->offset,
                                   .time_ms = record.time_ms & JOURNAL_TIME_MASK,
                                   .state = record.state};
    return &entry;
}

void request_consumer_journal_put(struct request_consumer *consumer, int32_t partition,
                                  const struct journal_entry *entry)
{
    (void)consumer, (void)partition, (void)entry; /* the world's journal is already true */
}

void request_consumer_fetch(struct request_consumer *consumer, int32_t partition,
                            int64_t journal_offset, void *fetch_context)
{
    (void)partition;
    consumer->fetching[consumer->n_fetching] = fetch_context;
    consumer->fetching_offset[consumer->n_fetching++] = journal_offset;
}

rd_kafka_consumer_group_metadata_t *request_consumer_membership(struct request_consumer *consumer)
{
    return rd_kafka_consumer_group_metadata_new_with_genid("group", consumer->worker->generation,
                                                           "member", NULL);
}

/* The group waits for this: only then has the next owner its partitions. */
void request_consumer_finish_revoke(struct request_consumer *consumer)
{
    assert(consumer->revoking);
    consumer->revoking = false;
    if (consumer->world->hands_over && consumer->world->owner == consumer->worker->index)
        world_hand_over(consumer->world);
}

/* ---- publisher ------------------------------------------------------------------------------- */

void publisher_submit(struct publisher *publisher, struct batch *batch)
{
    assert(publisher->batch == NULL);
    publisher->batch = batch;
    batch->committing_at_mono_ms = publisher->world->now_ms;
    publisher->done_at_ms = publisher->world->now_ms + publisher->world->commit_ms;
}

static void store(struct world *world, const struct publication *publication,
                  const struct out_message *message)
{
    struct record record = {
        .topic = "journal",
        .partition = message->partition,
        .offset = world->next_journal_offset++,
        .timestamp_ms = world->now_ms,
        .key = message->key,
        .key_bytes = message->key_bytes,
        .value = message->value,
        .value_bytes = message->value_bytes,
        .n_headers = message->n_headers,
    };
    struct journal_key key;
    assert(message->partition == publication->partition);
    assert(message->n_headers <= RECORD_HEADERS_MAX);
    memcpy(record.headers, message->headers, message->n_headers * sizeof *message->headers);
    bool valid = journal_key_from_text(message->key, message->key_bytes, &key);
    assert(valid);
    struct world_journal *place = find_key(world, record.partition, &key);
    if (place == NULL)
        place = &world->journal[world->n_journal++];
    free(place->record);
    void *block = malloc(record_copy_bytes(&record));
    assert(block != NULL);
    *place = (struct world_journal){.key = key, .record = record_copy(&record, block)};
}

static void tell(struct world_record *record, const struct outcome *outcome, const char *password)
{
    record->reason = outcome->reason;
    if (outcome->password == PASSWORD_GENERATED)
        (void)text_copy(record->told_password, sizeof record->told_password, password);
}

static void tell_item(struct world_item *item, const struct publication *publication,
                      const char *password)
{
    item->outcomes += publication->kind != PUBLISH_INTENT;
    item->replayed = publication->kind == PUBLISH_REPLAY;
    if (publication->kind == PUBLISH_OUTCOME)
        item->reason = publication->of.outcome.outcome->reason;
    if (publication->kind == PUBLISH_OUTCOME &&
        publication->of.outcome.outcome->password == PASSWORD_GENERATED)
        (void)text_copy(item->told_password, sizeof item->told_password, password);
    if (publication->kind == PUBLISH_REUSED)
        item->reason = REASON_REQUEST_ID_REUSED;
}

static void tell_summary(struct world_record *record, const struct publication *publication)
{
    for (int i = 0; i < record->n_items && publication->kind != PUBLISH_REUSED; i++)
        record->early_summaries += record->items[i].outcomes == 0;
    record->n_succeeded = 0;
    if (publication->kind == PUBLISH_SUMMARY)
        for (int i = 0; i < publication->of.summary->n_parts; i++)
            record->n_succeeded += publication->of.summary->parts[i].verdict == VERDICT_SUCCEEDED;
}

static void apply(struct world *world, struct publication *publication)
{
    char password[PASSWORD_CHARS + 1] = "";
    struct world_record *record = find_record(world, publication->partition, publication->offset);
    if (publication->kind == PUBLISH_OUTCOME)
        (void)text_copy(password, sizeof password, publication->of.outcome.password);
    int rc = publication_encode(&world->events, publication, &world->encoding);
    assert(rc == 0);
    for (const struct out_message *m = publication->messages; m != NULL; m = m->next)
        if (m->topic == TOPIC_JOURNAL)
            store(world, publication, m);
    publication->journal_offset = world->next_journal_offset - 1;
    if (publication->item > 0) {
        tell_item(&record->items[publication->item - 1], publication, password);
        return;
    }
    if (record->n_items > 0)
        tell_summary(record, publication);
    if (publication->kind == PUBLISH_REUSED)
        record->reason = REASON_REQUEST_ID_REUSED;
    if (publication->kind != PUBLISH_INTENT)
        record->finished_at_ms = world->now_ms;
    record->outcomes += publication->kind != PUBLISH_INTENT;
    if (publication->kind == PUBLISH_OUTCOME)
        tell(record, publication->of.outcome.outcome, password);
    record->replayed = publication->kind == PUBLISH_REPLAY;
}

void played_publisher_step(struct world_worker *worker)
{
    struct publisher *publisher = &worker->publisher;
    struct world *world = worker->world;
    publisher->done_at_ms = -1;
    publisher->done = true;
    bool current = worker->generation == world->generation;
    publisher->batch->result = BATCH_REFUSED;
    if (!current && !world->controls.accept_old_generation)
        return;
    publisher->batch->result = BATCH_COMMITTED;
    for (struct publication *p = publisher->batch->first; p != NULL; p = p->next)
        apply(world, p);
    for (int i = 0; i < publisher->batch->n_offsets; i++)
        world->committed[publisher->batch->offsets[i].partition] =
            publisher->batch->offsets[i].offset;
}

struct batch *publisher_take(struct publisher *publisher, int timeout_ms)
{
    (void)timeout_ms;
    struct batch *batch = publisher->done ? publisher->batch : NULL;
    if (batch != NULL)
        publisher->batch = NULL;
    publisher->done = false;
    return batch;
}

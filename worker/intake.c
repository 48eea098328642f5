/* From records to jobs: take, decode, queue in the lanes, and ask the journal what is already known
 * of the request (design 7). */
#include "worker/log.h"
#include "worker/test_controls.h"
#include "worker/worker.h"

#include "producers/batch.h"
#include "producers/dead_letter_encode.h"
#include "producers/replay_encode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A restart behind a slow user may find a million records that are finished already. */
enum { RECORDS_PER_TURN = 500, JOBS_AHEAD = 128 };

/* Also now and then without a wake-up: taking may have been refused for want of room. */
static void serve_consumer(struct worker *worker)
{
    worker->records_may_wait = true;
    int64_t wish = request_consumer_service(worker->consumer, loop_now(worker->loop)->mono_ms);
    if (wish == INT64_MAX)
        loop_cancel_timer(worker->loop, &worker->consumer_timer);
    else
        loop_set_timer(worker->loop, &worker->consumer_timer, wish);
}

static void consumer_woke(void *context, uint32_t events)
{
    (void)events;
    struct worker *worker = context;
    uint64_t count;
    ssize_t got = read(worker->consumer_watch.fd, &count, sizeof count);
    (void)got; /* an eventfd that somebody else emptied is no fault */
    serve_consumer(worker);
}

static void consumer_due(void *context)
{
    serve_consumer(context);
}

void intake_init(struct worker *worker)
{
    worker->consumer_watch.on_ready = consumer_woke;
    worker->consumer_watch.context = worker;
    worker->consumer_timer = (struct timer){.on_due = consumer_due, .context = worker};
}

/* The index of the tenant, -1: unknown. */
static int find_tenant(const struct settings *settings, const char *name)
{
    if (name[0] == '\0')
        return settings->directory.n_tenants == 1 ? 0 : -1;
    for (int i = 0; i < settings->directory.n_tenants; i++)
        if (strcmp(settings->directory.tenants[i].name, name) == 0)
            return i;
    return -1;
}

const struct journal_entry *intake_find(const struct slot *slot, const struct journal_key *key)
{
    const struct journal_entry *entry =
        request_consumer_journal_find(slot->worker->consumer, slot->partition_id, key);
    if (entry == NULL)
        return NULL;
    bool is_done = entry->state == JOURNAL_DONE;
    return (is_done ? test_without("done-records") : test_without("intents")) ? NULL : entry;
}

static struct journal_key make_key(const char *text)
{
    struct journal_key key;
    bool valid = journal_key_from_text(text, strlen(text), &key);
    assert(valid);
    return key;
}

/* Dead letters and request_id_reused stand in the journal under `!<offset>`, or `!<offset>#<item>`:
 * they answer a record or its item, not a request. */
static struct journal_key offset_key(const struct slot *slot)
{
    char text[48];
    if (slot->item > 0)
        (void)snprintf(text, sizeof text, "!%" PRId64 "#%d", slot->open.offset, slot->item);
    else
        (void)snprintf(text, sizeof text, "!%" PRId64, slot->open.offset);
    return make_key(text);
}

static bool is_answered_under_offset(const struct slot *slot)
{
    struct journal_key key = offset_key(slot);
    return intake_find(slot, &key) != NULL;
}

void intake_skip(struct slot *slot)
{
    slot->worker->metrics.skipped++;
    log_event(LOG_DEBUG, "record skipped, its outcome is published",
              LOG_INT("partition", slot->partition_id), LOG_INT("offset", slot->open.offset));
    if (slot->parent == NULL)
        offsets_close(&slot->partition->offsets, &slot->open);
    slot_end(slot);
}

static void refuse_record(struct slot *slot, const struct record *record,
                          const struct malformed *malformed)
{
    struct worker *worker = slot->worker;
    struct request_envelope cause = {0};
    if (is_answered_under_offset(slot) || test_without("dead-letters")) {
        intake_skip(slot);
        return;
    }
    log_event(LOG_WARNING, "record is not a request", LOG_INT("partition", record->partition),
              LOG_INT("offset", record->offset), LOG_TEXT("detail", malformed->message));
    slot->journal_key = offset_key(slot);
    if (malformed->request_id[0] != '\0') {
        (void)text_copy(cause.source, sizeof cause.source, malformed->source);
        (void)text_copy(cause.id, sizeof cause.id, malformed->request_id);
        (void)text_copy(cause.correlation_id, sizeof cause.correlation_id,
                        malformed->correlation_id);
        (void)text_copy(cause.traceparent, sizeof cause.traceparent, malformed->traceparent);
        (void)text_copy(cause.tracestate, sizeof cause.tracestate, malformed->tracestate);
    }
    slot->publication.of.dead_letter =
        dead_letter_new(record, malformed->message, &cause, loop_now(worker->loop)->wall_ms);
    assert(slot->publication.of.dead_letter != NULL);
    commits_add(slot, PUBLISH_DEAD_LETTER);
}

static void take_one(struct slot *slot, const struct record *record)
{
    struct worker *worker = slot->worker;
    struct malformed malformed;
    struct request_items *items = NULL;

    slot->partition_id = record->partition;
    slot->publication.partition = record->partition;
    slot->publication.offset = record->offset;
    slot->publication.started_ms = loop_now(worker->loop)->wall_ms;
    if (request_decode(&worker->decoding, record, &slot->job.request, &items, &malformed) !=
        DECODED_REQUEST)
        refuse_record(slot, record, &malformed);
    else if (items != NULL)
        batches_open(slot, record, items);
    else
        slot_enter_lanes(slot, record);
    free(items);
}

/* A tenant counts up to its part: one that is slow, or has little budget, cannot keep the requests
 * of the others out. */
static int count_asking(const struct worker *worker)
{
    int n = 0, n_tenants = worker->settings->directory.n_tenants;
    int part_max = (2 * worker->settings->directory.max_in_flight + JOBS_AHEAD) / n_tenants;
    for (int i = 0; i < n_tenants; i++)
        n += worker->n_asking[i] < part_max ? worker->n_asking[i] : part_max;
    return n;
}

/* Jobs are taken up only as fast as calls leave and Kafka commits: what would only queue up can as
 * well stay in Kafka, and costs 30 KB here. As many as are on the wire may wait for it, for the
 * journal or for a commit, so that it is never idle, and some more; without that bound a slow
 * commit gathered 2,700 (measured), and repeats a stored outcome each. Jobs that sleep or stand
 * behind another do not count, so a slow user holds nobody, nor does a tenant that cannot be
 * reached: its jobs sleep. When no tenant can, nothing is taken. */
static bool has_room(const struct worker *worker)
{
    int n_publishing = worker->n_pending + worker->out.n_publications;
    return worker->phase == WORKER_RUNNING && !worker->still.paused &&
           !directory_reaches_nobody(worker->directory) && worker->n_slots < SLOTS_MAX &&
           worker->held_bytes < BATCH_BYTES_MAX && worker->ready_first == NULL &&
           count_asking(worker) + worker->n_fetching + n_publishing <
               2 * worker->settings->directory.max_in_flight + JOBS_AHEAD;
}

/* Takes one record; false: there is none, or no memory for it now. */
static bool take_next(struct worker *worker)
{
    if (worker->spare == NULL && (worker->spare = slot_new(worker)) == NULL)
        return false; /* the record stays where it is */
    struct slot *slot = worker->spare;
    const struct record *record =
        request_consumer_take(worker->consumer, &slot->partition, &slot->open);
    if (record == NULL) {
        worker->records_may_wait = false;
        return false;
    }
    worker->spare = NULL;
    take_one(slot, record);
    request_consumer_release(worker->consumer);
    jobs_run_ready(worker);
    return true;
}

void intake_take(struct worker *worker)
{
    for (int i = 0; i < RECORDS_PER_TURN; i++)
        if (!worker->records_may_wait || !has_room(worker) || !take_next(worker))
            return;
    /* Signals, rebalances and answers come first, then the rest. */
    loop_set_timer(worker->loop, &worker->consumer_timer, loop_now(worker->loop)->mono_ms);
}

/* The policy in force now is the job's, whatever SIGHUP brings. */
static void init_job(struct slot *slot)
{
    struct worker *worker = slot->worker;
    slot->rules = worker->rules;
    slot->rules->n_slots++;
    job_init(&slot->job, &slot->rules->rules, worker->next_seed++);
}

static void refuse_job(struct slot *slot, enum reason reason, enum publication_kind kind)
{
    init_job(slot);
    job_refuse(&slot->job, reason, loop_now(slot->worker->loop));
    commits_add(slot, kind);
}

static void begin_job(struct slot *slot, const struct intent *intent)
{
    struct worker *worker = slot->worker;
    slot->call.tenant = find_tenant(worker->settings, slot->job.request.tenant);
    if (slot->call.tenant < 0) {
        /* With an intent the directory may have been changed already, where nobody can look. */
        refuse_job(slot, intent == NULL ? REASON_UNKNOWN_TENANT : REASON_NEEDS_HANDS,
                   PUBLISH_OUTCOME);
        return;
    }
    init_job(slot);
    if (intent == NULL) {
        slot_step(slot, JOB_STARTED);
        return;
    }
    int64_t settle_ms = PROOF_MS + worker->settings->directory.request_timeout_ms;
    if (test_without("settling"))
        settle_ms = 0;
    slot_step_event(slot, &(struct job_event){
                              .type = JOB_RESUMED,
                              .intent = intent,
                              .settled_at_mono_ms = slot->partition->loaded_at_mono_ms + settle_ms,
                          });
}

enum journal_verdict intake_decide(struct slot *slot, const struct journal_entry **ret_entry)
{
    struct worker *worker = slot->worker;
    char key_text[GUID_CHARS + 1];

    slot->journal_key = offset_key(slot);
    *ret_entry = intake_find(slot, &slot->journal_key);
    if (*ret_entry != NULL)
        return JOURNAL_SAYS_FINISHED;
    request_uuid(&slot->job.request, "journal", key_text);
    slot->journal_key = make_key(key_text);
    *ret_entry = intake_find(slot, &slot->journal_key);
    return journal_decide(*ret_entry,
                          test_without("journal-offsets") ? INT64_MAX : slot->open.offset,
                          loop_now(worker->loop)->wall_ms, worker->settings->dedupe_window_ms);
}

void intake_fetch(struct slot *slot, const struct journal_entry *entry)
{
    slot->resumes = entry->request_offset == slot->open.offset;
    slot->phase = SLOT_FETCHING;
    slot->worker->n_fetching++;
    request_consumer_fetch(slot->worker->consumer, slot->partition_id, entry->journal_offset, slot);
}

void intake_begin(struct slot *slot)
{
    const struct journal_entry *entry;
    if (slot->users != NULL) {
        batches_begin(slot);
        return;
    }
    switch (intake_decide(slot, &entry)) {
    case JOURNAL_SAYS_NEW: begin_job(slot, NULL); break;
    case JOURNAL_SAYS_FINISHED: intake_skip(slot); break;
    case JOURNAL_SAYS_RESUME:
    case JOURNAL_SAYS_COMPARE: intake_fetch(slot, entry); break;
    }
}

void intake_refuse_reused(struct slot *slot)
{
    slot->journal_key = offset_key(slot); /* the original's record stays */
    refuse_job(slot, REASON_REQUEST_ID_REUSED, PUBLISH_REUSED);
}

/* An intent that cannot be read: going on without it could touch a stranger's password (design 7),
 * and what the earlier incarnation did nobody can tell. */
static void resume(struct slot *slot, const struct journal_record *record)
{
    /* One scratch for the loop thread: the job copies what it keeps. */
    static struct intent intent;
    static struct user_facts user;
    if (record != NULL && journal_intent_decode(record, &intent, &user) == 0) {
        begin_job(slot, &intent);
        return;
    }
    log_event(LOG_ERR, "journal intent is unreadable", LOG_INT("partition", slot->partition_id),
              LOG_INT("offset", slot->open.offset));
    refuse_job(slot, REASON_NEEDS_HANDS, PUBLISH_OUTCOME);
}

void intake_store(struct slot *slot, const struct journal_record *record)
{
    void *block = malloc(record_copy_bytes(record->record));
    assert(block != NULL);
    slot->stored = record_copy(record->record, block);
    slot->publication.of.replay.record = slot->stored;
    slot->publication.of.replay.mode = slot->job.request.mode;
    slot->journal_time_ms = record->time_ms;
}

void intake_fetched(void *context, void *fetch_context, const struct journal_record *record)
{
    (void)context;
    struct slot *slot = fetch_context;
    struct worker *worker = slot->worker;
    worker->n_fetching--;
    if (slot->dropped) {
        slot_end(slot);
        return;
    }
    if (worker->phase != WORKER_RUNNING) { /* a drain */
        slot->phase = SLOT_STOPPED;
        winding_look(worker);
        return;
    }
    if (slot->users != NULL) {
        batches_fetched(slot, record);
    } else if (record == NULL && slot->resumes) {
        resume(slot, NULL);
    } else if (record == NULL) { /* older than the journal keeps: no repeat any more */
        begin_job(slot, NULL);
    } else if (record->request_offset != slot->open.offset &&
               strcmp(record->digest, slot->job.request.envelope.digest) != 0) {
        intake_refuse_reused(slot);
    } else if (record->state == JOURNAL_INTENT) {
        resume(slot, record);
    } else if (replay_is_possible(record->record)) {
        intake_store(slot, record);
        commits_add(slot, PUBLISH_REPLAY);
    } else { /* of a version that published other kinds: what it says cannot be said again */
        begin_job(slot, NULL);
    }
}

/* What waits to be published becomes batches; what a batch committed goes back to its jobs. The
 * rhythm is measured (design 6): a waiting publication begins a batch at once, but never sooner
 * than 20 ms after the previous commit ended, and a batch grows while the previous commit runs. */
#include "worker/log.h"
#include "worker/test_controls.h"
#include "worker/worker.h"

#include "producers/batch.h"
#include "producers/dead_letter_encode.h"
#include "producers/out_message.h"

#include <assert.h>
#include <sysexits.h>

enum { COMMIT_PAUSE_MS = 20 };

static bool is_final(const struct publication *publication)
{
    return publication->kind != PUBLISH_INTENT;
}

static struct publication *take_first(struct batch *batch)
{
    struct publication *first = batch->first;
    batch->first = first->next;
    if (batch->first == NULL)
        batch->last = NULL;
    batch->n_publications--;
    return first;
}

/* What waits has no limit of its own: there is one publication a slot. */
static void queue(struct worker *worker, struct publication *publication)
{
    publication->next = NULL;
    if (worker->pending_last != NULL)
        worker->pending_last->next = publication;
    else
        worker->pending_first = publication;
    worker->pending_last = publication;
    worker->n_pending++;
}

static struct publication *take_pending(struct worker *worker)
{
    struct publication *first = worker->pending_first;
    worker->pending_first = first->next;
    if (worker->pending_first == NULL)
        worker->pending_last = NULL;
    worker->n_pending--;
    return first;
}

/* What a stranger has made large, beyond what every slot costs: from BATCH_BYTES_MAX on nothing is
 * taken. Only of those who wait for a commit, which comes or ends the process: whoever waits for
 * the directory must not keep others out (P3). */
static size_t held_bytes(const struct slot *slot)
{
    const struct publication *publication = &slot->publication;
    if (publication->kind == PUBLISH_DEAD_LETTER)
        return publication->of.dead_letter->held_bytes;
    if (publication->kind == PUBLISH_REPLAY)
        return record_copy_bytes(slot->stored);
    return publication->kind == PUBLISH_OUTCOME && slot->list != NULL ? sizeof *slot->list : 0;
}

void commits_add(struct slot *slot, enum publication_kind kind)
{
    struct publication *publication = &slot->publication;
    publication->kind = kind;
    if (kind != PUBLISH_REPLAY) /* which keeps its rw-time */
        slot->journal_time_ms = loop_now(slot->worker->loop)->wall_ms;
    if (kind == PUBLISH_INTENT) {
        publication->of.intent.request = &slot->job.request;
        publication->of.intent.intent = &slot->job.intent;
        publication->started_ms = slot->job.intent.started_at_ms;
    } else if (kind == PUBLISH_OUTCOME) {
        /* One that was not set opens nothing: nobody is told it (contract 3, password). */
        if (slot->job.outcome.password != PASSWORD_GENERATED)
            password_clear(slot->password, sizeof slot->password);
        publication->of.outcome.outcome = &slot->job.outcome;
        publication->of.outcome.password = slot->password;
        publication->started_ms = slot->job.outcome.started_at_ms;
    } else if (kind == PUBLISH_SUMMARY) {
        publication->of.summary = batches_summary(slot);
        publication->started_ms = publication->of.summary->started_at_ms;
    } else if (kind == PUBLISH_REUSED) {
        publication->of.reused = &slot->job.outcome;
    }
    publication->held_bytes = held_bytes(slot);
    slot->worker->held_bytes += publication->held_bytes;
    slot->phase = SLOT_QUEUED;
    queue(slot->worker, publication);
}

void commits_remove(struct slot *slot)
{
    struct worker *worker = slot->worker;
    struct publication *before = NULL;
    for (struct publication *p = worker->pending_first; p != &slot->publication; p = p->next)
        before = p;
    if (before != NULL)
        before->next = slot->publication.next;
    else
        worker->pending_first = slot->publication.next;
    if (worker->pending_last == &slot->publication)
        worker->pending_last = before;
    worker->n_pending--;
}

/* Of a dropped slot, which only a test publishes, there are no offsets any more. */
static bool is_of_the_past(const struct slot *slot)
{
    return test_without("held") && slot->dropped;
}

static int64_t committable(const struct publication *publication)
{
    const struct slot *slot = publication->owner;
    return is_of_the_past(slot) ? publication->offset + 1
                                : offsets_committable(&slot->partition->offsets);
}

/* Every partition with a publication gets its offset, intents included: only so is a member of an
 * old generation refused (design 6). What the batch itself finishes counts as finished. */
static int set_offsets(struct batch *batch)
{
    int rc = 0;
    for (const struct publication *p = batch->first; p != NULL && rc == 0; p = p->next)
        rc = batch_set_offset(batch, p->partition, committable(p));
    return rc;
}

/* The broker refuses a transaction of an old generation, and of no generation it accepts all. */
static rd_kafka_consumer_group_metadata_t *membership(struct worker *worker)
{
    return test_without("generation")
               ? rd_kafka_consumer_group_metadata_new(worker->settings->kafka.group)
               : request_consumer_membership(worker->consumer);
}

static void close_batch(struct worker *worker)
{
    struct batch *batch = &worker->out;
    while (worker->pending_first != NULL && !batch_is_full(batch)) {
        struct publication *publication = take_pending(worker);
        struct slot *slot = publication->owner;
        batch_add(batch, publication);
        slot->phase = SLOT_PUBLISHED;
        if (is_final(publication) && slot->parent == NULL && !is_of_the_past(slot))
            offsets_close(&slot->partition->offsets, &slot->open);
    }
    int rc = set_offsets(batch);
    batch->membership = membership(worker);
    /* Without memory for a list of offsets nothing can be promised any more; the journal can. */
    assert(rc == 0 && batch->membership != NULL);
}

void commits_begin(struct worker *worker)
{
    if (worker->pending_first == NULL || worker->is_out || worker->phase == WORKER_HALTED ||
        worker->phase == WORKER_STOPPED)
        return;
    int64_t earliest = worker->last_commit_mono_ms + COMMIT_PAUSE_MS;
    if (loop_now(worker->loop)->mono_ms < earliest) {
        loop_set_timer(worker->loop, &worker->commit_timer, earliest);
        return;
    }
    close_batch(worker);
    worker->is_out = true;
    worker->submitted_mono_ms = loop_now(worker->loop)->mono_ms;
    loop_set_timer(worker->loop, &worker->stuck_timer,
                   loop_now(worker->loop)->mono_ms + PUBLISH_STUCK_MS);
    publisher_submit(worker->publisher, &worker->out);
}

static void journal_committed(struct worker *worker, const struct publication *publication)
{
    struct slot *slot = publication->owner;
    struct journal_entry entry = {
        .key = slot->journal_key,
        .request_offset = publication->offset,
        .journal_offset = publication->journal_offset,
        .time_ms = slot->journal_time_ms & JOURNAL_TIME_MASK,
        .state = is_final(publication) ? JOURNAL_DONE : JOURNAL_INTENT,
    };
    request_consumer_journal_put(worker->consumer, publication->partition, &entry);
}

/* What is published, not what was meant to be: a refused batch's jobs are told by another. */
static void count(struct worker *worker, const struct publication *publication)
{
    const struct slot *slot = publication->owner;
    struct recent_outcome recent = {.partition = publication->partition,
                                    .offset = publication->offset};
    switch (publication->kind) {
    case PUBLISH_INTENT:
    case PUBLISH_SUMMARY: return; /* of outcomes that were counted */
    case PUBLISH_REPLAY: worker->metrics.replays++; return;
    case PUBLISH_DEAD_LETTER:
        worker->metrics.dead_letters++;
        if (publication->of.dead_letter->cause.id[0] == '\0')
            return; /* no failure event */
        recent.reason = REASON_MALFORMED;
        recent.at_ms = publication->of.dead_letter->finished_at_ms;
        break;
    case PUBLISH_OUTCOME:
    case PUBLISH_REUSED:
        recent.reason = slot->job.outcome.reason;
        recent.at_ms = slot->job.outcome.finished_at_ms;
        (void)text_copy(recent.user_id, sizeof recent.user_id, slot->job.outcome.user_id);
        break;
    }
    metrics_count_outcome(&worker->metrics, &recent, loop_now(worker->loop)->mono_ms);
}

static void committed(struct worker *worker, struct batch *batch)
{
    metrics_count_commit(&worker->metrics, batch->n_publications,
                         loop_now(worker->loop)->mono_ms - worker->submitted_mono_ms);
    while (batch->first != NULL) {
        struct publication *publication = take_first(batch);
        struct slot *slot = publication->owner;
        journal_committed(worker, publication);
        count(worker, publication);
        if (test_without("freeing"))
            publication->messages = NULL;
        publication_free_messages(publication);
        if (slot->dropped || is_final(publication)) {
            slot_end(slot);
        } else {
            slot->proven_until_mono_ms = batch->committing_at_mono_ms + PROOF_MS;
            slot_step(slot, JOB_COMMITTED);
        }
    }
}

/* Nothing of the batch was published, and its jobs belong to the partitions' next owner. A batch
 * whose jobs were dropped meanwhile speaks of an assignment that is over: the refusal is no news,
 * and the present owner may be this worker again. */
static void refused(struct worker *worker, struct batch *batch)
{
    bool is_news = false;
    worker->metrics.commits_refused++;
    log_event(LOG_WARNING, "transaction refused by the group", LOG_TEXT("error", batch->error));
    while (batch->first != NULL) {
        struct slot *slot = take_first(batch)->owner;
        if (slot->dropped) {
            slot_end(slot);
        } else {
            slot->phase = SLOT_STOPPED;
            is_news = true;
        }
    }
    if (is_news)
        winding_halt(worker);
}

static void came_back(void *context, uint32_t events)
{
    (void)events;
    struct worker *worker = context;
    if (publisher_take(worker->publisher, 0) == NULL)
        return;
    /* The slots are stepped from a copy, so that the next batch can be closed meanwhile. */
    struct batch batch = worker->out;
    worker->out = (struct batch){0};
    worker->is_out = false;
    loop_cancel_timer(worker->loop, &worker->stuck_timer);
    worker->last_commit_mono_ms = loop_now(worker->loop)->mono_ms;
    switch (batch.result) {
    case BATCH_COMMITTED: committed(worker, &batch); break;
    case BATCH_REFUSED: refused(worker, &batch); break;
    case BATCH_FAILED:
        log_event(LOG_ERR, "publishing failed", LOG_TEXT("error", batch.error));
        worker_stop(worker, batch.exit_code);
        break;
    }
    batch_deinit(&batch);
    winding_look(worker);
}

/* The turn begins the next batch; the timer only makes sure that there is one. */
static void pause_over(void *worker)
{
    (void)worker;
}

static void stuck(void *context)
{
    struct worker *worker = context;
    log_event(LOG_ERR, "publishing hangs", LOG_INT("ms", PUBLISH_STUCK_MS));
    worker_stop(worker, EX_SOFTWARE);
}

void commits_init(struct worker *worker)
{
    worker->commit_timer = (struct timer){.on_due = pause_over, .context = worker};
    worker->stuck_timer = (struct timer){.on_due = stuck, .context = worker};
    worker->publisher_watch = (struct watch){.on_ready = came_back, .context = worker};
}

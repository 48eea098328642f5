/* How work ends early: partitions that go to somebody else, and SIGTERM. First open calls are
 * awaited, then the last batch, then what is left is let go: the journal knows it, and what comes
 * back later only unlocks its lane (design 6). */
#include "worker/log.h"
#include "worker/test_controls.h"
#include "worker/worker.h"

#include <sysexits.h>

enum {
    REVOKE_CALLS_MS = 2 * SECOND_MS,
    LAST_BATCH_MS = 5 * SECOND_MS,
    DRAIN_RESERVE_MS = 8 * SECOND_MS, /* kept of the grace period for commit, close and exit */
    REFUSED_MS = 60 * SECOND_MS, /* a group that refuses a member soon takes its partitions away */
};

void worker_stop(struct worker *worker, int exit_code)
{
    if (worker->phase == WORKER_STOPPED)
        return;
    worker->exit_code = exit_code;
    worker->phase = WORKER_STOPPED;
}

static void wait_at_most(struct worker *worker, int64_t ms)
{
    worker->winding_until_mono_ms = loop_now(worker->loop)->mono_ms + ms;
    loop_set_timer(worker->loop, &worker->winding_timer, worker->winding_until_mono_ms);
}

static bool is_waiting(const struct slot *slot)
{
    return slot->phase == SLOT_IN_LANES || slot->phase == SLOT_SLEEPING ||
           slot->phase == SLOT_WITH_ITEMS ||
           (slot->phase == SLOT_QUEUED && slot->publication.kind == PUBLISH_INTENT);
}

/* A revoke awaits open calls only; a drain also the steps between them, but nobody who would sleep
 * beyond its end. */
static bool is_awaited(const struct slot *slot)
{
    const struct worker *worker = slot->worker;
    if (slot->dropped || slot->phase == SLOT_SPARE || slot->phase == SLOT_STOPPED ||
        slot->phase == SLOT_IN_LANES || slot->phase == SLOT_WITH_ITEMS)
        return false;
    if (worker->revoking)
        return slot->phase == SLOT_ASKING;
    return slot->phase != SLOT_SLEEPING || slot->timer.at_mono_ms < worker->winding_until_mono_ms;
}

/* Their memory stays until the partitions are given back: the offsets still link them. */
static void stop_waiting(struct worker *worker)
{
    worker->ready_first = worker->ready_last = NULL;
    for (struct slot *slot = worker->slots; slot != NULL; slot = slot->after) {
        if (slot->dropped || !is_waiting(slot))
            continue;
        if (slot->phase == SLOT_QUEUED)
            commits_remove(slot);
        loop_cancel_timer(worker->loop, &slot->timer);
        slot->phase = SLOT_STOPPED;
    }
}

/* Lets go of every job. What something still refers to is freed when that comes back. An item
 * stands before its record's slot in the list, which the last of them takes with it. */
static void let_go(struct worker *worker)
{
    stop_waiting(worker);
    worker->n_fetching = 0; /* a revoke answers no fetch any more */
    for (struct slot *slot = worker->slots, *after; slot != NULL; slot = after) {
        after = slot->after;
        /* So that nothing refers to those who wait for one. */
        bool unanswered = slot->phase == SLOT_FETCHING && worker->revoking;
        if ((slot->dropped && !unanswered) || slot->phase == SLOT_SPARE)
            continue;
        slot->dropped = true;
        if (slot->phase == SLOT_QUEUED)
            commits_remove(slot);
        else if (slot->phase == SLOT_ASKING && directory_abandon(worker->directory, &slot->call))
            worker->n_asking[slot->call.tenant]--;
        else if (slot->phase != SLOT_STOPPED && !unanswered)
            continue;
        slot_end(slot);
    }
}

static void finish(struct worker *worker)
{
    loop_cancel_timer(worker->loop, &worker->winding_timer);
    if (worker->revoking) {
        let_go(worker);
        worker->revoking = false;
        request_consumer_finish_revoke(worker->consumer);
    }
    worker->phase = worker->terminations > 0 ? WORKER_STOPPED : WORKER_HALTED;
}

void winding_look(struct worker *worker)
{
    bool in_time = loop_now(worker->loop)->mono_ms < worker->winding_until_mono_ms;
    if (worker->phase == WORKER_WINDING) {
        for (const struct slot *slot = worker->slots; slot != NULL && in_time; slot = slot->after)
            if (is_awaited(slot))
                return;
        stop_waiting(worker);
        worker->phase = WORKER_LAST_BATCH;
        wait_at_most(worker, LAST_BATCH_MS);
        in_time = true;
    }
    if (worker->phase != WORKER_LAST_BATCH)
        return;
    bool published = worker->pending_first == NULL && !worker->is_out;
    if (!published && in_time)
        return;
    if (!published)
        log_event(LOG_WARNING, "last batch not acknowledged in time", LOG_INT("ms", LAST_BATCH_MS));
    finish(worker);
}

static void due(void *context)
{
    struct worker *worker = context;
    if (worker->phase == WORKER_HALTED) {
        log_event(LOG_ERR, "refused by the group, but not relieved", LOG_INT("ms", REFUSED_MS));
        worker_stop(worker, EX_SOFTWARE);
    }
    winding_look(worker);
}

void winding_init(struct worker *worker)
{
    worker->winding_timer = (struct timer){.on_due = due, .context = worker};
}

void winding_revoked(void *context, bool lost)
{
    struct worker *worker = context;
    log_event(LOG_INFO, lost ? "partitions lost" : "partitions revoked",
              LOG_INT("unfinished", worker->n_slots - (worker->spare != NULL)));
    if (worker->phase == WORKER_STOPPED)
        return;
    worker->revoking = true;
    if (lost || worker->phase == WORKER_HALTED) {
        finish(worker);
        return;
    }
    stop_waiting(worker);
    worker->phase = WORKER_WINDING;
    wait_at_most(worker, REVOKE_CALLS_MS);
    winding_look(worker);
}

/* What is under way comes to rest as it answers; the revoke that must follow lets go of it. */
void winding_halt(struct worker *worker)
{
    if (worker->phase == WORKER_RUNNING) {
        stop_waiting(worker);
        worker->phase = WORKER_HALTED;
        wait_at_most(worker, REFUSED_MS);
    } else if (worker->phase == WORKER_WINDING || worker->phase == WORKER_LAST_BATCH) {
        finish(worker); /* the last batch was refused, so there is none */
    }
}

void winding_drain(struct worker *worker)
{
    log_event(LOG_INFO, "draining",
              LOG_INT("unfinished", worker->n_slots - (worker->spare != NULL)));
    if (worker->phase == WORKER_HALTED || test_without("drain")) {
        worker->phase = WORKER_STOPPED;
    } else if (worker->phase == WORKER_RUNNING) {
        worker->ready_first = worker->ready_last = NULL;
        worker->phase = WORKER_WINDING;
        wait_at_most(worker, test_without("grace")
                                 ? HOUR_MS
                                 : worker->settings->shutdown_grace_ms - DRAIN_RESERVE_MS);
        winding_look(worker);
    }
}

/* The slots, and the cycle that turns around policy/job: carry the action out, come back with what
 * happened. */
#include "worker/log.h"
#include "worker/test_controls.h"
#include "worker/worker.h"

#include "producers/dead_letter_encode.h"
#include "producers/out_message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void answered(void *context, const struct directory_answer *answer);
static void woken(void *context);

/* Slots are kept when they are freed: an allocator would carve up the untouched pages between them
 * (18 MB of 86 at 256 calls in flight). Not under AddressSanitizer, which must see their end. */
static struct slot *slot_take_memory(struct worker *worker)
{
    struct slot *slot = worker->free_slots;
    if (slot == NULL)
        return malloc(sizeof *slot);
    worker->free_slots = slot->after;
    return slot;
}

static void slot_give_memory(struct worker *worker, struct slot *slot)
{
#ifdef __SANITIZE_ADDRESS__
    (void)worker;
    free(slot);
#else
    slot->after = worker->free_slots;
    worker->free_slots = slot;
#endif
}

struct slot *slot_new(struct worker *worker)
{
    struct slot *slot = slot_take_memory(worker);
    if (slot == NULL)
        return NULL;
    /* Not the job: job_init knows which of its pages need touching. */
    memset(slot, 0, offsetof(struct slot, job));
    slot->worker = worker;
    slot->timer = (struct timer){.on_due = woken, .context = slot};
    slot->call.on_answer = answered;
    slot->call.context = slot;
    slot->publication.owner = slot;
    slot->after = worker->slots;
    if (slot->after != NULL)
        slot->after->before = slot;
    worker->slots = slot;
    worker->n_slots++;
    return slot;
}

void slot_make_ready(struct slot *slot)
{
    struct worker *worker = slot->worker;
    slot->next_ready = NULL;
    if (worker->ready_last != NULL)
        worker->ready_last->next_ready = slot;
    else
        worker->ready_first = slot;
    worker->ready_last = slot;
}

bool slot_is_first(const struct slot *slot)
{
    const struct lanes *lanes = &slot->worker->lanes;
    return (slot->by_user.owner == NULL || lanes_is_first(lanes, &slot->by_user)) &&
           (slot->by_key.owner == NULL || lanes_is_first(lanes, &slot->by_key));
}

static void run_if_first(struct slot *slot)
{
    if (slot->phase != SLOT_IN_LANES || !slot_is_first(slot))
        return;
    if (slot->parent != NULL)
        batches_run_items(slot->parent);
    else
        slot_make_ready(slot);
}

/* One identity is at work once at a time; that of a record without `user` is its summary's. */
static void user_lane_name(const struct slot *slot, char ret_name[NAME_BYTES + 1])
{
    if (slot->job.request.user.by == NAMED_BY_NOTHING)
        request_uuid(&slot->job.request, "journal", ret_name);
    else
        (void)text_copy(ret_name, NAME_BYTES + 1, slot->job.request.user.text);
    text_lower(ret_name);
}

void slot_enter_lanes(struct slot *slot, const struct record *record)
{
    struct lanes *lanes = &slot->worker->lanes;
    char user[NAME_BYTES + 1];
    user_lane_name(slot, user);
    enum lane_kind kind = slot->job.request.user.by == NAMED_BY_NOTHING ? LANE_IDENTITY : LANE_USER;
    (void)lanes_enter(lanes, &slot->by_user,
                      lane_of(lanes, kind, slot->partition_id, user, strlen(user)), slot);
    /* A record without a key promises no order; for an item its record keeps it. */
    if (slot->parent == NULL && record->key != NULL && !test_without("key-order"))
        (void)lanes_enter(lanes, &slot->by_key,
                          lane_of(lanes, LANE_RECORD_KEY, slot->partition_id, record->key,
                                  test_without("lanes") ? 0 : record->key_bytes),
                          slot);
    slot->has_lanes = true;
    slot->phase = SLOT_IN_LANES;
    run_if_first(slot);
}

static void leave_lane(struct slot *slot, struct lane_place *place)
{
    struct slot *next = lanes_leave(&slot->worker->lanes, place);
    place->owner = NULL;
    if (next != NULL)
        run_if_first(next);
}

static void slot_free(struct slot *slot)
{
    struct worker *worker = slot->worker;
    loop_cancel_timer(worker->loop, &slot->timer);
    password_clear(slot->password, sizeof slot->password);
    free(slot->list);
    publication_free_messages(&slot->publication);
    if (slot->publication.kind == PUBLISH_DEAD_LETTER)
        dead_letter_free(slot->publication.of.dead_letter);
    worker->held_bytes -= slot->publication.held_bytes;
    free(slot->stored);
    batches_free(slot->users);
    if (slot->rules != NULL && --slot->rules->n_slots == 0 && slot->rules != worker->rules)
        free(slot->rules);
    if (slot->before != NULL)
        slot->before->after = slot->after;
    else
        worker->slots = slot->after;
    if (slot->after != NULL)
        slot->after->before = slot->before;
    worker->n_slots--;
    slot_give_memory(worker, slot);
}

void slot_end(struct slot *slot)
{
    if (slot->users != NULL && batches_has_items(slot)) { /* the last of them ends it */
        assert(slot->dropped);
        slot->phase = SLOT_STOPPED;
        return;
    }
    if (slot->parent != NULL)
        batches_item_ends(slot);
    if (slot->has_lanes) {
        if (slot->by_user.owner != NULL)
            leave_lane(slot, &slot->by_user);
        if (slot->by_key.owner != NULL)
            leave_lane(slot, &slot->by_key);
    }
    slot_free(slot);
}

void slots_free(struct worker *worker)
{
    while (worker->slots != NULL)
        slot_free(worker->slots);
    for (struct slot *slot; (slot = worker->free_slots) != NULL;) {
        worker->free_slots = slot->after;
        free(slot);
    }
}

void jobs_run_ready(struct worker *worker)
{
    struct slot *slot;
    while (worker->phase == WORKER_RUNNING && !worker->still.paused &&
           (slot = worker->ready_first) != NULL) {
        worker->ready_first = slot->next_ready;
        if (worker->ready_first == NULL)
            worker->ready_last = NULL;
        intake_begin(slot);
    }
}

static void ask(struct slot *slot)
{
    const struct directory_question *question = &slot->job.question;
    struct directory_call *call = &slot->call;
    call->question = question;
    call->proven_until_mono_ms = slot->proven_until_mono_ms;
    call->password = NULL;
    if (question->operation == DIRECTORY_SET_PASSWORD) {
        /* Made once per incarnation: a confirmed repeat sends the same one (design 9). */
        if (slot->password[0] == '\0') {
            int rc = password_generate(slot->password);
            assert(rc == 0 && "getrandom without flags never fails");
            if (test_without("secrecy"))
                log_event(LOG_DEBUG, "password", LOG_TEXT("password", slot->password));
        }
        call->password = slot->password;
    }
    /* Not in the slot: few requests are lists, and their memory is twice a restore's. */
    if (question->operation == DIRECTORY_LIST_DELETED && slot->list == NULL) {
        slot->list = malloc(sizeof *slot->list);
        assert(slot->list != NULL && "out of memory");
    }
    call->list = slot->list;
    slot->phase = SLOT_ASKING;
    slot->worker->n_asking[call->tenant]++;
    directory_ask(slot->worker->directory, call);
}

static void finish(struct slot *slot)
{
    const struct outcome *outcome = &slot->job.outcome;
    log_event(LOG_INFO, "restore finished", LOG_TEXT("request_id", slot->job.request.envelope.id),
              LOG_TEXT("mode", request_mode_word(slot->job.request.mode)),
              LOG_TEXT("outcome", reason_code(outcome->reason)),
              LOG_TEXT("user_id", outcome->user_id), LOG_INT("partition", slot->partition_id),
              LOG_INT("offset", slot->open.offset),
              LOG_INT("duration_ms", outcome->finished_at_ms - outcome->started_at_ms));
    commits_add(slot, PUBLISH_OUTCOME);
}

static struct recent_restores recent_restores(const struct slot *slot)
{
    struct worker *worker = slot->worker;
    struct recent_restores recent = {0};
    if (slot->call.tenant >= 0)
        recent.n = restore_count_read(&worker->restored[slot->call.tenant],
                                      loop_now(worker->loop)->mono_ms);
    request_consumer_share(worker->consumer, &recent.partitions_held, &recent.partitions_all);
    return recent;
}

/* As soon as it is announced, so that those who are between announcing and restoring are among the
 * number that the next one is held against. One that an earlier incarnation announced was counted
 * then. */
static void count_restore(struct slot *slot)
{
    struct worker *worker = slot->worker;
    if (slot->counted || slot->job.resumed)
        return;
    slot->counted = true;
    restore_count_add(&worker->restored[slot->call.tenant], loop_now(worker->loop)->mono_ms);
}

void slot_step_event(struct slot *slot, struct job_event *event)
{
    struct worker *worker = slot->worker;
    event->now = *loop_now(worker->loop);
    event->still = still_read(&worker->still, slot->call.tenant, event->now.mono_ms);
    event->recent = recent_restores(slot);
    enum job_state from = slot->job.state;
    struct job_action action = job_step(&slot->job, event);
    log_event(LOG_DEBUG, "job stepped", LOG_TEXT("request_id", slot->job.request.envelope.id),
              LOG_TEXT("from", job_state_name(from)),
              LOG_TEXT("to", job_state_name(slot->job.state)));
    bool goes_on =
        worker->phase == WORKER_RUNNING || (worker->phase == WORKER_WINDING && !worker->revoking);
    if (!goes_on && action.type != JOB_FINISH) {
        slot->phase = SLOT_STOPPED;
        return;
    }
    switch (action.type) {
    case JOB_ASK: ask(slot); break;
    case JOB_COMMIT:
        count_restore(slot);
        commits_add(slot, PUBLISH_INTENT);
        break;
    case JOB_SLEEP:
        slot->phase = SLOT_SLEEPING;
        loop_set_timer(worker->loop, &slot->timer, action.until_mono_ms);
        break;
    case JOB_FINISH: finish(slot); break;
    }
}

void slot_step(struct slot *slot, enum job_event_type type)
{
    slot_step_event(slot, &(struct job_event){.type = type});
}

static void answered(void *context, const struct directory_answer *answer)
{
    struct slot *slot = context;
    struct worker *worker = slot->worker;
    worker->n_asking[slot->call.tenant]--;
    struct job_event event = {.type = JOB_ANSWERED, .answer = answer};
    if (slot->parent != NULL)
        event.is_duplicate = batches_claim(slot, answer);
    if (slot->dropped && !test_without("held"))
        slot_end(slot);
    else
        slot_step_event(slot, &event);
    winding_look(worker);
}

static void woken(void *context)
{
    slot_step(context, JOB_WOKEN);
}

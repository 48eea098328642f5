/* A record with `users` (contract 3): one slot for the record, one job for each of its items. The
 * record's slot keeps the offset and the key's lane until its summary is committed, and never has a
 * job of its own:
 *
 *   COMPARING  the journal has a summary of this identity: is the record its repeat?
 *   LOOKING    which items are finished, or begun, and whom did they find? (after a restart)
 *   RUNNING    the items are at work, BATCH_RUNNING at a time
 *   SUMMING    all outcomes are committed; their records are read back and counted
 *
 * The summary is made of the journal alone, so it is the same whoever was killed in between. */
#include "worker/log.h"
#include "worker/worker.h"

#include "consumers/summary_part.h"
#include "producers/replay_encode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum step { STEP_OPENED, STEP_COMPARING, STEP_LOOKING, STEP_RUNNING, STEP_SUMMING };

struct item {
    struct slot *slot;              /* NULL: its outcome is committed */
    struct journal_key journal_key; /* where the outcome stands then */
    char user_id[GUID_CHARS + 1];   /* whom it resolved to before any other item did; "": nobody */
};

struct users {
    enum step step;
    int n_open;    /* slots of items */
    int n_running; /* of them started */
    int next;      /* LOOKING, SUMMING: whose record is being fetched */
    bool next_is_finished;
    struct item items[ITEMS_MAX];
    struct summary summary;
};

void batches_open(struct slot *parent, const struct record *record,
                  const struct request_items *items)
{
    struct users *users = calloc(1, sizeof *users);
    assert(users != NULL && items->n <= ITEMS_MAX);
    parent->users = users;
    users->summary.request = &parent->job.request;
    users->summary.n_parts = items->n;
    slot_enter_lanes(parent, record);
    for (int i = 0; i < items->n; i++) {
        struct slot *slot = slot_new(parent->worker);
        assert(slot != NULL);
        slot->parent = parent;
        slot->item = i + 1;
        slot->partition = parent->partition;
        slot->partition_id = parent->partition_id;
        slot->open.offset = parent->open.offset;
        slot->publication.partition = parent->publication.partition;
        slot->publication.offset = parent->publication.offset;
        slot->publication.started_ms = parent->publication.started_ms;
        slot->publication.item = slot->item;
        slot->job.request = items->requests[i];
        users->items[i].slot = slot;
        users->n_open++;
        slot_enter_lanes(slot, record);
    }
}

bool batches_has_items(const struct slot *parent)
{
    return parent->users->n_open > 0;
}

const struct summary *batches_summary(const struct slot *parent)
{
    return &parent->users->summary;
}

void batches_free(struct users *users)
{
    if (users == NULL)
        return;
    for (int i = 0; i < users->summary.n_parts; i++)
        summary_part_clear(&users->summary.parts[i]);
    free(users);
}

/* ---- the items' jobs ------------------------------------------------------------------------- */

void batches_run_items(struct slot *parent)
{
    struct users *users = parent->users;
    if (users->step != STEP_RUNNING)
        return;
    for (int i = 0; i < users->summary.n_parts && users->n_running < BATCH_RUNNING; i++) {
        struct slot *slot = users->items[i].slot;
        if (slot == NULL || slot->started || slot->phase != SLOT_IN_LANES || !slot_is_first(slot))
            continue;
        slot->started = true;
        users->n_running++;
        slot_make_ready(slot);
    }
}

bool batches_claim(struct slot *item, const struct directory_answer *answer)
{
    struct users *users = item->parent->users;
    const struct job *job = &item->job;
    bool found = job->state == JOB_FIND &&
                 (job->question.operation != DIRECTORY_DELETED_BY_NAME || answer->n_candidates < 2);
    bool bears_name = job->state == JOB_HOLDER; /* whom replace-active would delete */
    if (answer->status != DIRECTORY_YES || (!found && !bears_name && job->state != JOB_FIND_ACTIVE))
        return false;
    for (int i = 0; i < users->summary.n_parts; i++)
        if (i != item->item - 1 && strcmp(users->items[i].user_id, answer->user.id) == 0)
            return true;
    /* An active user who only bears the name is nobody's: he is not who was meant. */
    if (!bears_name && (found || job->user_id[0] != '\0'))
        (void)text_copy(users->items[item->item - 1].user_id, GUID_CHARS + 1, answer->user.id);
    return false;
}

static void sum(struct slot *parent);

void batches_item_ends(struct slot *item)
{
    struct slot *parent = item->parent;
    struct users *users = parent->users;
    users->items[item->item - 1].slot = NULL;
    users->items[item->item - 1].journal_key = item->journal_key;
    users->n_open--;
    users->n_running -= item->started;
    if (parent->dropped && users->n_open == 0)
        slot_end(parent);
    else if (parent->phase == SLOT_WITH_ITEMS) /* else it has not begun, or was stopped */
        sum(parent);
}

/* ---- before them: what the journal knows ----------------------------------------------------- */

/* An item that found somebody keeps him, so that no other of the batch takes him for its own. */
static void keep_claim(const struct slot *parent, struct item *item,
                       const struct journal_record *record)
{
    static struct intent intent; /* scratch of the loop thread */
    static struct user_facts user;
    struct summary_part part = {0};
    bool is_ours = parent->users->next_is_finished ||
                   strcmp(record->digest, parent->job.request.envelope.digest) == 0;
    if (!is_ours)
        return;
    if (record->state == JOURNAL_DONE && summary_part_read(record, &part) == 0)
        (void)text_copy(item->user_id, sizeof item->user_id, part.user_id);
    else if (journal_intent_decode(record, &intent, &user) == 0)
        (void)text_copy(item->user_id, sizeof item->user_id, user.id);
    summary_part_clear(&part);
}

/* Goes on with the first item that the journal knows; behind the last the new ones may begin. */
static void look(struct slot *parent)
{
    struct users *users = parent->users;
    for (; users->next < users->summary.n_parts; users->next++) {
        const struct journal_entry *entry;
        enum journal_verdict verdict = intake_decide(users->items[users->next].slot, &entry);
        if (verdict == JOURNAL_SAYS_NEW)
            continue;
        users->next_is_finished = verdict == JOURNAL_SAYS_FINISHED;
        intake_fetch(parent, entry);
        return;
    }
    parent->phase = SLOT_WITH_ITEMS;
    users->step = STEP_RUNNING;
    sum(parent);
}

static void looked(struct slot *parent, const struct journal_record *record)
{
    struct users *users = parent->users;
    struct item *item = &users->items[users->next++];
    if (record != NULL)
        keep_claim(parent, item, record);
    if (users->next_is_finished)
        slot_end(item->slot);
    look(parent);
}

static void begin_looking(struct slot *parent)
{
    parent->users->step = STEP_LOOKING;
    look(parent);
}

static void end_items(struct slot *parent)
{
    struct users *users = parent->users;
    for (int i = 0; i < users->summary.n_parts; i++)
        slot_end(users->items[i].slot);
}

void batches_begin(struct slot *parent)
{
    const struct journal_entry *entry;
    switch (intake_decide(parent, &entry)) {
    case JOURNAL_SAYS_NEW: begin_looking(parent); break;
    case JOURNAL_SAYS_FINISHED:
        end_items(parent);
        intake_skip(parent);
        break;
    case JOURNAL_SAYS_RESUME:
    case JOURNAL_SAYS_COMPARE:
        parent->users->step = STEP_COMPARING;
        intake_fetch(parent, entry);
        break;
    }
}

/* Of a repeat every item finds its own record and says it again; the stored summary comes last. */
static void compared(struct slot *parent, const struct journal_record *record)
{
    if (record != NULL && strcmp(record->digest, parent->job.request.envelope.digest) != 0) {
        end_items(parent);
        intake_refuse_reused(parent);
        return;
    }
    if (record != NULL && replay_is_possible(record->record))
        intake_store(parent, record);
    begin_looking(parent);
}

/* ---- after them: the summary ----------------------------------------------------------------- */

/* That it has an outcome is certain, but not which: nobody may take it for restored. */
static void part_unknown(const struct slot *parent, struct summary_part *ret_part)
{
    log_event(LOG_ERR, "outcome of a batch's item is unreadable",
              LOG_INT("partition", parent->partition_id), LOG_INT("offset", parent->open.offset),
              LOG_INT("item", parent->users->next + 1));
    *ret_part = (struct summary_part){.verdict = VERDICT_FAILED};
    (void)text_copy(ret_part->code, sizeof ret_part->code, reason_code(REASON_NEEDS_HANDS));
}

static void publish(struct slot *parent)
{
    struct worker *worker = parent->worker;
    struct summary *summary = &parent->users->summary;
    summary->started_at_ms = parent->publication.started_ms;
    for (int i = 0; i < summary->n_parts; i++) {
        int64_t started_at_ms = summary->parts[i].started_at_ms;
        if (started_at_ms != 0 && started_at_ms < summary->started_at_ms)
            summary->started_at_ms = started_at_ms;
    }
    summary->finished_at_ms = loop_now(worker->loop)->wall_ms;
    log_event(LOG_INFO, "batch finished", LOG_TEXT("request_id", parent->job.request.envelope.id),
              LOG_INT("users", summary->n_parts), LOG_INT("partition", parent->partition_id),
              LOG_INT("offset", parent->open.offset),
              LOG_INT("duration_ms", summary->finished_at_ms - summary->started_at_ms));
    commits_add(parent, PUBLISH_SUMMARY);
}

/* Goes on with the first item whose record was not read back yet. */
static void sum_on(struct slot *parent)
{
    struct users *users = parent->users;
    for (; users->next < users->summary.n_parts; users->next++) {
        const struct journal_entry *entry =
            intake_find(parent, &users->items[users->next].journal_key);
        if (entry != NULL) {
            intake_fetch(parent, entry);
            return;
        }
        part_unknown(parent, &users->summary.parts[users->next]);
    }
    publish(parent);
}

/* An item is over: others may begin, or it was the last. */
static void sum(struct slot *parent)
{
    struct users *users = parent->users;
    if (users->n_open > 0) {
        batches_run_items(parent);
    } else if (parent->stored != NULL) {
        commits_add(parent, PUBLISH_REPLAY);
    } else {
        users->step = STEP_SUMMING;
        users->next = 0;
        sum_on(parent);
    }
}

void batches_fetched(struct slot *parent, const struct journal_record *record)
{
    struct users *users = parent->users;
    switch (users->step) {
    case STEP_COMPARING: compared(parent, record); return;
    case STEP_LOOKING: looked(parent, record); return;
    case STEP_SUMMING: {
        struct summary_part *part = &users->summary.parts[users->next];
        if (record == NULL || summary_part_read(record, part) != 0)
            part_unknown(parent, part);
        users->next++;
        sum_on(parent);
        return;
    }
    case STEP_OPENED:
    case STEP_RUNNING: break;
    }
    assert(false && "nothing was asked");
}

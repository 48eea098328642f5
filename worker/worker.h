/* The daemon's parts and the one job that ties them together. Loop thread only.
 *
 *   intake  takes records, decodes them, asks the journal   -> slots
 *   jobs    carries out what policy/job decides              (the cycle of design 3, steps 4-5)
 *   batches what a record with `users` is beside its items' jobs
 *   commits gathers what is to be published into batches     -> publisher thread and back
 *   winding revoke and drain: what is dropped, what is awaited */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "consumers/request_consumer.h"
#include "consumers/request_decode.h"
#include "policy/job.h"
#include "producers/publisher.h"
#include "worker/directory/directory.h"
#include "worker/lanes.h"
#include "worker/loop.h"
#include "worker/metrics.h"
#include "worker/password.h"
#include "worker/restore_count.h"
#include "worker/settings.h"
#include "worker/still.h"

/* Unfinished jobs at most (P3): beyond it partitions are no longer taken from. The last record
 * taken may have `users`, and each of them counts. */
enum { SLOTS_MAX = 4096 };

enum slot_phase {
    SLOT_SPARE,      /* no record yet */
    SLOT_IN_LANES,   /* waits until it is first in both */
    SLOT_FETCHING,   /* the journal's record is being read */
    SLOT_ASKING,     /* a call is open, or waits for its turn on the wire */
    SLOT_SLEEPING,   /* the timer is set */
    SLOT_WITH_ITEMS, /* its items are at work */
    SLOT_QUEUED,     /* its publication waits for a batch */
    SLOT_PUBLISHED,  /* its publication is in the batch that is out */
    SLOT_STOPPED,    /* dropped; freed when nothing refers to it any more */
};

/* A record with `users` that is not finished: batches.c. */
struct users;

/* One request record that is not finished, or one item of its `users`. The record's own slot holds
 * its offset and its key's lane, each item's its user's lane. */
struct slot {
    struct slot *before, *after; /* all slots */
    struct slot *next_ready;
    struct worker *worker;
    enum slot_phase phase;
    bool dropped; /* its partition is gone: what still comes back only frees it */
    bool has_lanes;
    struct request_partition *partition; /* not to be followed once dropped */
    int32_t partition_id;
    struct users *users;     /* of a record with `users`, owned; else NULL */
    struct slot *parent;     /* of an item: its record's slot, which outlives it; else NULL */
    int item;                /* of an item: the k-th, from 1; else 0 */
    bool started;            /* of an item: it is one of those that run at a time */
    struct open_offset open; /* of an item: the offset alone */
    struct lane_place by_key, by_user;
    struct timer timer;
    int64_t proven_until_mono_ms;
    struct rules_version *rules; /* NULL until the job begins */
    struct journal_key journal_key;
    char password[PASSWORD_CHARS + 1]; /* "": none made */
    struct user_list *list;            /* of mode `list`, owned; NULL: not asked for yet */
    struct directory_call call;
    struct publication publication;
    bool counted;            /* among worker->restored */
    bool resumes;            /* the journal's record that is being read is this record's intent */
    int64_t journal_time_ms; /* rw-time of what is published, for the dedupe window */
    struct record *stored;   /* of a replay: the journal's record, owned; else NULL */
    struct job job;          /* last: its lists' untouched pages cost nothing */
};

/* The policy in force when a job began stays its policy, whatever SIGHUP brings. */
struct rules_version {
    int n_slots;
    struct policy_rules rules;
};

enum worker_phase {
    WORKER_HALTED, /* holds no partition: nothing is published until the next assignment */
    WORKER_RUNNING,
    WORKER_WINDING,    /* a revoke or SIGTERM: open calls are awaited */
    WORKER_LAST_BATCH, /* ... then what they brought is published, and no more */
    WORKER_STOPPED,
};

struct worker {
    const char *config_path;
    struct settings *settings;
    const struct recipient_key *recipient_key; /* NULL: no password is ever generated */
    void (*reload)(struct worker *worker);     /* SIGHUP */
    struct loop *loop;
    struct directory *directory;
    struct request_consumer *consumer;
    struct publisher *publisher;
    int n_properties;
    const char *properties[KAFKA_PROPERTIES_MAX]; /* borrowed by the publisher, which may need them
                                                     again: it renews its producer */
    struct event_settings events;
    struct decode_settings decoding;
    struct rules_version *rules;
    enum worker_phase phase;
    int exit_code;
    struct still still;
    bool reload_refused; /* the last SIGHUP's */
    struct metrics metrics;
    struct admin *admin; /* NULL: off */

    /* intake */
    struct watch consumer_watch; /* the eventfd that librdkafka writes to */
    struct timer consumer_timer;
    bool records_may_wait;
    size_t held_bytes; /* by publications from commits_add until their slots are freed */
    int n_fetching;    /* slots for which the journal is being read */
    int n_newly_assigned;
    struct slot *spare; /* the slot the next record is decoded into */

    /* jobs */
    struct lanes lanes;
    struct slot *slots;
    struct slot *free_slots; /* by `after`; the last one freed first: its pages are touched */
    int n_slots;
    int n_asking[TENANTS_MAX]; /* jobs with a call on the wire, or in a queue for it */
    struct restore_count restored[TENANTS_MAX]; /* since the process started */
    struct slot *ready_first, *ready_last;
    uint64_t next_seed;

    /* commits */
    struct watch publisher_watch;
    struct timer commit_timer;
    struct timer stuck_timer;                         /* the publisher has hung: PUBLISH_STUCK_MS */
    struct publication *pending_first, *pending_last; /* for the next batch */
    int n_pending;
    struct batch out; /* the publisher's while is_out */
    bool is_out;
    int64_t submitted_mono_ms; /* that batch */
    int64_t last_commit_mono_ms;

    /* winding */
    struct timer winding_timer;
    int64_t winding_until_mono_ms;
    struct watch signal_watch;
    bool revoking;    /* what is being wound up is a revoke */
    int terminations; /* SIGTERM and SIGINT so far */
};

/* worker.c: runs until SIGTERM or a failure; the exit code of contract 1. */
int worker_run(const char *config_path, struct settings *settings,
               const struct recipient_key *recipient_key, void (*reload)(struct worker *worker));
/* The policy in worker->settings is that of the jobs that begin from now on. -ENOMEM. */
int worker_set_policy(struct worker *worker);

/* intake.c */
void intake_init(struct worker *worker);
/* Takes records while there is room for their jobs; to be called once a turn. */
void intake_take(struct worker *worker);
/* The slot is first in its lanes: what does the journal know of its request? */
void intake_begin(struct slot *slot);
void intake_fetched(void *context, void *slot, const struct journal_record *record);
/* What the journal knows of this request, or of the record under its offset. */
const struct journal_entry *intake_find(const struct slot *slot, const struct journal_key *key);
enum journal_verdict intake_decide(struct slot *slot, const struct journal_entry **ret_entry);
void intake_fetch(struct slot *slot, const struct journal_entry *entry);
/* Another request came before under this source and id. */
void intake_refuse_reused(struct slot *slot);
void intake_skip(struct slot *slot);
void intake_store(struct slot *slot, const struct journal_record *record);

/* batches.c: a record with `users` (contract 3). At most BATCH_RUNNING of them at a time. */
enum { BATCH_RUNNING = 16 };
/* The record's slot is in its lanes: its items queue up behind it. */
void batches_open(struct slot *parent, const struct record *record,
                  const struct request_items *items);
/* The record is first in its lanes. */
void batches_begin(struct slot *parent);
void batches_fetched(struct slot *parent, const struct journal_record *record);
/* An item may have become first in its lane. */
void batches_run_items(struct slot *parent);
/* Whether the answer names somebody whom another item resolved first, as the user or as the holder
 * of his name; if not, the user is this one's. */
bool batches_claim(struct slot *item, const struct directory_answer *answer);
/* An item's slot is about to be freed. */
void batches_item_ends(struct slot *item);
bool batches_has_items(const struct slot *parent);
const struct summary *batches_summary(const struct slot *parent);
void batches_free(struct users *users);

/* jobs.c */
struct slot *slot_new(struct worker *worker);
/* Queues the slot up behind those that name the same user, and under the record's key. */
void slot_enter_lanes(struct slot *slot, const struct record *record);
bool slot_is_first(const struct slot *slot);
void slot_make_ready(struct slot *slot);
/* Starts what became first in its lanes; once a turn, so that a chain of skipped records is a loop
 * and not a recursion. */
void jobs_run_ready(struct worker *worker);
void slot_step(struct slot *slot, enum job_event_type type);
void slot_step_event(struct slot *slot, struct job_event *event);
/* The slot's work is over and nothing refers to it: it leaves its lanes and is freed. */
void slot_end(struct slot *slot);
/* All of them, whatever they wait for: only after everything that could come back is closed. */
void slots_free(struct worker *worker);

/* commits.c */
void commits_init(struct worker *worker);
void commits_add(struct slot *slot, enum publication_kind kind);
/* Takes a publication back that no batch has yet. */
void commits_remove(struct slot *slot);
void commits_begin(struct worker *worker);

/* pages.c: the table of the admin pages, whose context is the worker */
struct admin_page;
const struct admin_page *worker_pages(int *ret_n);

/* winding.c */
void winding_init(struct worker *worker);
/* Ends the loop after this turn; the first to say so names the exit code. */
void worker_stop(struct worker *worker, int exit_code);
void winding_revoked(void *worker, bool lost);
void winding_halt(struct worker *worker);
void winding_drain(struct worker *worker);
/* A call came back, a batch did, or time is up: perhaps nothing is awaited any more. */
void winding_look(struct worker *worker);

#endif

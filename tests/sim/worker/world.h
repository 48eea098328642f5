/* A world for the worker's own code in virtual time: the loop, the directory, the consumer and the
 * publisher are played, everything between them (intake, jobs, lanes, commits, winding, the policy,
 * the decoder) is the real thing. Several workers can live in it, be frozen and be killed. */
#ifndef TESTS_SIM_WORKER_WORLD_H
#define TESTS_SIM_WORKER_WORLD_H

#include "producers/json_out.h"
#include "worker/worker.h"

enum {
    WORLD_PARTITIONS_MAX = 12,
    WORLD_USERS_MAX = 1000,
    WORLD_RECORDS_MAX = 6000,
    WORLD_CALLS_MAX = 4096,
    WORLD_WORKERS_MAX = 2,
    SEND_MS = 1, /* a call waits that long for its turn on the wire */
    CALL_MS = 50,
    COMMIT_MS = 10,
    WORLD_START_MS = 10 * 24 * HOUR_MS,
    LOAD_MS = 5, /* from an assignment to the journal being read */
};

/* An item of a record with `users`, and what became of it. */
struct world_item {
    int user;
    int outcomes;
    enum reason reason;
    bool replayed;
    char told_password[PASSWORD_CHARS + 1];
};

/* A request record, and what became of it. Record i asks for user `user`, or for its items; then
 * its outcome is the summary. */
struct world_record {
    int32_t partition;
    int64_t offset;
    int user; /* -1: items */
    int n_items;
    struct world_item items[ITEMS_MAX];
    char key[64];
    char value[16384];
    int outcomes;
    int early_summaries; /* when an item had no outcome yet */
    int n_succeeded;     /* as the last summary says */
    bool replayed;
    enum reason reason;
    int64_t finished_at_ms;
    char told_password[PASSWORD_CHARS + 1]; /* in the last notification */
};

struct world_user {
    char id[GUID_CHARS + 1];
    char name[32];
    bool active;
    int restores, passwords;
    int64_t password_changed_at_ms;
    char password[PASSWORD_CHARS + 1];
    int64_t call_ms;            /* 0: CALL_MS */
    int open_changes, overlaps; /* calls that change him at the same time */
};

/* The latest journal record of a key, as the publisher's own encoder wrote it. */
struct world_journal {
    struct journal_key key;
    struct record *record; /* owned */
};

/* What a run can be made to do wrong, to show that the checks would see it. */
struct world_controls {
    bool ignore_done_records; /* the journal's done records are not looked at */
    bool ignore_proof;        /* a change leaves however old its intent is */
    bool accept_old_generation;
    bool ignore_settling; /* a resumed job does not wait for its predecessor's last call */
};

struct world_worker;

struct world {
    int64_t now_ms;
    struct world_controls controls;
    int n_partitions, n_records, n_users;
    int restores_per_hour;        /* of workers started from now on */
    struct world_record *records; /* in order of production */
    struct world_user users[WORLD_USERS_MAX];
    int64_t end[WORLD_PARTITIONS_MAX], committed[WORLD_PARTITIONS_MAX];
    int owner, next_owner; /* of all partitions: index of the worker, -1: nobody */
    bool hands_over;
    int64_t commit_ms; /* COMMIT_MS, until a test says otherwise */
    int generation;
    struct world_journal *journal;
    int n_journal;
    int64_t next_journal_offset;
    struct directory_answer answer;
    struct recipient_key *recipient_key;
    struct event_settings events;
    struct json_out encoding;
    struct world_call *calls;
    int n_calls, n_calls_most; /* open at a time */
    struct world_worker *workers[WORLD_WORKERS_MAX];
    long n_events;
};

struct world *world_new(int n_partitions, int n_users);
void world_free(struct world *world);
/* A request to restore this user, on the partition user % n_partitions, keyed by the user. */
void world_request(struct world *world, int user);
/* A request to restore these users, on this partition, under a key of its own; who is given as
 * ~user is named by his name, the others by their id. */
void world_batch(struct world *world, int partition, const int *users, int n_users);
/* Only asks: a plan for this user, or a list. On the same partition, under the same key. */
void world_question(struct world *world, int user, enum request_mode mode);
/* A record that is no request, as large as one may be here. */
void world_garbage(struct world *world, int partition);
/* The same request record again. */
void world_repeat(struct world *world, int record);

void world_start(struct world *world, int worker);
void world_kill(struct world *world, int worker);
void world_freeze(struct world *world, int worker, bool frozen);
/* Gives all partitions to this worker (-1: nobody): whoever held them is revoked. */
void world_assign(struct world *world, int worker);
/* The group has noticed that the owner is silent: its partitions go to another without a word. */
void world_evict(struct world *world, int new_owner);

/* The next thing that happens, whatever it is. False: nothing will ever happen again. */
bool world_step(struct world *world);
/* Everything that is due by now. */
void world_catch_up(struct world *world);
/* Steps until every record has an outcome, or the virtual time is over. */
bool world_run(struct world *world, int64_t until_ms);
/* Runs up to this event, the first being 1. False: nothing is left to do before it. */
bool world_run_to_event(struct world *world, long event);

/* One outcome a record and an item, summaries behind their items', one restore a user, no
 * overlapping changes, and whoever was told a password can sign in with it. NULL when all is well,
 * else what is wrong. */
const char *world_verdict(const struct world *world);

#endif

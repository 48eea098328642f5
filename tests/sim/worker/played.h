/* The played parts, private to the world: what each opaque handle of the worker's seams is here. */
#ifndef TESTS_SIM_WORKER_PLAYED_H
#define TESTS_SIM_WORKER_PLAYED_H

#include "tests/sim/worker/world.h"

struct loop {
    struct world *world;
    struct timers timers;
    struct instant now;
};

struct directory {
    struct world *world;
    struct world_worker *worker;
};

/* A call: it waits for its turn on the wire, and dies there with whoever asked; then it takes
 * effect half-way, also when whoever asked is dead by then. */
struct world_call {
    struct world_call *next;
    struct world_worker *worker; /* NULL: nobody waits for the answer any more */
    struct directory_call *call;
    struct directory_question question;
    char password[PASSWORD_CHARS + 1];
    int64_t proven_until_ms;
    int64_t sent_at_ms, effect_at_ms, done_at_ms;
    bool sent;
    bool took_effect;
    enum directory_status status;
    int64_t password_changed_at_ms;
    bool active;
};

struct request_consumer {
    struct world *world;
    struct world_worker *worker;
    struct request_partition partitions[WORLD_PARTITIONS_MAX];
    bool held[WORLD_PARTITIONS_MAX];
    int64_t position[WORLD_PARTITIONS_MAX];
    int turn;
    bool revoking;
    int64_t ready_at_ms; /* assigned partitions become takeable; -1: none pending */
    struct slot *fetching[SLOTS_MAX + 1 + ITEMS_MAX];
    int64_t fetching_offset[SLOTS_MAX + 1 + ITEMS_MAX];
    int n_fetching;
    struct record record;
    char topic[8];
};

struct publisher {
    struct world *world;
    struct world_worker *worker;
    struct batch *batch;
    int64_t done_at_ms; /* -1: none is out */
    bool done;
};

struct world_worker {
    struct world *world;
    int index;
    int generation; /* of its membership */
    bool frozen;
    struct worker worker;
    struct settings *settings;
    struct loop loop;
    struct directory directory;
    struct request_consumer consumer;
    struct publisher publisher;
};

/* world.c */
void world_hand_over(struct world *world);

/* played_directory.c */
int64_t played_directory_next_ms(const struct world *world);
void played_directory_step(struct world *world);
void played_directory_forget(struct world *world, struct world_worker *worker);

/* played_kafka.c */
void played_consumer_assign(struct world_worker *worker);
void played_consumer_revoke(struct world_worker *worker, bool lost);
bool played_consumer_due(struct world_worker *worker);
int64_t played_consumer_next_ms(const struct world_worker *worker);
void played_publisher_step(struct world_worker *worker);

#endif

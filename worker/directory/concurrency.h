/* How many calls a tenant's directory takes at a time, learned from its replies. Pure: time comes
 * in.
 *
 * The limit starts at the most there is: a directory that answers all calls equally fast, however
 * many they are, must never be held back, and what could swamp it at the start is held back by the
 * budget, which starts empty. It grows by a 64th of the most for each limit's worth of successes
 * and is halved by a 429, a 503, a 504 or a call without a reply: additive increase, multiplicative
 * decrease, which is fair among instances (Chiu and Jain 1989) and finds its way back in 64 rounds.
 *
 * A queue that forms in the directory shows earlier, in the time of its replies (TCP Vegas). A
 * round in which *not one* reply of many came within twice the least time of its kind of call (and
 * CONCURRENCY_SLACK_MS, for a loop that was busy) has a standing queue. Then the limit goes to nine
 * tenths of what needs no queue, limit * least / time: so the queue is gone, and the next replies
 * tell the least time anew. At the floor each reply replaces it: with so few calls what they see is
 * the directory's own time, which may have become longer for good.
 *
 * Only replies of calls that left after the last decrease count, so one congestion decreases once;
 * and only while half of the limit is used: else it is not the limit that was tried. */
#ifndef WORKER_DIRECTORY_CONCURRENCY_H
#define WORKER_DIRECTORY_CONCURRENCY_H

#include "policy/instant.h"
#include "worker/directory/calls.h"

#include <stdbool.h>

enum {
    CONCURRENCY_FLOOR = 4,
    CONCURRENCY_SLACK_MS = 50,
    CONCURRENCY_ROUNDS = 64, /* of growth from nothing to the most */
};

struct concurrency {
    int limit, limit_max;
    int64_t began_mono_ms; /* calls that left earlier say nothing of this limit */
    /* the round */
    int n_replies;
    bool quick;              /* one reply was */
    int limit_without_queue; /* by the quickest reply */
    /* of each kind of call; 0: none came yet */
    int64_t least_ms[CALL_KINDS];
};

void concurrency_init(struct concurrency *concurrency, int limit_max);
/* A call of `kind` that left at started_at was answered now, while n_busy were on the wire, itself
 * included. */
void concurrency_succeeded(struct concurrency *concurrency, int kind, int n_busy,
                           int64_t started_at_mono_ms, int64_t now_mono_ms);
/* ... or was refused for want of room, or not answered. */
void concurrency_failed(struct concurrency *concurrency, int64_t started_at_mono_ms,
                        int64_t now_mono_ms);

#endif

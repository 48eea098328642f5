/* What Graph allows a tenant (directory-api.md 7.1): resource units per 10 s and writes per 150 s,
 * of which this instance uses its share. Two token buckets; a tenth of a budget may be saved up,
 * the rest flows in evenly: so no window of that length, wherever it begins, sees more than the
 * budget. They start empty, and a larger share brings no tokens with it: neither a worker that is
 * restarted again and again nor a rebalance spends anything twice. Pure: time comes in. */
#ifndef WORKER_DIRECTORY_BUDGET_H
#define WORKER_DIRECTORY_BUDGET_H

#include "policy/instant.h"
#include "worker/directory/calls.h"

#include <stdbool.h>

enum {
    BUDGET_UNITS_WINDOW_MS = 10 * SECOND_MS,
    BUDGET_WRITES_WINDOW_MS = 150 * SECOND_MS,
    /* So long a change may stand in line: half of what an intent proves (PROOF_MS), for the calls
     * that it may have to wait for besides. */
    BUDGET_LINE_MS = 2500,
    BUDGET_WAIT_MAX_MS = HOUR_MS, /* also where nothing flows in */
};

struct bucket {
    int limit, window_ms;
    /* in parts of a token */
    int64_t token, rate_per_ms, capacity;
    int64_t level; /* below zero: what a call cost that nobody could hold back */
};

struct budget {
    struct bucket units, writes;
    int share_held, share_all;
    int64_t filled_at_mono_ms;
    int64_t promise_max_ms; /* a turn is promised no further ahead */
    int64_t promised_until_mono_ms;
};

/* A share of nothing, until it is told. `promise_max_ms`: well below what a job may live, for a
 * turn that nobody uses leaves the budget idle. */
void budget_init(struct budget *budget, int units_per_10s, int writes_per_150s,
                 int64_t promise_max_ms);
/* held / all; all may be 0. False: it has that share already. */
bool budget_set_share(struct budget *budget, int held, int all, int64_t now_mono_ms);
/* How long the call has to wait; 0: it may leave. A call that costs more than the bucket holds
 * leaves when it is full. */
int64_t budget_wait_ms(struct budget *budget, struct call_cost cost, int64_t now_mono_ms);
/* The call leaves, or has left, whether there was enough or not. */
void budget_take(struct budget *budget, struct call_cost cost, int64_t now_mono_ms);
/* Whole tokens that are left, not below 0. */
int64_t budget_left(struct budget *budget, int64_t now_mono_ms, int64_t *ret_writes);

/* A change that would stand in line behind `n_ahead` others: 0 when its turn comes within
 * BUDGET_LINE_MS; else how long it is to stay away, and *turn_at_mono_ms says until when: it is to
 * bring that along when it comes again (0: it was promised nothing). Turns are given out one after
 * the other, a write apart. So those who are sent away come back one by one, and a newcomer comes
 * after them; beyond promise_max_ms he is promised nothing, and told to ask again. */
int64_t budget_turn_ms(struct budget *budget, int n_ahead, int64_t *turn_at_mono_ms,
                       int64_t now_mono_ms);

#endif

/* A tenant that the directory throttles: as a whole, or single calls. Nothing leaves before the
 * time that was named for it (P6), also not for another job, or for one that a rebalance took away
 * and brought back. Loop thread only. */
#ifndef WORKER_DIRECTORY_THROTTLE_H
#define WORKER_DIRECTORY_THROTTLE_H

#include "policy/instant.h"
#include "worker/directory/reply.h"

/* Waits that the directory asked for are lengthened by up to this much, at random. */
enum {
    THROTTLE_JITTER_MS = SECOND_MS,
    /* Single calls remembered: what is on the wire by default. Of more, those that may leave
     * soonest are forgotten, and then only their own jobs wait. */
    THROTTLE_HELD_MAX = 256,
};

struct throttle {
    int64_t closed_until_mono_ms;
    int n_held;
    struct {
        uint64_t call;
        int64_t until_mono_ms;
    } held[THROTTLE_HELD_MAX];
};

/* What a call is remembered by. Two that share it by accident wait for each other. */
uint64_t throttle_call(const char *method, const char *url);

/* What a reply to `call` says of the time to come. The tenant closes on a 429 or 503 whose
 * x-ms-throttle-scope is the tenant or the application; any other 429 or 5xx holds
 * the call. */
void throttle_take(struct throttle *throttle, uint64_t call, const struct reply *reply,
                   int64_t retry_after_ms, int64_t now_mono_ms);

/* How long nothing may leave yet; 0: now. */
int64_t throttle_wait_ms(const struct throttle *throttle, int64_t now_mono_ms);
/* The same of one call. Forgets every call whose time is over: most are never made again. */
int64_t throttle_held_ms(struct throttle *throttle, uint64_t call, int64_t now_mono_ms);

/* Random, 0 <= jitter < below: those whom one reply sent to sleep do not all come back at once. */
int64_t throttle_jitter_ms(int64_t below_ms);

#endif

/* A tenant that the directory throttles as a whole: nothing of it leaves before the time that it
 * named (P6). Loop thread only. */
#ifndef WORKER_DIRECTORY_THROTTLE_H
#define WORKER_DIRECTORY_THROTTLE_H

#include "policy/instant.h"
#include "worker/directory/reply.h"

/* Waits that the directory asked for are lengthened by up to this much, at random. */
enum { THROTTLE_JITTER_MS = SECOND_MS };

struct throttle {
    int64_t closed_until_mono_ms;
};

/* Closes on a 429 or 503 whose x-ms-throttle-scope is the tenant or the application and whose
 * Retry-After says for how long; a longer closure stands. Any other 429 concerns its job alone. */
void throttle_take(struct throttle *throttle, const struct reply *reply, int64_t retry_after_ms,
                   int64_t now_mono_ms);

/* How long nothing may leave yet; 0: now. */
int64_t throttle_wait_ms(const struct throttle *throttle, int64_t now_mono_ms);

/* Random, 0 <= jitter < below: those whom one reply sent to sleep do not all come back at once. */
int64_t throttle_jitter_ms(int64_t below_ms);

#endif

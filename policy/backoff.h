/* How long to wait before the same question again: full jitter (every client somewhere between now
 * and the bound, so that they do not come back together), never before the directory's
 * Retry-After (design promise P6). */
#ifndef POLICY_BACKOFF_H
#define POLICY_BACKOFF_H

#include "policy/instant.h"

enum { BACKOFF_FIRST_MS = SECOND_MS / 2, BACKOFF_MAX_MS = 30 * SECOND_MS };

/* The next number of the sequence that `state` stands for (splitmix64). */
uint64_t random_next(uint64_t *state);

/* `n`: how often it was already put off in a row. */
int64_t backoff_ms(int n, int64_t retry_after_ms, uint64_t *random);

#endif

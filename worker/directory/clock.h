/* The directory's clock, as its replies show it (design 8). Pure. */
#ifndef WORKER_DIRECTORY_CLOCK_H
#define WORKER_DIRECTORY_CLOCK_H

#include "policy/instant.h"

enum { CLOCK_SAMPLES = 5 };

struct clock_samples {
    int n, oldest;
    int64_t offset_ms[CLOCK_SAMPLES];
};

/* Takes one Date header, received at `mono_ms`, and gives the median of the last five offsets
 * (directory less monotonic clock: the wall clock may be set, and all windows would move with it).
 * A Date names the second that had begun, so on average the directory was half a second further:
 * that half is added, or the median would lag by it for ever. */
int64_t clock_take(struct clock_samples *samples, int64_t date_ms, int64_t mono_ms);

#endif

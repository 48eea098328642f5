/* One moment on three clocks, read once per turn of the loop and handed down: nothing in the policy
 * asks what time it is. */
#ifndef POLICY_INSTANT_H
#define POLICY_INSTANT_H

#include <stdint.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
#define DAY_MS ((int64_t)24 * HOUR_MS)

struct instant {
    int64_t wall_ms;      /* this machine's clock, since the epoch: what events say */
    int64_t directory_ms; /* the directory's clock as its Date headers show it: windows and ages */
    int64_t mono_ms;      /* never set; goes on while suspended: every wait and deadline */
};

#endif

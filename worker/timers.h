/* Timers in a binary heap whose elements know their place, so that any can be moved or cancelled.
 */
#ifndef WORKER_TIMERS_H
#define WORKER_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* Embedded in whoever waits; all zero: not set. */
struct timer {
    int64_t at_mono_ms;
    size_t place; /* 1-based place in the heap, 0: not set */
    void (*on_due)(void *context);
    void *context;
};

struct timers {
    struct timer **heap;
    size_t n, room;
};

void timers_deinit(struct timers *timers);
/* Sets, or moves, the timer. -ENOMEM. */
int timers_set(struct timers *timers, struct timer *timer, int64_t at_mono_ms);
void timers_cancel(struct timers *timers, struct timer *timer);
/* The next one, NULL if none is set. */
struct timer *timers_first(const struct timers *timers);

#endif

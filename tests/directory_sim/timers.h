/* A binary heap of moments: 10,000 answers a second, each 50 ms late. */
#ifndef DIRECTORY_SIM_TIMERS_H
#define DIRECTORY_SIM_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t due_mono_ms;
    void *value;
};

struct timers {
    struct timer *heap;
    size_t n, room;
};

void timers_add(struct timers *timers, int64_t due_mono_ms, void *value);
/* The value due first if it is due by now, taken out; else NULL. */
void *timers_take(struct timers *timers, int64_t now_mono_ms);
/* -1: none. */
int64_t timers_next_mono_ms(const struct timers *timers);

#endif

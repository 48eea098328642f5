#include "worker/timers.h"

#include <errno.h>
#include <stdlib.h>

enum { TIMERS_ROOM_FIRST = 64 };

void timers_deinit(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

/* Moves the timer from `place` to where its time belongs, first towards the root, then away. */
static void settle(struct timers *timers, size_t place, struct timer *timer)
{
    while (place > 1 && timers->heap[place / 2 - 1]->at_mono_ms > timer->at_mono_ms) {
        put(timers, place, timers->heap[place / 2 - 1]);
        place /= 2;
    }
    for (;;) {
        size_t child = 2 * place;
        if (child > timers->n)
            break;
        if (child < timers->n &&
            timers->heap[child]->at_mono_ms < timers->heap[child - 1]->at_mono_ms)
            child++;
        if (timers->heap[child - 1]->at_mono_ms >= timer->at_mono_ms)
            break;
        put(timers, place, timers->heap[child - 1]);
        place = child;
    }
    put(timers, place, timer);
}

int timers_set(struct timers *timers, struct timer *timer, int64_t at_mono_ms)
{
    timer->at_mono_ms = at_mono_ms;
    if (timer->place != 0) {
        settle(timers, timer->place, timer);
        return 0;
    }
    if (timers->n == timers->room) {
        size_t room = timers->room == 0 ? TIMERS_ROOM_FIRST : 2 * timers->room;
        struct timer **heap = realloc(timers->heap, room * sizeof *heap);
        if (heap == NULL)
            return -ENOMEM;
        timers->heap = heap;
        timers->room = room;
    }
    timers->n++;
    settle(timers, timers->n, timer);
    return 0;
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    if (place == 0)
        return;
    timer->place = 0;
    struct timer *last = timers->heap[--timers->n];
    if (last != timer)
        settle(timers, place, last);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->n == 0 ? NULL : timers->heap[0];
}

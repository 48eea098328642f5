#include "tests/directory_sim/timers.h"

#include <assert.h>
#include <stdlib.h>

static void swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

void timers_add(struct timers *timers, int64_t due_mono_ms, void *value)
{
    if (timers->n == timers->room) {
        timers->room = timers->room ? timers->room * 2 : 64;
        timers->heap = realloc(timers->heap, timers->room * sizeof *timers->heap);
        assert(timers->heap);
    }
    struct timer *heap = timers->heap;
    size_t i = timers->n++;
    heap[i] = (struct timer){due_mono_ms, value};
    for (; i && heap[(i - 1) / 2].due_mono_ms > heap[i].due_mono_ms; i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

void *timers_take(struct timers *timers, int64_t now_mono_ms)
{
    struct timer *heap = timers->heap;
    if (!timers->n || heap[0].due_mono_ms > now_mono_ms)
        return NULL;
    void *value = heap[0].value;
    heap[0] = heap[--timers->n];
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < timers->n && heap[child + 1].due_mono_ms < heap[child].due_mono_ms)
            child++;
        if (child >= timers->n || heap[i].due_mono_ms <= heap[child].due_mono_ms)
            return value;
        swap(&heap[i], &heap[child]);
        i = child;
    }
}

int64_t timers_next_mono_ms(const struct timers *timers)
{
    return timers->n ? timers->heap[0].due_mono_ms : -1;
}

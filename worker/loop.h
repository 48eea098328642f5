/* The only wait of the program: one epoll, one heap of timers, both clocks read once per turn
 * (design 5). Loop thread only. */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include "policy/instant.h"
#include "worker/timers.h"

#include <stdbool.h>

struct loop;

/* Embedded in whoever owns the descriptor. */
struct watch {
    int fd;
    void (*on_ready)(void *context, uint32_t events); /* EPOLLIN | EPOLLOUT | ... */
    void *context;
};

int loop_new(struct loop **ret_loop);
void loop_free(struct loop *loop);

/* events: EPOLLIN, EPOLLOUT. The watch must stay where it is until it is removed. -errno. */
int loop_add(struct loop *loop, struct watch *watch, uint32_t events);
int loop_modify(struct loop *loop, struct watch *watch, uint32_t events);
/* Safe for a watch whose event is still to be delivered in this turn: it is not delivered. */
void loop_remove(struct loop *loop, struct watch *watch);

/* The moment of this turn. */
const struct instant *loop_now(const struct loop *loop);
/* Directory time less monotonic time, as the Date headers show it; ms. Before the first call the
 * directory's clock is taken to be ours. */
void loop_set_directory_offset_ms(struct loop *loop, int64_t offset_ms);

void loop_set_timer(struct loop *loop, struct timer *timer, int64_t at_mono_ms);
void loop_cancel_timer(struct loop *loop, struct timer *timer);

/* Waits for the next descriptor or timer, and serves what is ready. */
int loop_turn(struct loop *loop);

/* A clock read now, for the few places where the turn's is too old. */
int64_t loop_read_mono_ms(void);

#endif

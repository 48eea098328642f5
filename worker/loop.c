#include "worker/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 256 };

struct loop {
    int epoll_fd;
    struct timers timers;
    struct instant now;
    bool directory_known;
    int64_t directory_offset_ms; /* to the monotonic clock, so that setting ours changes nothing */
    int n_events, next_event;    /* of this turn, not yet delivered */
    struct epoll_event events[EVENTS_PER_TURN];
};

static int64_t read_ms(clockid_t clock)
{
    struct timespec ts;
    int rc = clock_gettime(clock, &ts);
    assert(rc == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t loop_read_mono_ms(void)
{
    /* Not CLOCK_MONOTONIC, which stands still while the machine is suspended: an intent would look
     * as fresh as it was before, and a change leave long after another worker took over
     * (PROOF_MS, design 7). epoll waits by the other clock; after a suspend it wakes late, no
     * more. */
    return read_ms(CLOCK_BOOTTIME);
}

static void read_clocks(struct loop *loop)
{
    struct instant *now = &loop->now;
    now->wall_ms = read_ms(CLOCK_REALTIME);
    now->mono_ms = loop_read_mono_ms();
    now->directory_ms =
        loop->directory_known ? now->mono_ms + loop->directory_offset_ms : now->wall_ms;
}

int loop_new(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        int error = errno;
        free(loop);
        return -error;
    }
    read_clocks(loop);
    *ret_loop = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    timers_deinit(&loop->timers);
    (void)close(loop->epoll_fd);
    free(loop);
}

static int control(struct loop *loop, int operation, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) == 0 ? 0 : -errno;
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
    return control(loop, EPOLL_CTL_ADD, watch, events);
}

int loop_modify(struct loop *loop, struct watch *watch, uint32_t events)
{
    return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_remove(struct loop *loop, struct watch *watch)
{
    (void)control(loop, EPOLL_CTL_DEL, watch, 0);
    for (int i = loop->next_event; i < loop->n_events; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

const struct instant *loop_now(const struct loop *loop)
{
    return &loop->now;
}

void loop_set_directory_offset_ms(struct loop *loop, int64_t offset_ms)
{
    loop->directory_known = true;
    loop->directory_offset_ms = offset_ms;
    loop->now.directory_ms = loop->now.mono_ms + offset_ms;
}

void loop_set_timer(struct loop *loop, struct timer *timer, int64_t at_mono_ms)
{
    int rc = timers_set(&loop->timers, timer, at_mono_ms);
    /* A waiting job without its timer would wait for ever; the journal knows how to go on. */
    assert(rc == 0 && "no memory for a timer");
}

void loop_cancel_timer(struct loop *loop, struct timer *timer)
{
    timers_cancel(&loop->timers, timer);
}

static int wait_ms(const struct loop *loop)
{
    const struct timer *first = timers_first(&loop->timers);
    if (first == NULL)
        return -1;
    int64_t wait = first->at_mono_ms - loop_read_mono_ms();
    if (wait <= 0)
        return 0;
    return wait < INT32_MAX ? (int)wait : INT32_MAX;
}

int loop_turn(struct loop *loop)
{
    int n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, wait_ms(loop));
    if (n < 0 && errno != EINTR)
        return -errno;
    read_clocks(loop);
    loop->n_events = n < 0 ? 0 : n;
    for (loop->next_event = 0; loop->next_event < loop->n_events;) {
        struct epoll_event *event = &loop->events[loop->next_event++];
        struct watch *watch = event->data.ptr;
        if (watch != NULL)
            watch->on_ready(watch->context, event->events);
    }
    loop->n_events = 0;
    for (struct timer *due;
         (due = timers_first(&loop->timers)) != NULL && due->at_mono_ms <= loop->now.mono_ms;) {
        timers_cancel(&loop->timers, due);
        due->on_due(due->context);
    }
    return 0;
}

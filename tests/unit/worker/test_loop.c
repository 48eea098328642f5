#include "worker/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* In the place of libc's: clocks that a test can set. */
static time_t wall_step_s, suspended_s;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (clock == CLOCK_REALTIME)
        ret_time->tv_sec += wall_step_s;
    if (clock == CLOCK_BOOTTIME)
        ret_time->tv_sec += suspended_s;
    return rc;
}

/* What a callback did, in order. */
struct trace {
    struct loop *loop;
    char text[64];
};

struct source {
    struct watch watch;
    struct timer timer;
    struct trace *trace;
    struct source *removes; /* this watch goes when the own one is ready */
    char letter;
};

static void note(struct source *source)
{
    size_t n = strlen(source->trace->text);
    assert_true(n + 1 < sizeof source->trace->text);
    source->trace->text[n] = source->letter;
}

static void on_ready(void *context, uint32_t events)
{
    struct source *source = context;
    uint64_t n;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(source->watch.fd, &n, sizeof n), sizeof n);
    note(source);
    if (source->removes != NULL)
        loop_remove(source->trace->loop, &source->removes->watch);
}

static void on_due(void *context)
{
    note(context);
}

static void source_init(struct source *source, struct trace *trace, char letter)
{
    *source = (struct source){.trace = trace, .letter = letter};
    source->watch = (struct watch){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .on_ready = on_ready, .context = source};
    source->timer = (struct timer){.on_due = on_due, .context = source};
    assert_true(source->watch.fd >= 0);
}

static void source_raise(struct source *source)
{
    uint64_t one = 1;
    assert_int_equal(write(source->watch.fd, &one, sizeof one), sizeof one);
}

static int setup(void **state)
{
    struct trace *trace = calloc(1, sizeof *trace);
    wall_step_s = suspended_s = 0;
    assert_int_equal(loop_new(&trace->loop), 0);
    *state = trace;
    return 0;
}

static int teardown(void **state)
{
    struct trace *trace = *state;
    loop_free(trace->loop);
    free(trace);
    return 0;
}

static void a_ready_descriptor_is_served(void **state)
{
    struct trace *trace = *state;
    struct source a;
    source_init(&a, trace, 'a');
    assert_int_equal(loop_add(trace->loop, &a.watch, EPOLLIN), 0);
    assert_int_equal(loop_add(trace->loop, &a.watch, EPOLLIN), -EEXIST);
    source_raise(&a);
    assert_int_equal(loop_turn(trace->loop), 0);
    assert_string_equal(trace->text, "a");
    loop_remove(trace->loop, &a.watch);
    assert_int_equal(loop_modify(trace->loop, &a.watch, EPOLLIN), -ENOENT);
    (void)close(a.watch.fd);
}

static void a_watch_removed_in_the_same_turn_is_not_served(void **state)
{
    struct trace *trace = *state;
    struct source a, b;
    source_init(&a, trace, 'a');
    source_init(&b, trace, 'b');
    a.removes = &b; /* whichever of the two comes first takes the other out */
    b.removes = &a;
    assert_int_equal(loop_add(trace->loop, &a.watch, EPOLLIN), 0);
    assert_int_equal(loop_add(trace->loop, &b.watch, EPOLLIN), 0);
    source_raise(&a);
    source_raise(&b);
    assert_int_equal(loop_turn(trace->loop), 0);
    assert_int_equal(strlen(trace->text), 1);
    (void)close(a.watch.fd);
    (void)close(b.watch.fd);
}

static void timers_come_due_after_the_descriptors_of_the_turn(void **state)
{
    struct trace *trace = *state;
    struct source a, b, c;
    source_init(&a, trace, 'a');
    source_init(&b, trace, 'b');
    source_init(&c, trace, 'c');
    assert_int_equal(loop_add(trace->loop, &a.watch, EPOLLIN), 0);
    source_raise(&a);
    int64_t now = loop_now(trace->loop)->mono_ms;
    loop_set_timer(trace->loop, &c.timer, now - 1);
    loop_set_timer(trace->loop, &b.timer, now - 2);
    assert_int_equal(loop_turn(trace->loop), 0);
    assert_string_equal(trace->text, "abc");
    (void)close(a.watch.fd);
    (void)close(b.watch.fd);
    (void)close(c.watch.fd);
}

static void a_timer_never_comes_early_and_a_cancelled_one_never(void **state)
{
    struct trace *trace = *state;
    struct source a, b;
    source_init(&a, trace, 'a');
    source_init(&b, trace, 'b');
    int64_t due = loop_read_mono_ms() + 20;
    loop_set_timer(trace->loop, &a.timer, due);
    loop_set_timer(trace->loop, &b.timer, due - 5);
    loop_cancel_timer(trace->loop, &b.timer);
    for (int turns = 0; trace->text[0] == '\0' && turns < 1000; turns++)
        assert_int_equal(loop_turn(trace->loop), 0);
    assert_string_equal(trace->text, "a");
    assert_true(loop_read_mono_ms() >= due);
    (void)close(a.watch.fd);
    (void)close(b.watch.fd);
}

static void turn_once(struct trace *trace)
{
    struct source a;
    source_init(&a, trace, 'a');
    loop_set_timer(trace->loop, &a.timer, loop_now(trace->loop)->mono_ms);
    assert_int_equal(loop_turn(trace->loop), 0);
    (void)close(a.watch.fd);
}

static void directory_time_is_wall_time_until_it_is_known(void **state)
{
    struct trace *trace = *state;
    const struct instant *now = loop_now(trace->loop);
    assert_int_equal(now->directory_ms, now->wall_ms);
    int64_t offset_ms = now->wall_ms - now->mono_ms - 90000;
    loop_set_directory_offset_ms(trace->loop, offset_ms);
    assert_int_equal(now->directory_ms, now->wall_ms - 90000);
    turn_once(trace);
    assert_int_equal(now->directory_ms, now->mono_ms + offset_ms);
}

static void setting_the_wall_clock_does_not_move_directory_time(void **state)
{
    struct trace *trace = *state;
    const struct instant *now = loop_now(trace->loop);
    loop_set_directory_offset_ms(trace->loop, now->wall_ms - now->mono_ms);
    int64_t before_ms = now->directory_ms;
    wall_step_s = 3600;
    turn_once(trace);
    assert_true(now->wall_ms >= before_ms + 3600 * 1000);
    assert_in_range(now->directory_ms, before_ms, before_ms + 60 * 1000);
}

/* CLOCK_MONOTONIC leaves a suspend out; proofs and deadlines must not. */
static void the_time_of_a_suspend_has_passed(void **state)
{
    struct trace *trace = *state;
    struct source a;
    source_init(&a, trace, 'a');
    int64_t before_ms = loop_read_mono_ms();
    loop_set_timer(trace->loop, &a.timer, before_ms + 3600 * 1000);
    suspended_s = 3600;
    assert_int_equal(loop_turn(trace->loop), 0);
    assert_string_equal(trace->text, "a");
    assert_true(loop_now(trace->loop)->mono_ms >= before_ms + 3600 * 1000);
    (void)close(a.watch.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ready_descriptor_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(a_watch_removed_in_the_same_turn_is_not_served, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(timers_come_due_after_the_descriptors_of_the_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_timer_never_comes_early_and_a_cancelled_one_never, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(directory_time_is_wall_time_until_it_is_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_time_of_a_suspend_has_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(setting_the_wall_clock_does_not_move_directory_time, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

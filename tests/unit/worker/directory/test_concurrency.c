/* The limit against simulated directories, in virtual time. */
#include "worker/directory/concurrency.h"

#include "policy/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 256, KIND = DIRECTORY_USER_BY_ID };

/* A directory that works on `capacity` calls at a time, each for `service_ms`; the others stand in
 * its queue, or, when it `refuses`, are told 503 at once. The client always has more calls than it
 * may send. */
struct simulation {
    struct concurrency concurrency;
    int capacity, service_ms, jitter_ms;
    bool refuses;
    int64_t now_ms;
    int64_t free_at_ms[MOST]; /* when each of its hands is free */
    struct {
        bool busy, refused;
        int64_t started_at_ms, ends_at_ms;
    } calls[MOST];
    int n_busy, n_done, n_refused;
    int limit_min, limit_max; /* seen */
    int64_t rtt_max_ms;
    uint64_t random;
};

static void simulation_init(struct simulation *simulation, int capacity, int service_ms)
{
    memset(simulation, 0, sizeof *simulation);
    simulation->capacity = capacity;
    simulation->service_ms = service_ms;
    simulation->now_ms = 17 * HOUR_MS;
    concurrency_init(&simulation->concurrency, MOST);
}

static void start_call(struct simulation *simulation, int i)
{
    int hand = 0;
    for (int h = 1; h < simulation->capacity; h++)
        if (simulation->free_at_ms[h] < simulation->free_at_ms[hand])
            hand = h;
    int64_t *free_at_ms = &simulation->free_at_ms[hand];
    simulation->calls[i].busy = true;
    simulation->calls[i].started_at_ms = simulation->now_ms;
    simulation->n_busy++;
    simulation->calls[i].refused = simulation->refuses && *free_at_ms > simulation->now_ms;
    if (simulation->calls[i].refused) {
        simulation->calls[i].ends_at_ms = simulation->now_ms + 5;
        return;
    }
    if (*free_at_ms < simulation->now_ms)
        *free_at_ms = simulation->now_ms;
    *free_at_ms += simulation->service_ms;
    if (simulation->jitter_ms > 0)
        *free_at_ms +=
            (int64_t)(random_next(&simulation->random) % (uint64_t)simulation->jitter_ms);
    simulation->calls[i].ends_at_ms = *free_at_ms;
}

static void end_call(struct simulation *simulation, int i)
{
    int64_t started_at_ms = simulation->calls[i].started_at_ms;
    int64_t rtt_ms = simulation->now_ms - started_at_ms;
    if (simulation->calls[i].refused) {
        concurrency_failed(&simulation->concurrency, started_at_ms, simulation->now_ms);
        simulation->n_refused++;
    } else {
        concurrency_succeeded(&simulation->concurrency, KIND, simulation->n_busy, started_at_ms,
                              simulation->now_ms);
        simulation->n_done++;
        simulation->rtt_max_ms = rtt_ms > simulation->rtt_max_ms ? rtt_ms : simulation->rtt_max_ms;
    }
    simulation->calls[i].busy = false;
    simulation->n_busy--;
}

/* What it sees is counted anew. */
static void run(struct simulation *simulation, int64_t for_ms)
{
    simulation->n_done = simulation->n_refused = 0;
    simulation->limit_min = simulation->limit_max = simulation->concurrency.limit;
    simulation->rtt_max_ms = 0;
    for (int64_t end_ms = simulation->now_ms + for_ms; simulation->now_ms < end_ms;
         simulation->now_ms++) {
        for (int i = 0; i < MOST; i++)
            if (simulation->calls[i].busy && simulation->calls[i].ends_at_ms <= simulation->now_ms)
                end_call(simulation, i);
        for (int i = 0; i < MOST && simulation->n_busy < simulation->concurrency.limit; i++)
            if (!simulation->calls[i].busy)
                start_call(simulation, i);
        int limit = simulation->concurrency.limit;
        simulation->limit_min = limit < simulation->limit_min ? limit : simulation->limit_min;
        simulation->limit_max = limit > simulation->limit_max ? limit : simulation->limit_max;
    }
}

/* Of what a directory that is never idle does. */
static int percent_done(const struct simulation *simulation, int64_t for_ms)
{
    int64_t possible =
        simulation->capacity * for_ms * 2 / (2 * simulation->service_ms + simulation->jitter_ms);
    return (int)(simulation->n_done * 100 / possible);
}

static void a_directory_that_answers_all_equally_fast_is_never_held_back(void **state)
{
    (void)state;
    static struct simulation simulation;
    simulation_init(&simulation, MOST, 50);
    simulation.jitter_ms = 60;
    run(&simulation, 2 * MINUTE_MS);
    assert_int_equal(simulation.limit_min, MOST);
}

static void the_limit_settles_where_the_directory_has_no_long_queue(void **state)
{
    (void)state;
    static const struct {
        int capacity, service_ms;
    } directories[] = {{8, 50}, {20, 50}, {64, 50}, {20, 300}, {64, 300}};
    static struct simulation simulation;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        int capacity = directories[i].capacity, service_ms = directories[i].service_ms;
        simulation_init(&simulation, capacity, service_ms);
        simulation.jitter_ms = service_ms / 5; /* else calls march in step */
        run(&simulation, MINUTE_MS);
        run(&simulation, 2 * MINUTE_MS);
        /* One step above where the queue is too long, and nine tenths of where there is none. */
        int queue_ms = service_ms + CONCURRENCY_SLACK_MS;
        int highest = capacity * (service_ms + queue_ms) / service_ms + 3 * MOST / 64;
        assert_in_range(simulation.limit_max, capacity, highest < MOST ? highest : MOST);
        assert_in_range(simulation.limit_min, capacity * 7 / 10, capacity);
        assert_in_range(percent_done(&simulation, 2 * MINUTE_MS), 90, 101);
        assert_in_range(simulation.rtt_max_ms, service_ms, 3 * (service_ms + queue_ms));
    }
}

static void a_directory_that_refuses_what_it_cannot_take_is_kept_busy(void **state)
{
    (void)state;
    static struct simulation simulation;
    simulation_init(&simulation, 40, 50);
    simulation.refuses = true;
    run(&simulation, MINUTE_MS);
    run(&simulation, 2 * MINUTE_MS);
    assert_in_range(simulation.limit_min, 16, 24); /* half of the first that was too many */
    assert_in_range(simulation.limit_max, 40, 48);
    assert_in_range(percent_done(&simulation, 2 * MINUTE_MS), 65, 101);
    assert_in_range(simulation.n_refused, 1, simulation.n_done / 20);
}

static void capacity_that_went_and_came_back_is_used_again(void **state)
{
    (void)state;
    static struct simulation simulation;
    simulation_init(&simulation, MOST, 50);
    simulation.jitter_ms = 10;
    run(&simulation, MINUTE_MS);
    simulation.capacity = 10;
    run(&simulation, MINUTE_MS);
    run(&simulation, MINUTE_MS);
    assert_in_range(simulation.limit_max, 10, 10 * 3 + 12);
    simulation.capacity = MOST;
    run(&simulation, 20 * SECOND_MS);
    assert_int_equal(simulation.concurrency.limit, MOST);
}

static void a_directory_that_became_slower_for_good_is_not_held_back_for_good(void **state)
{
    (void)state;
    static struct simulation simulation;
    simulation_init(&simulation, MOST, 20);
    run(&simulation, MINUTE_MS);
    simulation.service_ms = 400;
    run(&simulation, MINUTE_MS);
    assert_int_equal(simulation.limit_min, CONCURRENCY_FLOOR);
    assert_int_equal(simulation.concurrency.limit, MOST);
}

static void one_congestion_decreases_once(void **state)
{
    (void)state;
    struct concurrency concurrency;
    concurrency_init(&concurrency, MOST);
    for (int i = 0; i < MOST; i++) /* all of them left before the first came back */
        concurrency_failed(&concurrency, 1000, 1050 + i);
    assert_int_equal(concurrency.limit, MOST / 2);
    concurrency_failed(&concurrency, 1050, 1400);
    assert_int_equal(concurrency.limit, MOST / 4);
}

static void a_dead_directory_is_still_asked_by_a_few(void **state)
{
    (void)state;
    struct concurrency concurrency;
    concurrency_init(&concurrency, MOST);
    for (int i = 0; i < 100; i++)
        concurrency_failed(&concurrency, 1000 * i, 1000 * i + 999);
    assert_int_equal(concurrency.limit, CONCURRENCY_FLOOR);
    concurrency_init(&concurrency, 2);
    concurrency_failed(&concurrency, 1000, 2000);
    assert_int_equal(concurrency.limit, 2);
}

static void a_limit_that_is_not_used_is_not_judged_by_the_time_of_replies(void **state)
{
    (void)state;
    struct concurrency concurrency;
    concurrency_init(&concurrency, MOST);
    for (int i = 0; i < 10 * MOST; i++)
        concurrency_succeeded(&concurrency, KIND, MOST / 2 - 1, i, i + (i == 0 ? 1 : 5000));
    assert_int_equal(concurrency.limit, MOST);
    concurrency_failed(&concurrency, 100000, 100001);
    for (int i = 0; i < 10 * MOST; i++) /* nor raised */
        concurrency_succeeded(&concurrency, KIND, MOST / 4 - 1, 200000 + i, 200001 + i);
    assert_int_equal(concurrency.limit, MOST / 2);
}

static void a_kind_of_call_that_takes_longer_is_no_queue(void **state)
{
    (void)state;
    struct concurrency concurrency;
    concurrency_init(&concurrency, MOST);
    for (int i = 0; i < 10 * MOST; i++) {
        concurrency_succeeded(&concurrency, KIND, MOST, i, i + 50);
        concurrency_succeeded(&concurrency, DIRECTORY_RESTORE, MOST, i, i + 900);
    }
    for (int i = 0; i < 10 * MOST; i++) /* restores alone */
        concurrency_succeeded(&concurrency, DIRECTORY_RESTORE, MOST, 10000 + i, 10900 + i);
    assert_int_equal(concurrency.limit, MOST);
}

static void a_loop_that_stalls_now_and_then_is_no_queue(void **state)
{
    (void)state;
    struct concurrency concurrency;
    concurrency_init(&concurrency, MOST);
    for (int i = 0; i < 100 * MOST; i++)
        concurrency_succeeded(&concurrency, KIND, MOST, i, i + (i % MOST == 3 ? 20 : 900));
    assert_int_equal(concurrency.limit, MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_that_answers_all_equally_fast_is_never_held_back),
        cmocka_unit_test(the_limit_settles_where_the_directory_has_no_long_queue),
        cmocka_unit_test(a_directory_that_refuses_what_it_cannot_take_is_kept_busy),
        cmocka_unit_test(capacity_that_went_and_came_back_is_used_again),
        cmocka_unit_test(a_directory_that_became_slower_for_good_is_not_held_back_for_good),
        cmocka_unit_test(one_congestion_decreases_once),
        cmocka_unit_test(a_dead_directory_is_still_asked_by_a_few),
        cmocka_unit_test(a_limit_that_is_not_used_is_not_judged_by_the_time_of_replies),
        cmocka_unit_test(a_kind_of_call_that_takes_longer_is_no_queue),
        cmocka_unit_test(a_loop_that_stalls_now_and_then_is_no_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

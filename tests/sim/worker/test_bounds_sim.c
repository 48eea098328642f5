/* What the worker does at its maxima, on its own code in virtual time: it takes no more, goes on
 * when there is room, and nothing is lost (tests/BOUNDS.md). */
#include "producers/batch.h"
#include "tests/sim/worker/played.h"
#include "tests/sim/worker/world.h"
#include "worker/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SOON_MS = 5 * SECOND_MS, LONG_MS = 2 * HOUR_MS };

static const struct worker *start(struct world *world)
{
    world_start(world, 0);
    world_assign(world, 0);
    return &world->workers[0]->worker;
}

static void check_nothing_is_lost(struct world *world)
{
    assert_true(world_run(world, world->now_ms + LONG_MS));
    const char *verdict = world_verdict(world);
    if (verdict != NULL)
        fail_msg("%s", verdict);
    world_free(world);
}

/* All but the first of a user stand behind another, and so do not count as asking. */
static void no_more_than_4096_jobs_are_taken_until_some_end(void **state)
{
    (void)state;
    enum { USERS = 40, RECORDS = 4300 };
    struct world *world = world_new(WORLD_PARTITIONS_MAX, USERS);
    for (int user = 0; user < USERS; user++)
        world->users[user].call_ms = 2 * SOON_MS;
    for (int i = 0; i < RECORDS; i++)
        world_request(world, i % USERS);
    const struct worker *worker = start(world);
    assert_false(world_run(world, WORLD_START_MS + SOON_MS));
    assert_int_equal(worker->n_slots, SLOTS_MAX);

    for (int user = 0; user < USERS; user++)
        world->users[user].call_ms = 0;
    int most = 0;
    while (worker->n_slots > 1 && world_step(world))
        most = worker->n_slots > most ? worker->n_slots : most;
    assert_int_equal(most, SLOTS_MAX);
    check_nothing_is_lost(world);
}

static void a_full_ledger_of_dead_letters_stops_the_taking_until_they_are_committed(void **state)
{
    (void)state;
    enum { RECORDS = 2500 };
    struct world *world = world_new(1, 0);
    for (int i = 0; i < RECORDS; i++)
        world_garbage(world, 0);
    size_t letter_bytes = sizeof world->records[0].value + 2 * sizeof(struct record);
    world->commit_ms = 2 * SOON_MS;
    const struct worker *worker = start(world);
    assert_false(world_run(world, WORLD_START_MS + SOON_MS));
    assert_in_range(worker->held_bytes, BATCH_BYTES_MAX, BATCH_BYTES_MAX + letter_bytes);
    assert_in_range(worker->n_slots, 1, RECORDS - 1);

    size_t most = 0;
    world->commit_ms = COMMIT_MS;
    while (worker->n_slots > 1 && world_step(world))
        most = worker->held_bytes > most ? worker->held_bytes : most;
    assert_in_range(most, 1, BATCH_BYTES_MAX + letter_bytes);
    check_nothing_is_lost(world);
}

/* A producer that sends everything again: each repeat holds what the journal has of it. */
static void repeats_are_taken_only_as_fast_as_the_journal_is_read(void **state)
{
    (void)state;
    enum { USERS = 600, BUSY_MAX = 2 * 1 + 128 }; /* intake's JOBS_AHEAD */
    struct world *world = world_new(WORLD_PARTITIONS_MAX, USERS);
    for (int user = 0; user < USERS; user++)
        world_request(world, user);
    const struct worker *worker = start(world);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));

    int most = 0;
    worker->settings->directory.max_in_flight = 1;
    for (int i = 0; i < USERS; i++)
        world_repeat(world, i);
    world_assign(world, 0); /* a played consumer looks for records when it gets its partitions */
    while (!world->records[2 * USERS - 1].outcomes && world_step(world))
        most = worker->n_fetching > most ? worker->n_fetching : most;
    assert_int_equal(most, BUSY_MAX);
    for (int i = USERS; i < 2 * USERS; i++)
        assert_true(world->records[i].replayed || world->records[i].outcomes == 0);
    check_nothing_is_lost(world);
}

int main(void)
{
    log_set_level(LOG_EMERG); /* thousands of restores */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_4096_jobs_are_taken_until_some_end),
        cmocka_unit_test(a_full_ledger_of_dead_letters_stops_the_taking_until_they_are_committed),
        cmocka_unit_test(repeats_are_taken_only_as_fast_as_the_journal_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

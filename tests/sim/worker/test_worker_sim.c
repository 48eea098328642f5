/* Promises P1 to P3 and P8 on the worker's own code, in virtual time, with a kill, a revoke or a
 * freeze at every single event of a run. */
#include "tests/sim/worker/played.h"
#include "tests/sim/worker/world.h"
#include "worker/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SMALL_PARTITIONS = 2,
    SMALL_USERS = 4,
    LONG_MS = 2 * HOUR_MS,
    EVENTS_MAX = 400, /* a small run takes fewer */
    FREEZE_MS = 20 * SECOND_MS,
};

static struct world *small_world(void)
{
    struct world *world = world_new(SMALL_PARTITIONS, SMALL_USERS);
    for (int user = 0; user < SMALL_USERS; user++)
        world_request(world, user);
    world_request(world, 0); /* again, under another id: it must find him active */
    world_repeat(world, 1);
    world_question(world, 2, MODE_PLAN);
    world_question(world, 3, MODE_LIST);
    world_repeat(world, SMALL_USERS + 3);
    world_start(world, 0);
    world_assign(world, 0);
    return world;
}

static void finish_well(struct world *world, const char *what, long event)
{
    (void)world_run(world, world->now_ms + LONG_MS);
    const char *verdict = world_verdict(world);
    if (verdict != NULL)
        fail_msg("%s at event %ld: %s", what, event, verdict);
    world_free(world);
}

static void everybody_is_restored_and_told_the_password_that_works(void **state)
{
    (void)state;
    struct world *world = small_world();
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    for (int i = 0; i < SMALL_USERS; i++) {
        assert_int_equal(world->records[i].reason, REASON_RESTORED);
        assert_string_not_equal(world->records[i].told_password, "");
    }
    assert_int_equal(world->records[SMALL_USERS].reason, REASON_ALREADY_ACTIVE);
    assert_true(world->records[SMALL_USERS + 1].replayed);
    assert_int_equal(world->records[SMALL_USERS + 3].reason, REASON_LISTED);
    assert_true(world->records[SMALL_USERS + 4].replayed);
    finish_well(world, "no fault", 0);
}

static int64_t *run_thousand(int64_t slow_call_ms)
{
    int64_t *finished_at_ms = calloc(WORLD_USERS_MAX, sizeof *finished_at_ms);
    struct world *world = world_new(WORLD_PARTITIONS_MAX, WORLD_USERS_MAX);
    world->users[0].call_ms = slow_call_ms;
    for (int user = 0; user < WORLD_USERS_MAX; user++)
        world_request(world, user);
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    for (int i = 0; i < WORLD_USERS_MAX; i++)
        finished_at_ms[i] = world->records[i].finished_at_ms;
    finish_well(world, "no fault", 0);
    return finished_at_ms;
}

/* P3, to the millisecond. */
static void a_slow_user_delays_nobody(void **state)
{
    (void)state;
    int64_t *quick = run_thousand(0);
    int64_t *slow = run_thousand(10 * SECOND_MS);
    assert_true(slow[0] >= quick[0] + 10 * SECOND_MS);
    for (int i = 1; i < WORLD_USERS_MAX; i++)
        assert_true(slow[i] <= quick[i]);
    free(quick);
    free(slow);
}

/* Also those who announce theirs at the same time, between one's commit and the other's. */
static void no_more_are_restored_within_an_hour_than_the_limit(void **state)
{
    (void)state;
    enum { USERS = 100, LIMIT = 10 };
    int n_restored = 0, left_out = 0;
    struct world *world = world_new(WORLD_PARTITIONS_MAX, USERS);
    for (int user = 0; user < USERS; user++)
        world_request(world, user);
    world->restores_per_hour = LIMIT;
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + MINUTE_MS));
    for (int i = 0; i < USERS; i++) {
        n_restored += world->users[i].restores;
        left_out = world->users[i].active ? left_out : i;
        assert_int_equal(world->records[i].reason,
                         world->users[i].active ? REASON_RESTORED : REASON_OVER_LIMIT);
    }
    assert_int_equal(n_restored, LIMIT);

    world->now_ms += HOUR_MS + RESTORE_BUCKET_MS;
    world_request(world, left_out);
    world_assign(world, 0); /* a played consumer looks for records when it gets its partitions */
    assert_true(world_run(world, world->now_ms + MINUTE_MS));
    assert_int_equal(world->records[USERS].reason, REASON_RESTORED);
    finish_well(world, "an hour later", 0);
}

/* Runs up to `event` and kills; false when the run was over before. */
static bool run_and_kill(struct world *world, long event)
{
    if (!world_run_to_event(world, event))
        return false;
    world_kill(world, 0);
    return true;
}

static void a_kill_at_any_event_loses_and_doubles_nothing(void **state)
{
    (void)state;
    long event = 0;
    for (bool more = true; more && event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        more = run_and_kill(world, event);
        if (more) {
            world_start(world, 0);
            world_assign(world, 0);
        }
        finish_well(world, "kill", event);
    }
    assert_in_range(event, 30, EVENTS_MAX - 1);
}

static void a_kill_of_the_second_incarnation_is_no_different(void **state)
{
    (void)state;
    for (long event = 0; event < 60; event += 3) {
        for (long again = 1; again < 40; again += 2) {
            struct world *world = small_world();
            (void)run_and_kill(world, event);
            if (world->workers[0] == NULL)
                world_start(world, 0);
            world_assign(world, 0);
            (void)run_and_kill(world, world->n_events + again);
            if (world->workers[0] == NULL)
                world_start(world, 0);
            world_assign(world, 0);
            finish_well(world, "second kill", event * 1000 + again);
        }
    }
}

static void a_revoke_at_any_event_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (long event = 1; event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world->users[1].call_ms = 9 * SECOND_MS; /* a call that outlasts the revoke */
        world_start(world, 1);
        bool more = world_run_to_event(world, event);
        world_assign(world, 1);
        finish_well(world, "revoke", event);
        if (!more)
            return;
    }
    fail_msg("the run never ended");
}

static void partitions_that_come_back_wait_for_the_call_that_is_still_open(void **state)
{
    (void)state;
    for (long event = 1; event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world->users[1].call_ms = 9 * SECOND_MS;
        bool more = world_run_to_event(world, event);
        world_assign(world, 0);
        finish_well(world, "revoke and back", event);
        if (!more)
            return;
    }
    fail_msg("the run never ended");
}

/* Freezes the owner at this event; another takes over; it wakes 20 s later. */
static struct world *freeze_world(long event, struct world_controls controls, bool *ret_more)
{
    struct world *world = small_world();
    world->controls = controls;
    world_start(world, 1);
    *ret_more = world_run_to_event(world, event);
    world_freeze(world, 0, true);
    world_evict(world, 1);
    int64_t wakes_at_ms = world->now_ms + FREEZE_MS;
    while (world->now_ms < wakes_at_ms && world_step(world))
        continue;
    if (world->now_ms < wakes_at_ms)
        world->now_ms = wakes_at_ms;
    world_freeze(world, 0, false);
    world_catch_up(world); /* before it learns from the group what it is no longer */
    played_consumer_revoke(world->workers[0], true);
    (void)world_run(world, world->now_ms + LONG_MS);
    return world;
}

static void a_worker_frozen_at_any_event_does_no_harm_when_it_wakes(void **state)
{
    (void)state;
    for (long event = 1; event < EVENTS_MAX; event++) {
        bool more;
        struct world *world = freeze_world(event, (struct world_controls){0}, &more);
        finish_well(world, "freeze", event);
        if (!more)
            return;
    }
    fail_msg("the run never ended");
}

/* ---- negative controls: each protection is needed ------------------------------------------- */

static int count_bad_freezes(struct world_controls controls)
{
    int bad = 0;
    bool more = true;
    for (long event = 1; more && event < EVENTS_MAX; event++) {
        struct world *world = freeze_world(event, controls, &more);
        bad += world_verdict(world) != NULL;
        world_free(world);
    }
    return bad;
}

static void without_fencing_by_generation_outcomes_are_doubled(void **state)
{
    (void)state;
    assert_true(count_bad_freezes((struct world_controls){.accept_old_generation = true}) > 0);
}

static void without_proof_a_worker_that_wakes_changes_what_another_finished(void **state)
{
    (void)state;
    assert_true(count_bad_freezes((struct world_controls){.ignore_proof = true}) > 0);
}

static void without_done_records_a_kill_doubles_outcomes(void **state)
{
    (void)state;
    int bad = 0;
    for (long event = 1; event < 60; event++) {
        struct world *world = small_world();
        world->users[1].call_ms = 9 * SECOND_MS; /* holds the committed offset back */
        world->controls.ignore_done_records = true;
        if (run_and_kill(world, event)) {
            world_start(world, 0);
            world_assign(world, 0);
        }
        (void)world_run(world, world->now_ms + LONG_MS);
        bad += world_verdict(world) != NULL;
        world_free(world);
    }
    assert_true(bad > 0);
}

static void without_settling_a_kill_lets_an_old_call_replace_the_told_password(void **state)
{
    (void)state;
    int bad = 0;
    bool more = true;
    for (long event = 1; more && event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world->users[1].call_ms = 6 * SECOND_MS;
        world->controls.ignore_settling = true;
        more = run_and_kill(world, event);
        if (more) {
            world->users[1].call_ms = 0; /* the next incarnation's calls overtake the old one's */
            world_start(world, 0);
            world_assign(world, 0);
        }
        (void)world_run(world, world->now_ms + LONG_MS);
        bad += world_verdict(world) != NULL;
        world_free(world);
    }
    assert_true(bad > 0);
}

int main(void)
{
    log_set_level(LOG_EMERG); /* thousands of restores */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_are_restored_within_an_hour_than_the_limit),
        cmocka_unit_test(everybody_is_restored_and_told_the_password_that_works),
        cmocka_unit_test(a_slow_user_delays_nobody),
        cmocka_unit_test(a_kill_at_any_event_loses_and_doubles_nothing),
        cmocka_unit_test(a_kill_of_the_second_incarnation_is_no_different),
        cmocka_unit_test(a_revoke_at_any_event_loses_and_doubles_nothing),
        cmocka_unit_test(partitions_that_come_back_wait_for_the_call_that_is_still_open),
        cmocka_unit_test(a_worker_frozen_at_any_event_does_no_harm_when_it_wakes),
        cmocka_unit_test(without_fencing_by_generation_outcomes_are_doubled),
        cmocka_unit_test(without_proof_a_worker_that_wakes_changes_what_another_finished),
        cmocka_unit_test(without_settling_a_kill_lets_an_old_call_replace_the_told_password),
        cmocka_unit_test(without_done_records_a_kill_doubles_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

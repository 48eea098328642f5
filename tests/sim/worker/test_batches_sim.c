/* A record with `users` on the worker's own code, in virtual time: one outcome an item, one summary
 * behind them all, whatever happens at whatever event. */
#include "tests/sim/worker/played.h"
#include "tests/sim/worker/world.h"
#include "worker/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    USERS = 8,
    LONG_MS = 2 * HOUR_MS,
    EVENTS_MAX = 600, /* a small run takes fewer */
    FREEZE_MS = 20 * SECOND_MS,
    SLOW_MS = 9 * SECOND_MS, /* a call that outlasts a revoke */
};

/* What the records of the small world are. */
enum { BATCH, SINGLE, REPEAT, OTHER_PARTITION };
enum { BY_ID = 1, BY_NAME = 3 }; /* the two items of one user */

static struct world *small_world(void)
{
    static const int users[] = {0, 1, 2, ~1, 3, 4};
    struct world *world = world_new(2, USERS);
    world_batch(world, 0, users, sizeof users / sizeof *users);
    world_request(world, 0); /* who is also in the batch, under his own key */
    world_repeat(world, BATCH);
    world_request(world, 5);
    world_start(world, 0);
    world_assign(world, 0);
    return world;
}

static int count(const struct world_record *record, enum reason reason)
{
    int n = 0;
    for (int i = 0; i < record->n_items; i++)
        n += record->items[i].reason == reason;
    return n;
}

static void finish_well(struct world *world, const char *what, long event)
{
    (void)world_run(world, world->now_ms + LONG_MS);
    const char *verdict = world_verdict(world);
    if (verdict != NULL)
        fail_msg("%s at event %ld: %s", what, event, verdict);
    const struct world_record *batch = &world->records[BATCH];
    if (count(batch, REASON_RESTORED) != batch->n_items - 1 ||
        count(batch, REASON_DUPLICATE_USER) != 1)
        fail_msg("%s at event %ld: %d restored", what, event, count(batch, REASON_RESTORED));
    assert_int_equal(world->records[SINGLE].reason, REASON_ALREADY_ACTIVE);
    assert_true(world->records[REPEAT].replayed);
    for (int p = 0; p < world->n_partitions; p++)
        assert_int_equal(world->committed[p], world->end[p]);
    world_free(world);
}

static void every_user_has_an_outcome_and_the_batch_its_summary(void **state)
{
    (void)state;
    struct world *world = small_world();
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    const struct world_record *batch = &world->records[BATCH];
    assert_int_equal(batch->n_succeeded, batch->n_items - 1);
    assert_int_equal(batch->items[BY_NAME].reason, REASON_DUPLICATE_USER);
    for (int i = 0; i < batch->n_items; i++) {
        assert_int_equal(batch->items[i].told_password[0] != '\0', i != BY_NAME);
        assert_true(world->records[REPEAT].items[i].replayed);
    }
    finish_well(world, "no fault", 0);
}

static void at_most_sixteen_users_of_a_batch_are_at_work(void **state)
{
    (void)state;
    int users[100];
    struct world *world = world_new(1, 100);
    for (int user = 0; user < 100; user++)
        users[user] = user;
    world_batch(world, 0, users, 100);
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    assert_null(world_verdict(world));
    assert_int_equal(world->n_calls_most, BATCH_RUNNING);
    assert_int_equal(count(&world->records[0], REASON_RESTORED), 100);
    world_free(world);
}

/* A user's lane opens with his outcome, the record's key with the summary. */
static void a_batch_keeps_its_key_until_the_summary_and_a_user_until_his_outcome(void **state)
{
    (void)state;
    static const int users[] = {0, 1};
    struct world *world = world_new(1, 3);
    world->users[1].call_ms = SLOW_MS;
    world_batch(world, 0, users, 2);
    world_request(world, 0);
    world_request(world, 2);
    memcpy(world->records[2].key, world->records[0].key, sizeof world->records[0].key);
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    assert_null(world_verdict(world));
    assert_true(world->records[1].finished_at_ms < world->records[0].finished_at_ms);
    assert_true(world->records[2].finished_at_ms > world->records[0].finished_at_ms);
    assert_int_equal(world->records[1].reason, REASON_ALREADY_ACTIVE);
    world_free(world);
}

/* The later record must not overtake the batch on a user who is still far back in it. */
static void a_later_record_of_a_user_waits_for_his_turn_in_the_batch(void **state)
{
    (void)state;
    int users[40];
    struct world *world = world_new(1, 40);
    for (int user = 0; user < 40; user++)
        users[user] = user;
    world_batch(world, 0, users, 40);
    world_request(world, 39);
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    assert_null(world_verdict(world));
    assert_int_equal(world->records[0].items[39].reason, REASON_RESTORED);
    assert_int_equal(world->records[1].reason, REASON_ALREADY_ACTIVE);
    world_free(world);
}

/* Whoever writes a request can compute what it is called in the journal. */
static void an_item_named_like_the_batchs_own_identity_does_not_wait_for_it(void **state)
{
    (void)state;
    static const int users[] = {0, 1};
    struct restore_request batch = {.envelope = {.source = "urn:restore-worker:plain", .id = "r0"}};
    struct world *world = world_new(1, 2);
    request_uuid(&batch, "journal", world->users[0].id);
    world_batch(world, 0, users, 2);
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    assert_null(world_verdict(world));
    assert_int_equal(world->records[0].items[0].reason, REASON_RESTORED);
    assert_int_equal(world->committed[0], world->end[0]);
    world_free(world);
}

/* Under another key the repeat does not wait for the batch, but for its identity. */
static void a_repeat_under_another_key_is_still_a_repeat(void **state)
{
    (void)state;
    static const int users[] = {0, 1, 2};
    struct world *world = world_new(1, 3);
    world->users[1].call_ms = SLOW_MS;
    world_batch(world, 0, users, 3);
    world_repeat(world, 0);
    (void)text_copy(world->records[1].key, sizeof world->records[1].key, "another");
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    assert_null(world_verdict(world));
    assert_true(world->records[1].replayed);
    for (int i = 0; i < 3; i++)
        assert_true(world->records[1].items[i].replayed);
    world_free(world);
}

/* Who only bears the name of somebody asked for is nobody's, and can be asked for by id. */
static void a_namesake_is_not_taken_from_who_means_him(void **state)
{
    (void)state;
    static const int users[] = {~1, 1};
    struct world *world = world_new(1, 2);
    world->users[1].active = true;
    world_batch(world, 0, users, 2);
    world_start(world, 0);
    world_assign(world, 0);
    assert_true(world_run(world, WORLD_START_MS + LONG_MS));
    assert_null(world_verdict(world));
    assert_int_equal(world->records[0].items[0].reason, REASON_NOT_FOUND);
    assert_int_equal(world->records[0].items[1].reason, REASON_ALREADY_ACTIVE);
    world_free(world);
}

/* The record is sent under the request id of the first. */
static void give_first_id(struct world *world, int record)
{
    static const char begin[] = "{\"requestId\":\"r";
    assert_memory_equal(world->records[record].value, begin, sizeof begin - 1);
    world->records[record].value[sizeof begin - 1] = '0';
}

static struct world *reuse_world(void)
{
    static const int first[] = {0, 2}, other[] = {4};
    struct world *world = world_new(2, USERS);
    world_batch(world, 0, first, 2);
    world_batch(world, 0, other, 1);
    give_first_id(world, 1);
    memcpy(world->records[1].key, world->records[0].key, sizeof world->records[0].key);
    world_start(world, 0);
    world_assign(world, 0);
    return world;
}

static struct world *item_reuse_world(void)
{
    static const int users[] = {0, 2, 4};
    struct world *world = world_new(2, USERS);
    world_request(world, 2);
    world_batch(world, 0, users, 3);
    give_first_id(world, 1);
    world_start(world, 0);
    world_assign(world, 0);
    return world;
}

/* Runs up to `event` and kills; false when the run was over before. */
static bool run_and_kill(struct world *world, long event)
{
    if (!world_run_to_event(world, event))
        return false;
    world_kill(world, 0);
    world_start(world, 0);
    world_assign(world, 0);
    return true;
}

static void another_batch_under_the_same_id_is_refused_as_a_whole(void **state)
{
    (void)state;
    bool more = true;
    for (long event = 1; more; event++) {
        struct world *world = reuse_world();
        more = run_and_kill(world, event);
        (void)world_run(world, world->now_ms + LONG_MS);
        assert_null(world_verdict(world));
        assert_int_equal(count(&world->records[0], REASON_RESTORED), 2);
        assert_int_equal(world->records[1].reason, REASON_REQUEST_ID_REUSED);
        assert_int_equal(world->records[1].items[0].outcomes, 0);
        assert_int_equal(world->users[4].restores, 0);
        world_free(world);
    }
}

static void an_item_whose_id_was_used_fails_alone(void **state)
{
    (void)state;
    bool more = true;
    for (long event = 1; more; event++) {
        struct world *world = item_reuse_world();
        more = run_and_kill(world, event);
        (void)world_run(world, world->now_ms + LONG_MS);
        assert_null(world_verdict(world));
        const struct world_record *batch = &world->records[1];
        assert_int_equal(batch->items[0].reason, REASON_RESTORED);
        assert_int_equal(batch->items[1].reason, REASON_REQUEST_ID_REUSED);
        assert_int_equal(batch->items[2].reason, REASON_RESTORED);
        assert_int_equal(batch->n_succeeded, 2);
        world_free(world);
    }
}

static void a_kill_at_any_event_loses_and_doubles_nothing(void **state)
{
    (void)state;
    bool more = true;
    long event = 1;
    for (; more; event++) {
        struct world *world = small_world();
        more = run_and_kill(world, event);
        finish_well(world, "kill", event);
    }
    assert_in_range(event, 60, EVENTS_MAX);
}

/* The last of 18 items is the first one's user, by a name that he bears again by then: only the
 * journal of the first incarnation tells that he is the first item's. */
static void a_duplicate_is_known_as_one_after_a_kill_at_any_event(void **state)
{
    (void)state;
    bool more = true;
    for (long event = 1; more; event++) {
        int users[18];
        struct world *world = world_new(1, 17);
        for (int user = 0; user < 17; user++)
            users[user] = user;
        users[17] = ~0;
        world_batch(world, 0, users, 18);
        world_start(world, 0);
        world_assign(world, 0);
        more = run_and_kill(world, event);
        (void)world_run(world, world->now_ms + LONG_MS);
        assert_null(world_verdict(world));
        assert_int_equal(count(&world->records[0], REASON_RESTORED), 17);
        assert_int_equal(count(&world->records[0], REASON_DUPLICATE_USER), 1);
        world_free(world);
    }
}

static void a_kill_of_the_second_incarnation_is_no_different(void **state)
{
    (void)state;
    for (long event = 1; event < 120; event += 5) {
        for (long again = 1; again < 80; again += 3) {
            struct world *world = small_world();
            (void)run_and_kill(world, event);
            (void)run_and_kill(world, world->n_events + again);
            finish_well(world, "second kill", event * 1000 + again);
        }
    }
}

/* With a user whose call outlasts the revoke; `next` takes over, or gets them back. */
static void revoke_everywhere(int next)
{
    for (long event = 1; event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world->users[1].call_ms = SLOW_MS;
        if (next != 0)
            world_start(world, next);
        bool more = world_run_to_event(world, event);
        world_assign(world, next);
        finish_well(world, "revoke", event);
        if (!more)
            return;
    }
    fail_msg("the run never ended");
}

static void a_revoke_at_any_event_loses_and_doubles_nothing(void **state)
{
    (void)state;
    revoke_everywhere(1);
}

static void partitions_that_come_back_wait_for_the_call_that_is_still_open(void **state)
{
    (void)state;
    revoke_everywhere(0);
}

static void partitions_lost_and_given_back_at_any_event_lose_nothing(void **state)
{
    (void)state;
    for (long event = 1; event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world->users[2].call_ms = SLOW_MS;
        bool more = world_run_to_event(world, event);
        played_consumer_revoke(world->workers[0], true);
        world_evict(world, 0);
        finish_well(world, "loss", event);
        if (!more)
            return;
    }
    fail_msg("the run never ended");
}

static void a_drain_at_any_event_loses_nothing(void **state)
{
    (void)state;
    for (long event = 1; event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world->users[1].call_ms = SECOND_MS;
        bool more = world_run_to_event(world, event);
        struct worker *worker = &world->workers[0]->worker;
        worker->terminations = 1;
        int64_t begun_at_ms = world->now_ms;
        winding_drain(worker);
        while (worker->phase != WORKER_STOPPED && world_step(world))
            continue;
        assert_int_equal(worker->phase, WORKER_STOPPED);
        assert_true(world->now_ms - begun_at_ms < 6 * SECOND_MS); /* his calls, and no more */
        world_kill(world, 0);
        world_start(world, 0);
        world_assign(world, 0);
        finish_well(world, "drain", event);
        if (!more)
            return;
    }
    fail_msg("the run never ended");
}

static void a_worker_frozen_at_any_event_does_no_harm_when_it_wakes(void **state)
{
    (void)state;
    bool more = true;
    for (long event = 1; more && event < EVENTS_MAX; event++) {
        struct world *world = small_world();
        world_start(world, 1);
        more = world_run_to_event(world, event);
        world_freeze(world, 0, true);
        world_evict(world, 1);
        int64_t wakes_at_ms = world->now_ms + FREEZE_MS;
        while (world->now_ms < wakes_at_ms && world_step(world))
            continue;
        if (world->now_ms < wakes_at_ms)
            world->now_ms = wakes_at_ms;
        world_freeze(world, 0, false);
        world_catch_up(world);
        played_consumer_revoke(world->workers[0], true);
        finish_well(world, "freeze", event);
    }
}

/* ---- negative controls ----------------------------------------------------------------------- */

static void without_the_look_up_of_done_records_a_kill_doubles_users(void **state)
{
    (void)state;
    int doubled = 0;
    for (long event = 1; event < 200; event++) {
        struct world *world = small_world();
        world->users[4].call_ms = SLOW_MS;
        world->controls.ignore_done_records = true;
        (void)run_and_kill(world, event);
        (void)world_run(world, world->now_ms + LONG_MS);
        for (int i = 0; i < world->records[BATCH].n_items; i++)
            doubled += world->records[BATCH].items[i].outcomes > 1;
        world_free(world);
    }
    assert_true(doubled > 0);
}

int main(void)
{
    log_set_level(LOG_EMERG);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_user_has_an_outcome_and_the_batch_its_summary),
        cmocka_unit_test(at_most_sixteen_users_of_a_batch_are_at_work),
        cmocka_unit_test(a_batch_keeps_its_key_until_the_summary_and_a_user_until_his_outcome),
        cmocka_unit_test(a_later_record_of_a_user_waits_for_his_turn_in_the_batch),
        cmocka_unit_test(an_item_named_like_the_batchs_own_identity_does_not_wait_for_it),
        cmocka_unit_test(a_repeat_under_another_key_is_still_a_repeat),
        cmocka_unit_test(a_namesake_is_not_taken_from_who_means_him),
        cmocka_unit_test(another_batch_under_the_same_id_is_refused_as_a_whole),
        cmocka_unit_test(an_item_whose_id_was_used_fails_alone),
        cmocka_unit_test(a_kill_at_any_event_loses_and_doubles_nothing),
        cmocka_unit_test(a_duplicate_is_known_as_one_after_a_kill_at_any_event),
        cmocka_unit_test(a_kill_of_the_second_incarnation_is_no_different),
        cmocka_unit_test(a_revoke_at_any_event_loses_and_doubles_nothing),
        cmocka_unit_test(partitions_that_come_back_wait_for_the_call_that_is_still_open),
        cmocka_unit_test(partitions_lost_and_given_back_at_any_event_lose_nothing),
        cmocka_unit_test(a_drain_at_any_event_loses_nothing),
        cmocka_unit_test(a_worker_frozen_at_any_event_does_no_harm_when_it_wakes),
        cmocka_unit_test(without_the_look_up_of_done_records_a_kill_doubles_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

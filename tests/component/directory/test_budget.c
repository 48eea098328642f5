/* What a tenant is asked for at most: its budget, and as many calls at a time as it takes. */
#include "tests/component/directory/fixture.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void answer_all(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
}

static void set_budget(struct fixture *fixture, int units_per_10s, int writes_per_150s)
{
    fixture->settings.tenants[0].resource_units_per_10s = units_per_10s;
    fixture->settings.tenants[0].writes_per_150s = writes_per_150s;
}

static bool some_writes_are_left(void *context)
{
    struct fixture *fixture = context;
    return directory_tenant_state(fixture->directory, 0).writes_left > 0;
}

/* ---- the budget ------------------------------------------------------------------------------ */

static void a_call_waits_until_there_is_a_share(void **state)
{
    struct fixture *fixture = *state;
    static struct asking expired, served;
    fixture_start(fixture, answer_all);
    directory_set_share(fixture->directory, 0, 12);
    ask(&expired, fixture, DIRECTORY_USER_BY_ID);
    check_status(&expired, DIRECTORY_BUSY, 0);
    assert_int_equal(fixture->n_graph, 0);

    asking_init(&served, fixture, DIRECTORY_USER_BY_ID);
    asking_begin(&served);
    assert_int_equal(loop_turn(fixture->loop), 0);
    directory_set_share(fixture->directory, 1, 12);
    asking_wait(&served);
    check_status(&served, DIRECTORY_YES, 200);
}

static void without_the_budget_a_call_needs_no_share(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    without_guards("budget");
    fixture_start(fixture, answer_all);
    directory_set_share(fixture->directory, 0, 12);
    ask(&asking, fixture, DIRECTORY_USER_BY_ID);
    check_status(&asking, DIRECTORY_YES, 200);
}

/* A unit each 111 ms. */
static void calls_leave_no_faster_than_their_units_come(void **state)
{
    struct fixture *fixture = *state;
    enum { CALLS = 8 };
    static struct asking askings[CALLS];
    fixture->settings.request_timeout_ms = 20000;
    set_budget(fixture, 100, 10000000);
    fixture_start(fixture, answer_all);
    int64_t begin_mono_ms = loop_now(fixture->loop)->mono_ms;
    for (int i = 0; i < CALLS; i++) {
        asking_init(&askings[i], fixture, DIRECTORY_USER_BY_ID);
        askings[i].question.with_roles = i % 2 == 0; /* two units */
        asking_begin(&askings[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        asking_wait(&askings[i]);
        check_status(&askings[i], DIRECTORY_YES, 200);
    }
    assert_true(loop_read_mono_ms() - begin_mono_ms >= CALLS / 2 * 3 * 111);
    assert_int_equal(fixture->n_graph, CALLS);
}

/* A write each 16.7 s, and a proof lasts 5 s. */
static void a_change_whose_turn_comes_too_late_is_told_when_to_come(void **state)
{
    struct fixture *fixture = *state;
    static struct asking changes[3], read;
    set_budget(fixture, 10000000, 10);
    fixture_start(fixture, answer_all);
    for (int i = 0; i < 3; i++) {
        asking_init(&changes[i], fixture, DIRECTORY_RESTORE);
        if (i == 2) /* as long as it is not its turn nothing has to be proven */
            changes[i].call.proven_until_mono_ms = loop_read_mono_ms() - 1;
        asking_begin(&changes[i]);
        asking_wait(&changes[i]);
        check_status(&changes[i], DIRECTORY_BUSY, 0);
        int64_t turn_mono_ms = loop_now(fixture->loop)->mono_ms + changes[i].answer.retry_after_ms;
        assert_int_equal(changes[i].call.turn_at_mono_ms, turn_mono_ms);
        if (i > 0)
            assert_in_range(turn_mono_ms - changes[i - 1].call.turn_at_mono_ms, 16660, 16680);
    }
    ask(&read, fixture, DIRECTORY_USER_BY_ID); /* is none of theirs */
    check_status(&read, DIRECTORY_YES, 200);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 0);
}

static void without_the_budget_a_change_leaves_at_once(void **state)
{
    struct fixture *fixture = *state;
    static struct asking change;
    without_guards("budget");
    set_budget(fixture, 10000000, 10);
    fixture_start(fixture, answer_all);
    ask(&change, fixture, DIRECTORY_RESTORE);
    check_status(&change, DIRECTORY_YES, 200);
}

/* Six writes a second: the first stand in line, the others are promised a turn. */
static void whoever_has_begun_goes_before_whoever_has_been_promised_a_turn(void **state)
{
    struct fixture *fixture = *state;
    enum { RESTORES = 40 };
    static struct asking restores[RESTORES], password;
    fixture->settings.request_timeout_ms = 20000;
    set_budget(fixture, 10000000, 1000);
    fixture_start(fixture, answer_all);
    for (int i = 0; i < RESTORES; i++) {
        asking_init(&restores[i], fixture, DIRECTORY_RESTORE);
        asking_begin(&restores[i]);
    }
    asking_wait(&restores[RESTORES - 1]);
    check_status(&restores[RESTORES - 1], DIRECTORY_BUSY, 0);
    asking_wait(&restores[0]);
    check_status(&restores[0], DIRECTORY_YES, 200);
    assert_true(restores[0].call.has_changed);
    asking_init(&password, fixture, DIRECTORY_SET_PASSWORD);
    password.call.has_changed = true;
    asking_begin(&password);
    asking_wait(&password);
    check_status(&password, DIRECTORY_YES, 200);
}

static void what_is_left_of_the_budget_is_told(void **state)
{
    struct fixture *fixture = *state;
    static struct asking change;
    set_budget(fixture, 8000, 10000000);
    fixture_start(fixture, answer_all);
    ask(&change, fixture, DIRECTORY_RESTORE);
    directory_set_share(fixture->directory, 0, 12);
    struct directory_tenant_state told = directory_tenant_state(fixture->directory, 0);
    assert_int_equal(told.units_left, 0);
    assert_int_equal(told.writes_left, 0);
    directory_set_share(fixture->directory, 1, 1);
    fixture_turn_until(fixture, some_writes_are_left, fixture);
    told = directory_tenant_state(fixture->directory, 0);
    assert_in_range(told.writes_left, 1, 1000000);
    assert_in_range(told.units_left, 0, 800);
    assert_int_equal(told.concurrency_limit, fixture->settings.max_in_flight);
}

static void answer_slowly(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
    reply->delay_ms = 1500;
}

static bool one_is_on_the_wire(void *context)
{
    struct fixture *fixture = context;
    return directory_in_flight(fixture->directory) > 0;
}

/* UNPROVEN would have its intent committed again at once, however long the line is. */
static void a_change_whose_proof_runs_out_in_the_line_is_put_off(void **state)
{
    struct fixture *fixture = *state;
    static struct asking read, change;
    fixture->settings.max_in_flight = 1;
    fixture->settings.request_timeout_ms = 20000;
    fixture_start(fixture, answer_slowly);
    asking_init(&read, fixture, DIRECTORY_USER_BY_ID);
    asking_begin(&read);
    fixture_turn_until(fixture, one_is_on_the_wire, fixture);
    asking_init(&change, fixture, DIRECTORY_RESTORE);
    change.call.proven_until_mono_ms = loop_read_mono_ms() + 500;
    asking_begin(&change);
    asking_wait(&change);
    check_status(&change, DIRECTORY_BUSY, 0);
    assert_int_equal(read.n_answers, 1);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 0);
}

/* ---- calls at a time ------------------------------------------------------------------------- */

enum { SLOTS = 64 };

/* The first of them; then it answers nobody. */
static void be_full(void *context, const struct scripted_request *request,
                    struct scripted_reply *reply)
{
    (void)context;
    reply->status = 429;
    if (request->number >= SLOTS)
        reply->end = SCRIPTED_SILENCE;
}

static int in_flight_after_429(struct fixture *fixture)
{
    static struct asking refused[SLOTS], next[SLOTS];
    fixture->settings.max_in_flight = SLOTS;
    fixture->settings.request_timeout_ms = 20000;
    fixture_start(fixture, be_full);
    for (int i = 0; i < SLOTS; i++) {
        asking_init(&refused[i], fixture, DIRECTORY_USER_BY_ID);
        asking_begin(&refused[i]);
    }
    for (int i = 0; i < SLOTS; i++) {
        asking_wait(&refused[i]);
        check_status(&refused[i], DIRECTORY_BUSY, 429);
    }
    assert_int_equal(directory_tenant_state(fixture->directory, 0).concurrency_limit, SLOTS / 2);
    for (int i = 0; i < SLOTS; i++) {
        asking_init(&next[i], fixture, DIRECTORY_USER_BY_ID);
        asking_begin(&next[i]);
    }
    assert_int_equal(loop_turn(fixture->loop), 0);
    return directory_in_flight(fixture->directory);
}

static void a_directory_that_is_full_is_asked_half_as_much(void **state)
{
    assert_int_equal(in_flight_after_429(*state), SLOTS / 2);
}

static void without_the_limit_a_full_directory_is_asked_as_much_as_before(void **state)
{
    without_guards("concurrency");
    assert_int_equal(in_flight_after_429(*state), SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_waits_until_there_is_a_share),
        TEST(without_the_budget_a_call_needs_no_share),
        TEST(calls_leave_no_faster_than_their_units_come),
        TEST(a_change_whose_turn_comes_too_late_is_told_when_to_come),
        TEST(without_the_budget_a_change_leaves_at_once),
        TEST(whoever_has_begun_goes_before_whoever_has_been_promised_a_turn),
        TEST(what_is_left_of_the_budget_is_told),
        TEST(a_change_whose_proof_runs_out_in_the_line_is_put_off),
        TEST(a_directory_that_is_full_is_asked_half_as_much),
        TEST(without_the_limit_a_full_directory_is_asked_as_much_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

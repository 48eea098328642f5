/* A tenant that is down: how its breaker opens, what is sent meanwhile, and how it closes. */
#include "tests/component/directory/fixture.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
#define PROBE_TARGET "/v1.0/directory/deletedItems/00000000-0000-0000-0000-000000000000/"

enum { CALLS = 12 };

static struct asking asked[CALLS];
static atomic_bool down;
static const char *down_headers;
static enum scripted_end down_end;
static int n_told;
static bool told_open;

static void on_breaker(void *context, int tenant, const char *why)
{
    (void)context;
    assert_int_equal(tenant, 0);
    assert_true(told_open == (why == NULL)); /* each change once */
    told_open = why != NULL;
    n_told++;
}

static int setup(void **state)
{
    n_told = 0;
    told_open = false;
    down = true;
    down_headers = NULL;
    down_end = SCRIPTED_KEEP;
    if (fixture_setup(state) != 0)
        return -1;
    ((struct fixture *)*state)->settings.on_breaker = on_breaker;
    return 0;
}

static void answer_unless_down(void *context, const struct scripted_request *request,
                               struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
    if (!down)
        return;
    reply->end = down_end;
    reply->status = 503;
    reply->headers = down_headers;
}

static enum breaker_state breaker(void *fixture)
{
    return directory_tenant_state(((struct fixture *)fixture)->directory, 0).breaker;
}

static bool is_open(void *fixture)
{
    return breaker(fixture) != BREAKER_CLOSED;
}

static bool is_closed(void *fixture)
{
    return !is_open(fixture);
}

static int n_probes(struct fixture *fixture)
{
    return scripted_server_count(fixture->server, "GET", PROBE_TARGET);
}

static bool has_probed_twice(void *fixture)
{
    return n_probes(fixture) >= 2;
}

static void fail_until_open(struct fixture *fixture)
{
    fixture_start(fixture, answer_unless_down);
    for (int i = 0; i < CALLS; i++)
        ask(&asked[i], fixture, i % 2 == 0 ? DIRECTORY_USER_BY_ID : DIRECTORY_RESTORE);
    assert_true(is_open(fixture));
    assert_true(directory_reaches_nobody(fixture->directory));
    assert_int_equal(n_told, 1);
}

static void what_comes_while_it_is_open_is_not_sent(void **state)
{
    struct fixture *fixture = *state;
    fail_until_open(fixture);
    assert_int_equal(fixture->n_graph - n_probes(fixture), BREAKER_FAILURES);
    for (int i = BREAKER_FAILURES; i < CALLS; i++) {
        check_status(&asked[i], DIRECTORY_BUSY, 0); /* the change too: certainly not done */
        assert_in_range(asked[i].answer.retry_after_ms, 1, 1000);
    }
    assert_int_equal(directory_in_flight(fixture->directory), 0);
}

static void without_the_breaker_everything_is_sent(void **state)
{
    struct fixture *fixture = *state;
    without_guards("breaker");
    fixture_start(fixture, answer_unless_down);
    for (int i = 0; i < CALLS; i++)
        ask(&asked[i], fixture, DIRECTORY_USER_BY_ID);
    assert_int_equal(fixture->n_graph, CALLS);
    assert_int_equal(n_told, 0);
}

static void a_probe_finds_out_and_calls_go_on(void **state)
{
    struct fixture *fixture = *state;
    fail_until_open(fixture);
    fixture_turn_until(fixture, has_probed_twice, fixture);
    assert_true(is_open(fixture));
    down = false;
    fixture_turn_until(fixture, is_closed, fixture);
    assert_int_equal(n_told, 2);
    ask(&asked[0], fixture, DIRECTORY_RESTORE);
    check_status(&asked[0], DIRECTORY_YES, 200);
    assert_int_equal(scripted_server_most_at_once(fixture->server), 1);
}

static void a_probe_never_undercuts_retry_after(void **state)
{
    struct fixture *fixture = *state;
    down_headers = "Retry-After: 3\r\nx-ms-throttle-scope: Tenant/ReadWrite/a/b\r\n";
    fixture_start(fixture, answer_unless_down);
    int64_t begun_at_mono_ms = loop_read_mono_ms();
    for (int i = 0; i < BREAKER_FAILURES; i++) { /* at once, before any of them is answered */
        asking_init(&asked[i], fixture, DIRECTORY_USER_BY_ID);
        asking_begin(&asked[i]);
    }
    fixture_turn_until(fixture, is_open, fixture);
    down = false;
    fixture_turn_until(fixture, is_closed, fixture);
    assert_true(loop_read_mono_ms() - begun_at_mono_ms >= 3000);
    assert_int_equal(n_probes(fixture), 1);
}

/* The calls are on the wire for a minute yet, and hold every slot. */
static void silence_opens_it_and_a_hung_probe_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    fixture->settings.request_timeout_ms = 60000;
    down_end = SCRIPTED_SILENCE;
    fixture_start(fixture, answer_unless_down);
    for (int i = 0; i < CALLS; i++) {
        asking_init(&asked[i], fixture, DIRECTORY_USER_BY_ID);
        asking_begin(&asked[i]);
    }
    fixture_turn_until(fixture, is_open, fixture);
    for (int i = 8; i < CALLS; i++) { /* those without a slot need not wait for one */
        asking_wait(&asked[i]);
        check_status(&asked[i], DIRECTORY_BUSY, 0);
    }
    fixture_turn_until(fixture, has_probed_twice, fixture);
    down = false;
    fixture_turn_until(fixture, is_closed, fixture);
    assert_int_equal(asked[0].n_answers, 0);
}

static atomic_bool login_is_down;

static void log_in_unless_down(void *context, const struct scripted_request *request,
                               struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = login_is_down ? 503 : 200;
    reply->body = "{\"expires_in\":3599,\"access_token\":\"abc\"}";
}

/* Nothing can leave without a token, whatever Graph does. */
static void a_login_that_stays_down_opens_it_and_a_token_closes_it(void **state)
{
    struct fixture *fixture = *state;
    down = false;
    login_is_down = true;
    fixture->login = log_in_unless_down;
    fixture_start(fixture, answer_unless_down);
    fixture_turn_until(fixture, is_open, fixture);
    ask(&asked[0], fixture, DIRECTORY_RESTORE);
    check_status(&asked[0], DIRECTORY_BUSY, 0);
    assert_int_equal(fixture->n_graph, 0);
    login_is_down = false;
    fixture_turn_until(fixture, is_closed, fixture);
    assert_int_equal(n_probes(fixture), 1);
    assert_int_equal(n_told, 2);
}

static void refuse_later(void *context, const struct scripted_request *request,
                         struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = login_is_down ? 503 : 401;
}

static void a_credential_that_is_refused_meanwhile_closes_it_and_is_told(void **state)
{
    struct fixture *fixture = *state;
    login_is_down = true;
    fixture->login = refuse_later;
    fixture_start(fixture, answer_unless_down);
    fixture_turn_until(fixture, is_open, fixture);
    login_is_down = false;
    fixture_turn_until(fixture, is_closed, fixture);
    ask(&asked[0], fixture, DIRECTORY_USER_BY_ID);
    check_status(&asked[0], DIRECTORY_DENIED, 0);
}

static void too_many_requests(void *context, const struct scripted_request *request,
                              struct scripted_reply *reply)
{
    (void)context;
    static const int statuses[] = {429, 400, 403, 404, 409, 423};
    reply->status = statuses[request->number % 6];
}

static void throttling_and_refusals_are_answers(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, too_many_requests);
    for (int i = 0; i < CALLS; i++)
        ask(&asked[i], fixture, DIRECTORY_USER_BY_ID);
    assert_int_equal(fixture->n_graph, CALLS);
    assert_int_equal(n_told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_while_it_is_open_is_not_sent),
        TEST(without_the_breaker_everything_is_sent),
        TEST(a_probe_finds_out_and_calls_go_on),
        TEST(a_probe_never_undercuts_retry_after),
        TEST(silence_opens_it_and_a_hung_probe_is_given_up),
        TEST(a_login_that_stays_down_opens_it_and_a_token_closes_it),
        TEST(a_credential_that_is_refused_meanwhile_closes_it_and_is_told),
        TEST(throttling_and_refusals_are_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

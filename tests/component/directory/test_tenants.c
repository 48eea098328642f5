/* Tenants side by side: one that does not answer keeps no other from its calls. */
#include "tests/component/directory/fixture.h"
#include "worker/directory/client.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

enum { SICK, WELL, CALLS = 12 };

/* The well tenant is the fixture's with another server behind it, which answers all. */
struct two {
    struct fixture *fixture;
    struct scripted_server *well;
    struct asking asked[2][CALLS];
};

static void answer_all(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    (void)context;
    bool token = strncmp(request->target, "/well.test/", 11) == 0;
    reply->body = token ? "{\"expires_in\":3599,\"access_token\":\"well\"}" : USER_BODY;
}

static void never_answer(void *context, const struct scripted_request *request,
                         struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->end = SCRIPTED_SILENCE;
}

static void on_any_token(void *context, int tenant, const char *error)
{
    (void)context, (void)tenant, (void)error;
}

static int setup(void **state)
{
    struct two *two = calloc(1, sizeof *two);
    if (fixture_setup(state) != 0)
        return -1;
    two->fixture = *state;
    two->well = scripted_server_new(answer_all, two);
    struct directory_settings *settings = &two->fixture->settings;
    struct tenant_settings *well = &settings->tenants[WELL];
    *well = settings->tenants[SICK];
    (void)snprintf(well->id, sizeof well->id, "well.test");
    (void)snprintf(well->graph_url, URL_BYTES, "%s", scripted_server_url(two->well));
    (void)snprintf(well->login_url, URL_BYTES, "%s", scripted_server_url(two->well));
    settings->n_tenants = 2;
    settings->on_token = on_any_token;
    settings->request_timeout_ms = 30000;
    *state = two;
    return 0;
}

static int teardown(void **state)
{
    struct two *two = *state;
    void *fixture = two->fixture;
    int rc = fixture_teardown(&fixture);
    scripted_server_free(two->well);
    free(two);
    return rc;
}

static void begin(struct two *two, int tenant, enum directory_operation operation)
{
    for (int i = 0; i < CALLS; i++) {
        asking_init(&two->asked[tenant][i], two->fixture, operation);
        two->asked[tenant][i].call.tenant = tenant;
        asking_begin(&two->asked[tenant][i]);
    }
}

static int answered(const struct two *two, int tenant)
{
    int n = 0;
    for (int i = 0; i < CALLS; i++)
        n += two->asked[tenant][i].n_answers;
    return n;
}

static bool well_is_answered(void *context)
{
    return answered(context, WELL) == CALLS;
}

static bool sick_has_its_slots(void *context)
{
    struct two *two = context;
    return scripted_server_count(two->fixture->server, "GET", "/v1.0/") == 6;
}

static enum breaker_state breaker(const struct two *two, int tenant)
{
    return directory_tenant_state(two->fixture->directory, tenant).breaker;
}

static bool sick_is_open(void *context)
{
    return breaker(context, SICK) != BREAKER_CLOSED;
}

/* 8 slots: 2 are each tenant's own, 4 are for whoever comes first. */
static void a_silent_directory_keeps_slots_from_nobody_else(void **state)
{
    struct two *two = *state;
    fixture_start(two->fixture, never_answer);
    begin(two, SICK, DIRECTORY_USER_BY_ID);
    fixture_turn_until(two->fixture, sick_has_its_slots, two);
    begin(two, WELL, DIRECTORY_RESTORE);
    fixture_turn_until(two->fixture, well_is_answered, two);
    for (int i = 0; i < CALLS; i++)
        check_status(&two->asked[WELL][i], DIRECTORY_YES, 200);
    assert_int_equal(answered(two, SICK), 0);
    assert_int_equal(directory_in_flight(two->fixture->directory), 6);
    assert_true(sick_has_its_slots(two));
    fixture_turn_until(two->fixture, sick_is_open, two); /* 5 s later */
    assert_int_equal(breaker(two, WELL), BREAKER_CLOSED);
    assert_false(directory_reaches_nobody(two->fixture->directory));
}

static void a_login_that_is_down_holds_no_slot_and_no_other_tenant(void **state)
{
    struct two *two = *state;
    two->fixture->login = never_answer;
    fixture_start(two->fixture, never_answer);
    begin(two, SICK, DIRECTORY_RESTORE);
    begin(two, WELL, DIRECTORY_RESTORE);
    fixture_turn_until(two->fixture, well_is_answered, two);
    assert_int_equal(answered(two, SICK), 0);
    assert_int_equal(directory_in_flight(two->fixture->directory), 0);
    fixture_turn_until(two->fixture, sick_is_open, two);
    for (int i = 0; i < CALLS; i++)
        asking_wait(&two->asked[SICK][i]);
    check_status(&two->asked[SICK][0], DIRECTORY_BUSY, 0);
    assert_int_equal(breaker(two, WELL), BREAKER_CLOSED);
}

static void throttle_for_a_minute(void *context, const struct scripted_request *request,
                                  struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = 429;
    reply->headers = "Retry-After: 60\r\nx-ms-throttle-scope: Tenant/ReadWrite/a/b\r\n";
}

static void a_throttled_tenant_closes_itself_alone(void **state)
{
    struct two *two = *state;
    fixture_start(two->fixture, throttle_for_a_minute);
    begin(two, SICK, DIRECTORY_USER_BY_ID);
    asking_wait(&two->asked[SICK][0]);
    check_status(&two->asked[SICK][0], DIRECTORY_BUSY, 429);
    begin(two, WELL, DIRECTORY_RESTORE);
    fixture_turn_until(two->fixture, well_is_answered, two);
    for (int i = 0; i < CALLS; i++)
        check_status(&two->asked[WELL][i], DIRECTORY_YES, 200);
    assert_int_equal(breaker(two, SICK), BREAKER_CLOSED); /* throttling is an answer */
}

static bool refused_all(void *context)
{
    return answered(context, SICK) == CALLS;
}

static void refuse_the_credential(void *context, const struct scripted_request *request,
                                  struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = 401;
}

static void a_refused_credential_denies_its_own_tenant_alone(void **state)
{
    struct two *two = *state;
    two->fixture->login = refuse_the_credential;
    fixture_start(two->fixture, never_answer);
    begin(two, SICK, DIRECTORY_USER_BY_ID);
    begin(two, WELL, DIRECTORY_USER_BY_ID);
    fixture_turn_until(two->fixture, refused_all, two);
    fixture_turn_until(two->fixture, well_is_answered, two);
    check_status(&two->asked[SICK][0], DIRECTORY_DENIED, 0);
    check_status(&two->asked[WELL][0], DIRECTORY_YES, 200);
}

static void disable_all(void *context, const struct scripted_request *request,
                        struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = "{\"id\":\"" USER_ID "\",\"accountEnabled\":false}";
}

static void a_requester_is_looked_up_in_each_tenant(void **state)
{
    struct two *two = *state;
    fixture_start(two->fixture, disable_all);
    for (int tenant = SICK; tenant <= WELL; tenant++) {
        struct asking *asking = &two->asked[tenant][0];
        asking_init(asking, two->fixture, DIRECTORY_REQUESTER);
        asking->call.tenant = tenant;
        asking_begin(asking);
        asking_wait(asking);
    }
    assert_false(two->asked[SICK][0].answer.requester.enabled);
    assert_int_equal(two->fixture->n_graph, 1);
    assert_int_equal(scripted_server_count(two->well, "GET", "/v1.0/users/"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_silent_directory_keeps_slots_from_nobody_else),
        TEST(a_login_that_is_down_holds_no_slot_and_no_other_tenant),
        TEST(a_throttled_tenant_closes_itself_alone),
        TEST(a_refused_credential_denies_its_own_tenant_alone),
        TEST(a_requester_is_looked_up_in_each_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who asks is looked up once a minute at most, and once for all who wait for it. */
#include "tests/component/directory/fixture.h"
#include "worker/directory/client.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"

enum { FOUND, DISABLED, GONE, THROTTLED, VANISHING };
static atomic_int mood;

static void answer_requester(void *context, const struct scripted_request *request,
                             struct scripted_reply *reply)
{
    (void)context;
    bool roles = strstr(request->target, "transitiveMemberOf") != NULL;
    reply->body = "{\"id\":\"" USER_ID "\",\"displayName\":\"Kari\",\"accountEnabled\":true,"
                  "\"userPrincipalName\":\"kari@contoso.com\"}";
    if (roles)
        reply->body = "{\"value\":[{\"roleTemplateId\":\"" GLOBAL_ADMINISTRATOR "\"}]}";
    if (mood == DISABLED)
        reply->body = "{\"id\":\"" USER_ID "\",\"accountEnabled\":false}";
    if (mood == THROTTLED)
        reply->status = 429;
    if (mood == GONE || (mood == VANISHING && roles))
        reply->status = 404;
}

static void check_requester(const struct asking *asking)
{
    const struct requester_facts *requester = &asking->answer.requester;
    assert_int_equal(asking->answer.status, DIRECTORY_YES);
    assert_true(requester->exists && requester->enabled);
    assert_string_equal(requester->id, USER_ID);
    assert_string_equal(requester->mail, "kari@contoso.com");
    assert_int_equal(requester->n_roles, 1);
    assert_string_equal(requester->role_template_ids[0], GLOBAL_ADMINISTRATOR);
}

static void concurrent_questions_share_one_look_up(void **state)
{
    struct fixture *fixture = *state;
    static struct asking askings[5];
    mood = FOUND;
    fixture_start(fixture, answer_requester);
    for (int i = 0; i < 5; i++) {
        asking_init(&askings[i], fixture, DIRECTORY_REQUESTER);
        asking_begin(&askings[i]);
    }
    assert_true(directory_abandon(fixture->directory, &askings[4].call));
    for (int i = 0; i < 4; i++) {
        asking_wait(&askings[i]);
        check_requester(&askings[i]);
    }
    assert_int_equal(fixture->n_graph, 2);
    ask(&askings[0], fixture, DIRECTORY_REQUESTER); /* known now */
    check_requester(&askings[0]);
    assert_int_equal(fixture->n_graph, 2);
    assert_int_equal(askings[4].n_answers, 0);
    for (int i = 1; i < 4; i++)
        assert_int_equal(askings[i].answer.requester_age_ms, 0);
}

static void the_first_who_asked_may_leave_and_the_others_are_answered(void **state)
{
    struct fixture *fixture = *state;
    static struct asking first, second;
    mood = FOUND;
    fixture_start(fixture, answer_requester);
    asking_init(&first, fixture, DIRECTORY_REQUESTER);
    asking_init(&second, fixture, DIRECTORY_REQUESTER);
    asking_begin(&first);
    asking_begin(&second);
    assert_int_equal(loop_turn(fixture->loop), 0);
    assert_true(directory_abandon(fixture->directory, &first.call));
    memset(&first, 0xff, sizeof first);
    asking_wait(&second);
    check_requester(&second);
}

static void a_name_is_asked_for_by_name_and_in_any_case(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    mood = FOUND;
    fixture_start(fixture, answer_requester);
    for (int i = 0; i < 2; i++) {
        asking_init(&asking, fixture, DIRECTORY_REQUESTER);
        asking.question.id[0] = '\0';
        (void)snprintf(asking.question.name, sizeof asking.question.name,
                       i == 0 ? "Kari@contoso.com" : "kari@CONTOSO.com");
        asking_begin(&asking);
        asking_wait(&asking);
        check_requester(&asking);
    }
    assert_int_equal(fixture->n_graph, 2);
    assert_int_equal(
        scripted_server_count(fixture->server, "GET", "/v1.0/users/Kari%40contoso.com?"), 1);
}

static void who_is_disabled_or_gone_is_known_as_such(void **state)
{
    struct fixture *fixture = *state;
    static const int moods[] = {DISABLED, GONE, VANISHING};
    static const int calls[] = {1, 1, 2};
    static struct asking asking;
    for (int i = 0; i < 3; i++) {
        mood = moods[i];
        fixture->n_graph = 0;
        fixture_start(fixture, answer_requester);
        for (int again = 0; again < 2; again++) {
            ask(&asking, fixture, DIRECTORY_REQUESTER);
            assert_int_equal(asking.answer.status,
                             mood == DISABLED ? DIRECTORY_YES : DIRECTORY_NOT_FOUND);
            assert_int_equal(asking.answer.requester.exists, mood == DISABLED);
            assert_false(asking.answer.requester.enabled && asking.answer.requester.exists);
            assert_int_equal(fixture->n_graph, calls[i]);
        }
        directory_free(fixture->directory);
        fixture->directory = NULL;
    }
}

/* The same id as object and as app: two requesters. */
static void an_app_is_one_call_and_nobody_elses_answer(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    mood = FOUND;
    fixture_start(fixture, answer_requester);
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    assert_int_equal(fixture->n_graph, 2);
    for (int i = 0; i < 2; i++) {
        ask(&asking, fixture, DIRECTORY_REQUESTER_APP);
        check_status(&asking, DIRECTORY_YES, 200);
        assert_true(asking.answer.requester.exists && asking.answer.requester.enabled);
        assert_string_equal(asking.answer.requester.display_name, "Kari");
        assert_int_equal(asking.answer.requester.n_roles, 0);
        assert_int_equal(fixture->n_graph, 3);
    }
    assert_int_equal(
        scripted_server_count(fixture->server, "GET", "/v1.0/servicePrincipals(appId=%27" USER_ID),
        1);
}

static void an_error_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    mood = THROTTLED;
    fixture_start(fixture, answer_requester);
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    check_status(&asking, DIRECTORY_BUSY, 429);
    mood = FOUND;
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    check_requester(&asking);
}

static void an_answer_says_how_long_ago_the_roles_were_read(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    mood = FOUND;
    fixture_start(fixture, answer_requester);
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    assert_int_equal(asking.answer.requester_age_ms, 0);
    fixture->directory->tenants[0].requesters.list[0]->begun_at_mono_ms -= 50 * SECOND_MS;
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    assert_int_equal(fixture->n_graph, 2);
    assert_true(asking.answer.requester_age_ms >= 50 * SECOND_MS);
    assert_true(asking.answer.requester_age_ms < REQUESTER_AGE_MAX_MS);
}

static void after_a_minute_the_roles_are_read_anew(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    mood = FOUND;
    fixture_start(fixture, answer_requester);
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    struct requester *known = fixture->directory->tenants[0].requesters.list[0];
    known->begun_at_mono_ms -= REQUESTER_AGE_MAX_MS;
    mood = GONE;
    ask(&asking, fixture, DIRECTORY_REQUESTER);
    check_status(&asking, DIRECTORY_NOT_FOUND, 404);
    assert_int_equal(fixture->n_graph, 3);
    assert_int_equal(fixture->directory->tenants[0].requesters.n, 1);
}

static void the_oldest_gives_way_when_all_places_are_taken(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    mood = DISABLED; /* one call each */
    fixture_start(fixture, answer_requester);
    for (int i = 0; i < REQUESTERS_MAX + 10; i++) {
        asking_init(&asking, fixture, DIRECTORY_REQUESTER);
        asking.question.id[0] = '\0';
        (void)snprintf(asking.question.name, sizeof asking.question.name, "u%d@contoso.com", i);
        asking_begin(&asking);
        asking_wait(&asking);
    }
    assert_int_equal(fixture->directory->tenants[0].requesters.n, REQUESTERS_MAX);
    assert_int_equal(fixture->n_graph, REQUESTERS_MAX + 10);
    asking.n_answers = 0;
    asking_begin(&asking); /* the last one is still known */
    asking_wait(&asking);
    assert_int_equal(fixture->n_graph, REQUESTERS_MAX + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(concurrent_questions_share_one_look_up),
        TEST(the_first_who_asked_may_leave_and_the_others_are_answered),
        TEST(a_name_is_asked_for_by_name_and_in_any_case),
        TEST(who_is_disabled_or_gone_is_known_as_such),
        TEST(an_app_is_one_call_and_nobody_elses_answer),
        TEST(an_error_is_not_kept),
        TEST(an_answer_says_how_long_ago_the_roles_were_read),
        TEST(after_a_minute_the_roles_are_read_anew),
        TEST(the_oldest_gives_way_when_all_places_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

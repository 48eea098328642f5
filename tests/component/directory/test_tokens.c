/* The token: fetched, renewed, refused, out of reach. */
#include "tests/component/directory/fixture.h"
#include "worker/directory/token.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct scripted_request login_request;

static void answer_all(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
}

static void login_with_words(void *context, const struct scripted_request *request,
                             struct scripted_reply *reply)
{
    (void)context;
    login_request = *request;
    reply->body = "{\"token_type\":\"Bearer\",\"expires_in\":\"3599\",\"access_token\":\"abc\"}";
}

static bool is_ready(void *context)
{
    struct fixture *fixture = context;
    return directory_ready(fixture->directory);
}

static void the_client_secret_buys_a_token(void **state)
{
    struct fixture *fixture = *state;
    static struct asking read;
    char expected[512];
    fixture->login = login_with_words;
    fixture_start(fixture, answer_all);
    assert_false(directory_ready(fixture->directory));
    fixture_turn_until(fixture, is_ready, fixture);
    ask(&read, fixture, DIRECTORY_USER_BY_ID);
    check_status(&read, DIRECTORY_YES, 200);
    assert_string_equal(login_request.method, "POST");
    assert_non_null(
        strstr(login_request.head, "Content-Type: application/x-www-form-urlencoded\r\n"));
    (void)snprintf(expected, sizeof expected,
                   "grant_type=client_credentials&client_id=" USER_ID
                   "&scope=http%%3A%%2F%%2F127.0.0.1%%3A%s%%2F.default"
                   "&client_secret=s%%26cr%%3Dt%%20%%2B%%2F~",
                   strrchr(scripted_server_url(fixture->server), ':') + 1);
    assert_string_equal(login_request.body, expected);
    assert_int_equal(fixture->n_tokens, 1);
    assert_string_equal(fixture->on_token[0], "");
}

/* Only token-1 is good. */
static void want_second_token(void *context, const struct scripted_request *request,
                              struct scripted_reply *reply)
{
    (void)context;
    bool good = strstr(request->head, "Bearer token-1\r\n") != NULL;
    reply->status = good ? 200 : 401;
    reply->body = good ? USER_BODY : "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}";
}

static void a_refused_token_is_replaced_and_the_same_call_sent_again(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restores[4];
    fixture_start(fixture, want_second_token);
    for (int i = 0; i < 4; i++) {
        asking_init(&restores[i], fixture, DIRECTORY_RESTORE);
        asking_begin(&restores[i]);
    }
    for (int i = 0; i < 4; i++) {
        asking_wait(&restores[i]);
        check_status(&restores[i], DIRECTORY_YES, 200);
    }
    assert_int_equal(fixture->n_tokens, 2); /* one fresh token for all four */
    assert_int_equal(fixture->n_graph, 8);
}

static void refuse_all(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = 401;
}

static void a_401_with_a_fresh_token_is_denied(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    fixture_start(fixture, refuse_all);
    ask(&restore, fixture, DIRECTORY_RESTORE);
    check_status(&restore, DIRECTORY_DENIED, 401);
    assert_int_equal(fixture->n_tokens, 2);
    assert_int_equal(fixture->n_graph, 2);
}

static void login_is_down(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = 503;
}

static void calls_without_a_token_are_busy_after_the_time_allowed(void **state)
{
    struct fixture *fixture = *state;
    static struct asking read, restore;
    fixture->login = login_is_down;
    fixture_start(fixture, answer_all);
    int64_t begun_at_mono_ms = loop_read_mono_ms();
    asking_init(&read, fixture, DIRECTORY_REQUESTER);
    asking_init(&restore, fixture, DIRECTORY_RESTORE);
    asking_begin(&read);
    asking_begin(&restore);
    asking_wait(&read);
    asking_wait(&restore);
    check_status(&read, DIRECTORY_BUSY, 0);
    check_status(&restore, DIRECTORY_BUSY, 0);
    assert_true(loop_read_mono_ms() - begun_at_mono_ms >= REQUEST_TIMEOUT_MS);
    assert_int_equal(fixture->n_graph, 0);
    assert_string_equal(fixture->on_token[0], "HTTP 503 unreadable reply");
}

static void login_comes_back(void *context, const struct scripted_request *request,
                             struct scripted_reply *reply)
{
    (void)context;
    if (request->number == 0)
        reply->end = SCRIPTED_DROP;
    else
        reply->body = "{\"expires_in\":3599,\"access_token\":\"abc\"}";
}

static void calls_wait_for_a_login_service_that_comes_back(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    fixture->settings.request_timeout_ms = 10000; /* the next attempt is up to 1 s away */
    fixture->login = login_comes_back;
    fixture_start(fixture, answer_all);
    ask(&restore, fixture, DIRECTORY_RESTORE);
    check_status(&restore, DIRECTORY_YES, 200);
    assert_int_equal(fixture->n_on_token, 2);
}

static void refuse_the_credential(void *context, const struct scripted_request *request,
                                  struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->status = 401;
    reply->body = "{\"error\":\"invalid_client\",\"error_codes\":[7000215]}";
}

static void a_refused_credential_denies_at_once(void **state)
{
    struct fixture *fixture = *state;
    static struct asking first, second;
    fixture->settings.request_timeout_ms = 60000; /* only the refusal can end the wait */
    fixture->login = refuse_the_credential;
    fixture_start(fixture, answer_all);
    ask(&first, fixture, DIRECTORY_USER_BY_ID);
    check_status(&first, DIRECTORY_DENIED, 0);
    ask(&second, fixture, DIRECTORY_RESTORE);
    check_status(&second, DIRECTORY_DENIED, 0);
    assert_int_equal(fixture->n_graph, 0);
    assert_string_equal(fixture->on_token[0], "HTTP 401 invalid_client AADSTS7000215");
}

/* Each lives 6 s, so the next is fetched 1.2 s before its end. */
static void login_for_six_seconds(void *context, const struct scripted_request *request,
                                  struct scripted_reply *reply)
{
    static char body[128];
    (void)context;
    (void)snprintf(body, sizeof body, "{\"expires_in\":6,\"access_token\":\"token-%d\"}",
                   request->number);
    reply->body = body;
}

static bool second_token_is_there(void *context)
{
    struct fixture *fixture = context;
    assert_true(directory_ready(fixture->directory)); /* never a moment without one */
    return fixture->n_on_token == 2;
}

static void a_token_is_renewed_ahead_of_its_end(void **state)
{
    struct fixture *fixture = *state;
    static struct asking read;
    fixture->login = login_for_six_seconds;
    int64_t begun_at_mono_ms = loop_read_mono_ms();
    fixture_start(fixture, want_second_token);
    fixture_turn_until(fixture, is_ready, fixture);
    fixture_turn_until(fixture, second_token_is_there, fixture);
    assert_true(loop_read_mono_ms() - begun_at_mono_ms >= 4500);
    ask(&read, fixture, DIRECTORY_USER_BY_ID);
    check_status(&read, DIRECTORY_YES, 200);
    assert_int_equal(fixture->n_graph, 1);
}

enum { NONSENSES = 8 };

static void answer_nonsense(void *context, const struct scripted_request *request,
                            struct scripted_reply *reply)
{
    static char long_token[TOKEN_BYTES_MAX + 64];
    static const char *const bodies[NONSENSES] = {
        "",
        "[]",
        "{\"access_token\":\"a\"}",
        "{\"expires_in\":0,\"access_token\":\"a\"}",
        "{\"expires_in\":60,\"access_token\":\"a\\r\\nX-Evil: 1\"}",
        "{\"expires_in\":60,\"access_token\":7}",
        long_token,
        "{\"expires_in\":60,\"access_token\":\"abc\"}", /* and 50 MB more */
    };
    (void)context;
    (void)snprintf(long_token, sizeof long_token, "{\"expires_in\":60,\"access_token\":\"%0*d\"}",
                   TOKEN_BYTES_MAX + 1, 7);
    reply->body = bodies[request->number % NONSENSES];
    reply->filler_bytes = request->number % NONSENSES == NONSENSES - 1 ? 50 * 1024 * 1024 : 0;
}

static void a_token_that_is_none_is_not_used(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NONSENSES; i++) {
        static struct asking read;
        fixture->login = answer_nonsense;
        fixture->settings.request_timeout_ms = 100;
        fixture_start(fixture, answer_all);
        ask(&read, fixture, DIRECTORY_USER_BY_ID);
        check_status(&read, DIRECTORY_BUSY, 0);
        assert_false(directory_ready(fixture->directory));
        directory_free(fixture->directory);
        fixture->directory = NULL;
    }
    assert_int_equal(fixture->n_graph, 0);
}

static void a_secret_too_long_for_the_form_is_refused_at_the_start(void **state)
{
    struct fixture *fixture = *state;
    struct tenant_settings *tenant = &fixture->settings.tenants[0];
    char error[256];
    free(tenant->client_secret);
    tenant->client_secret = calloc(1, 30000);
    memset(tenant->client_secret, 'x', 29999);
    assert_true(directory_new(&fixture->settings, fixture->loop, &fixture->directory, error,
                              sizeof error) < 0);
    assert_non_null(strstr(error, "tenant test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_client_secret_buys_a_token),
        TEST(a_refused_token_is_replaced_and_the_same_call_sent_again),
        TEST(a_401_with_a_fresh_token_is_denied),
        TEST(calls_without_a_token_are_busy_after_the_time_allowed),
        TEST(calls_wait_for_a_login_service_that_comes_back),
        TEST(a_refused_credential_denies_at_once),
        TEST(a_token_is_renewed_ahead_of_its_end),
        TEST(a_token_that_is_none_is_not_used),
        TEST(a_secret_too_long_for_the_form_is_refused_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

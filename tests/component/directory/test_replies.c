/* What the server does to a reply, and what the job is told. */
#include "tests/component/directory/fixture.h"
#include "worker/directory/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void answer_status(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    static const int statuses[] = {200, 404, 403, 400, 429, 503};
    (void)context;
    reply->status = statuses[request->number % 6];
    reply->headers = "Retry-After: 1\r\nDate: Wed, 14 Oct 2026 17:46:40 GMT\r\n";
    reply->body = reply->status == 200 ? USER_BODY : "{\"error\":{\"code\":\"Word\"}}";
}

/* Another user each time: what was told to wait waits. */
static void ask_about(int number, struct asking *asking, struct fixture *fixture,
                      enum directory_operation operation)
{
    asking_init(asking, fixture, operation);
    if (number > 0) /* the first is told about himself */
        asking->question.id[0] = (char)('a' + number);
    asking_begin(asking);
    asking_wait(asking);
}

static void each_class_of_reply_gives_its_answer(void **state)
{
    static const struct {
        enum directory_status read, change;
        int http_status;
    } expected[] = {
        {DIRECTORY_YES, DIRECTORY_YES, 200},       {DIRECTORY_NOT_FOUND, DIRECTORY_NOT_FOUND, 404},
        {DIRECTORY_DENIED, DIRECTORY_DENIED, 403}, {DIRECTORY_REJECTED, DIRECTORY_REJECTED, 400},
        {DIRECTORY_BUSY, DIRECTORY_BUSY, 429},     {DIRECTORY_BUSY, DIRECTORY_UNKNOWN, 503},
    };
    struct fixture *fixture = *state;
    static struct asking asking;
    fixture_start(fixture, answer_status);
    for (int i = 0; i < 6; i++) {
        ask_about(i, &asking, fixture, DIRECTORY_USER_BY_ID);
        check_status(&asking, expected[i].read, expected[i].http_status);
    }
    for (int i = 0; i < 6; i++) {
        ask_about(i, &asking, fixture, DIRECTORY_RESTORE);
        check_status(&asking, expected[i].change, expected[i].http_status);
        /* At least what the directory named, lengthened by at most the jitter and a turn. */
        assert_in_range(asking.answer.retry_after_ms, 1000, 2500);
    }
    assert_int_equal(fixture->n_on_call, 12);
    /* All over one connection, the token's. */
    assert_int_equal(scripted_server_connections(fixture->server), 1);
}

static void directory_time_follows_the_date_headers(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    fixture_start(fixture, answer_status);
    ask(&asking, fixture, DIRECTORY_USER_BY_ID);
    int64_t error_ms = loop_now(fixture->loop)->directory_ms - INT64_C(1792000000000);
    assert_in_range(error_ms, 0, 1000);
}

struct seen {
    struct scripted_request request;
};
static struct seen seen;

static void remember(void *context, const struct scripted_request *request,
                     struct scripted_reply *reply)
{
    (void)context;
    seen.request = *request;
    reply->status = 204;
}

static void a_password_goes_out_as_json_with_every_header_and_is_cleared(void **state)
{
    struct fixture *fixture = *state;
    static struct asking password;
    fixture_start(fixture, remember);
    ask(&password, fixture, DIRECTORY_SET_PASSWORD);
    check_status(&password, DIRECTORY_YES, 204);
    assert_string_equal(seen.request.method, "PATCH");
    assert_string_equal(seen.request.target, "/v1.0/users/" USER_ID);
    assert_string_equal(seen.request.body,
                        "{\"passwordProfile\":{\"password\":\"Sesam\\\"5\\\\Aa\","
                        "\"forceChangePasswordNextSignIn\":true}}");
    assert_non_null(strstr(seen.request.head, "Authorization: Bearer token-0\r\n"));
    assert_non_null(
        strstr(seen.request.head, "client-request-id: 00000000-1111-4222-8333-444444444444\r\n"));
    assert_non_null(strstr(seen.request.head, "Content-Type: application/json\r\n"));
    assert_null(strstr(seen.request.head, "Expect"));
    assert_null(strstr(seen.request.head, "ConsistencyLevel"));
    for (int i = 0; i < fixture->directory->n_exchanges; i++) {
        const struct exchange *exchange = &fixture->directory->exchanges[i];
        assert_null(exchange->token);
        for (size_t at = 0; at < sizeof exchange->body; at++)
            assert_int_equal(exchange->body[at], 0);
    }
}

static void be_silent(void *context, const struct scripted_request *request,
                      struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->end = SCRIPTED_SILENCE;
}

static void silence_is_unknown_after_the_time_allowed(void **state)
{
    struct fixture *fixture = *state;
    static struct asking read, restore;
    fixture_start(fixture, be_silent);
    int64_t begun_at_mono_ms = loop_read_mono_ms();
    asking_init(&read, fixture, DIRECTORY_USER_BY_ID);
    asking_init(&restore, fixture, DIRECTORY_RESTORE);
    asking_begin(&read);
    asking_begin(&restore);
    asking_wait(&read);
    asking_wait(&restore);
    check_status(&read, DIRECTORY_UNKNOWN, 0);
    check_status(&restore, DIRECTORY_UNKNOWN, 0);
    assert_true(loop_read_mono_ms() - begun_at_mono_ms >= REQUEST_TIMEOUT_MS);
    assert_non_null(restore.call.fault);
}

static void be_large(void *context, const struct scripted_request *request,
                     struct scripted_reply *reply)
{
    (void)context;
    reply->body = USER_BODY;
    if (request->number % 2 == 0)
        reply->filler_bytes = 50 * 1024 * 1024;
    else
        reply->header_filler_bytes = 1024 * 1024;
}

static void a_reply_of_any_size_costs_a_bounded_amount(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    fixture_start(fixture, be_large);
    for (int i = 0; i < 2; i++) {
        ask(&asking, fixture, DIRECTORY_USER_BY_ID); /* the body, then the headers */
        check_status(&asking, DIRECTORY_UNKNOWN, 0);
    }
    for (int i = 0; i < 2; i++) {
        ask(&asking, fixture, DIRECTORY_RESTORE);
        check_status(&asking, DIRECTORY_UNKNOWN, 0);
    }
}

#define ROW(n)                                                                                     \
    "{\"id\":\"0000000" #n "-0000-0000-0000-000000000000\",\"userPrincipalName\":"                 \
    "\"0000000" #n "000000000000000000000000ola@contoso.com\","                                    \
    "\"deletedDateTime\":\"2026-10-0" #n "T00:00:00Z\"}"

static void page(void *context, const struct scripted_request *request,
                 struct scripted_reply *reply)
{
    static char body[1024];
    struct fixture *fixture = context;
    bool first = strstr(request->target, "skiptoken") == NULL;
    seen.request = *request;
    (void)snprintf(body, sizeof body,
                   "{\"@odata.nextLink\":\"%s/v1.0/next?$skiptoken=x\",\"value\":[%s]}",
                   fixture->next_link, ROW(1));
    reply->body = first ? body : "{\"value\":[" ROW(2) "]}";
}

static void ask_by_name(struct asking *asking, struct fixture *fixture)
{
    asking_init(asking, fixture, DIRECTORY_DELETED_BY_NAME);
    asking->question.id[0] = '\0';
    (void)snprintf(asking->question.name, sizeof asking->question.name, USER_NAME);
    asking_begin(asking);
    asking_wait(asking);
}

static void the_pages_of_the_bin_are_read_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    (void)snprintf(fixture->next_link, sizeof fixture->next_link, "%s",
                   scripted_server_url(fixture->server));
    fixture_start(fixture, page);
    ask_by_name(&asking, fixture);
    check_status(&asking, DIRECTORY_YES, 200);
    assert_int_equal(asking.answer.n_candidates, 2);
    assert_string_equal(asking.answer.candidates[0].id, "00000002-0000-0000-0000-000000000000");
    assert_string_equal(seen.request.target, "/v1.0/next?$skiptoken=x");
    assert_non_null(strstr(seen.request.head, "ConsistencyLevel: eventual\r\n"));
    assert_int_equal(fixture->n_on_call, 2);
}

static void a_next_page_on_another_host_is_never_asked_for(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    struct scripted_server *stranger = scripted_server_new(page, fixture);
    (void)snprintf(fixture->next_link, sizeof fixture->next_link, "%s",
                   scripted_server_url(stranger));
    fixture_start(fixture, page);
    ask_by_name(&asking, fixture);
    check_status(&asking, DIRECTORY_UNKNOWN, 200);
    /* Nor where the own address is only the beginning of a longer one. */
    (void)snprintf(fixture->next_link, sizeof fixture->next_link, "%s@127.0.0.1%s",
                   scripted_server_url(fixture->server),
                   strrchr(scripted_server_url(stranger), ':'));
    ask_by_name(&asking, fixture);
    check_status(&asking, DIRECTORY_UNKNOWN, 200);
    assert_int_equal(scripted_server_connections(stranger), 0);
    scripted_server_free(stranger);
}

static void page_for_ever(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    static char body[1024];
    (void)request;
    (void)snprintf(body, sizeof body, "{\"@odata.nextLink\":\"%s/v1.0/next\",\"value\":[]}",
                   scripted_server_url(((struct fixture *)context)->server));
    reply->body = body;
}

static void a_list_without_end_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    static struct asking asking;
    fixture_start(fixture, page_for_ever);
    ask_by_name(&asking, fixture);
    check_status(&asking, DIRECTORY_UNKNOWN, 200);
    assert_int_equal(fixture->n_graph, 50);
}

/* A port that nobody listens on: bound, and never let go while the test runs. */
static int closed_port(char *ret_url, size_t bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)snprintf(ret_url, bytes, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

static void a_change_that_found_no_server_is_certainly_not_done(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    struct tenant_settings *tenant = &fixture->settings.tenants[0];
    int fd = closed_port(tenant->graph_url, sizeof tenant->graph_url);
    fixture_start(fixture, be_silent);
    ask(&restore, fixture, DIRECTORY_RESTORE);
    check_status(&restore, DIRECTORY_BUSY, 0);
    assert_non_null(restore.call.fault);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_class_of_reply_gives_its_answer),
        TEST(directory_time_follows_the_date_headers),
        TEST(a_password_goes_out_as_json_with_every_header_and_is_cleared),
        TEST(silence_is_unknown_after_the_time_allowed),
        TEST(a_reply_of_any_size_costs_a_bounded_amount),
        TEST(the_pages_of_the_bin_are_read_to_the_end),
        TEST(a_next_page_on_another_host_is_never_asked_for),
        TEST(a_list_without_end_is_given_up),
        TEST(a_change_that_found_no_server_is_certainly_not_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

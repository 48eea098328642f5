/* A change leaves at most once, and only while its intent is proven (P2, design 7 and 8). */
#include "tests/component/directory/fixture.h"
#include "worker/directory/http.h"

#include <stdlib.h>

/* Reads and the first change are answered; from then on, a change that comes over a connection
 * that was used before is read and the connection closed without a word. */
static void drop_reused(void *context, const struct scripted_request *request,
                        struct scripted_reply *reply)
{
    (void)context;
    if (request->method[0] == 'G') {
        reply->body = USER_BODY;
    } else if (request->on_connection > 0) {
        reply->end = SCRIPTED_DROP;
    } else {
        reply->body = USER_BODY;
    }
}

/* A connection that was used once and lies idle. */
static void warm_up(struct fixture *fixture)
{
    static struct asking read;
    ask(&read, fixture, DIRECTORY_USER_BY_ID);
    check_status(&read, DIRECTORY_YES, 200);
}

static void a_change_whose_reused_connection_dies_is_sent_once_and_unknown(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    fixture_start(fixture, drop_reused);
    warm_up(fixture);
    ask(&restore, fixture, DIRECTORY_RESTORE);
    check_status(&restore, DIRECTORY_UNKNOWN, 0);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 1);
}

static void without_the_guard_libcurl_sends_the_change_again(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    without_guards("prereq");
    fixture_start(fixture, drop_reused);
    warm_up(fixture);
    ask(&restore, fixture, DIRECTORY_RESTORE);
    check_status(&restore, DIRECTORY_YES, 200);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 2);
}

static void a_password_is_not_sent_twice_either(void **state)
{
    struct fixture *fixture = *state;
    static struct asking password;
    fixture_start(fixture, drop_reused);
    warm_up(fixture);
    ask(&password, fixture, DIRECTORY_SET_PASSWORD);
    check_status(&password, DIRECTORY_UNKNOWN, 0);
    assert_int_equal(scripted_server_count(fixture->server, "PATCH", ""), 1);
}

static void drop_reads_reused(void *context, const struct scripted_request *request,
                              struct scripted_reply *reply)
{
    (void)context;
    reply->body = USER_BODY;
    if (request->number == 1)
        reply->end = SCRIPTED_DROP;
}

static void a_read_may_be_sent_again(void **state)
{
    struct fixture *fixture = *state;
    static struct asking read;
    fixture_start(fixture, drop_reads_reused);
    warm_up(fixture);
    ask(&read, fixture, DIRECTORY_USER_BY_ID);
    check_status(&read, DIRECTORY_YES, 200);
    assert_int_equal(scripted_server_count(fixture->server, "GET", ""), 3);
}

static void answer_all(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
}

static void a_change_past_its_proof_is_not_sent(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    fixture_start(fixture, answer_all);
    warm_up(fixture);
    asking_init(&restore, fixture, DIRECTORY_RESTORE);
    restore.call.proven_until_mono_ms = loop_read_mono_ms() - 1;
    asking_begin(&restore);
    asking_wait(&restore);
    check_status(&restore, DIRECTORY_UNPROVEN, 0);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 0);
}

static void on_done(void *context)
{
    *(bool *)context = true;
}

static bool is_done(void *context)
{
    return *(bool *)context;
}

/* The time for connecting counts too: the last look at the clock is on the standing connection. */
static void a_proof_that_runs_out_while_connecting_stops_the_change(void **state)
{
    struct fixture *fixture = *state;
    struct http *http = NULL;
    struct http_settings settings = {
        .ca_file = "", .connections_max = 1, .timeout_ms = REQUEST_TIMEOUT_MS};
    bool done = false;
    fixture->graph = answer_all;
    assert_int_equal(http_new(fixture->loop, &settings, &http), 0);
    struct transfer transfer = {.method = "POST",
                                .url = scripted_server_url(fixture->server),
                                .body = "{}",
                                .body_bytes = 2,
                                .changes = true,
                                .proven_until_mono_ms = loop_read_mono_ms() - 1,
                                .on_done = on_done,
                                .context = &done};
    assert_int_equal(transfer_init(&transfer, http), 0);
    transfer_start(&transfer);
    fixture_turn_until(fixture, is_done, &done);
    assert_int_equal(transfer.reply.fate, REPLY_UNPROVEN);
    assert_int_equal(scripted_server_count(fixture->server, "", ""), 0);
    transfer_deinit(&transfer);
    http_free(http);
}

static void without_the_proof_it_is_sent(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    without_guards("prereq,proof");
    fixture_start(fixture, answer_all);
    warm_up(fixture);
    asking_init(&restore, fixture, DIRECTORY_RESTORE);
    restore.call.proven_until_mono_ms = loop_read_mono_ms() - 1;
    asking_begin(&restore);
    asking_wait(&restore);
    check_status(&restore, DIRECTORY_YES, 200);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 1);
}

static void the_release_cannot_reach_the_guards(void **state)
{
    (void)state;
#ifdef RESTORE_TEST_CONTROLS
    skip();
#endif
    struct fixture *fixture = *state;
    static struct asking restore;
    (void)setenv("RESTORE_TEST_WITHOUT", "prereq,proof", 1);
    fixture_start(fixture, drop_reused);
    warm_up(fixture);
    ask(&restore, fixture, DIRECTORY_RESTORE);
    check_status(&restore, DIRECTORY_UNKNOWN, 0);
    assert_int_equal(scripted_server_count(fixture->server, "POST", "/v1.0/"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_whose_reused_connection_dies_is_sent_once_and_unknown),
        TEST(without_the_guard_libcurl_sends_the_change_again),
        TEST(a_password_is_not_sent_twice_either),
        TEST(a_read_may_be_sent_again),
        TEST(a_change_past_its_proof_is_not_sent),
        TEST(a_proof_that_runs_out_while_connecting_stops_the_change),
        TEST(without_the_proof_it_is_sent),
        TEST(the_release_cannot_reach_the_guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

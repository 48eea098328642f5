/* Slots, queues, abandoning, and a tenant that is throttled as a whole. */
#include "tests/component/directory/fixture.h"
#include "worker/test_controls.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

enum { MANY = 512, SLOTS = 64 };

static void answer_slowly(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
    reply->delay_ms = 5;
}

static void count_answer(void *context, const struct directory_answer *answer)
{
    assert_int_equal(answer->status, DIRECTORY_YES);
    ++*(int *)context;
}

static bool all_are_answered(void *context)
{
    return *(int *)context == MANY;
}

static void never_more_calls_are_on_the_wire_than_allowed(void **state)
{
    struct fixture *fixture = *state;
    static struct directory_call calls[MANY];
    static struct asking asking;
    int n_answers = 0;
    fixture->settings.max_in_flight = SLOTS;
    fixture->settings.request_timeout_ms = 20000;
    fixture_start(fixture, answer_slowly);
    asking_init(&asking, fixture, DIRECTORY_USER_BY_ID);
    for (int i = 0; i < MANY; i++) {
        calls[i] = (struct directory_call){
            .question = &asking.question, .on_answer = count_answer, .context = &n_answers};
        directory_ask(fixture->directory, &calls[i]);
        assert_in_range(directory_in_flight(fixture->directory), 0, SLOTS);
    }
    fixture_turn_until(fixture, all_are_answered, &n_answers);
    assert_int_equal(directory_in_flight(fixture->directory), 0);
    assert_int_equal(fixture->n_graph, MANY);
    assert_in_range(scripted_server_most_at_once(fixture->server), SLOTS / 2, SLOTS);
    /* Kept open, not made anew: the trap of CURLMOPT_MAXCONNECTS. */
    assert_in_range(scripted_server_connections(fixture->server), 1, SLOTS + 1);
}

static void note_order(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    static char order[16];
    struct fixture *fixture = context;
    reply->body = USER_BODY;
    order[request->number] = request->method[0];
    order[request->number + 1] = '\0';
    memcpy(fixture->next_link, order, sizeof order);
}

static void changes_go_before_reads_and_each_in_order(void **state)
{
    struct fixture *fixture = *state;
    static struct asking askings[5];
    static const enum directory_operation operations[] = {
        DIRECTORY_USER_BY_ID, DIRECTORY_USER_BY_ID, DIRECTORY_RESTORE, DIRECTORY_SET_PASSWORD,
        DIRECTORY_RESTORE};
    fixture->settings.max_in_flight = 1;
    fixture_start(fixture, note_order);
    for (int i = 0; i < 5; i++) {
        asking_init(&askings[i], fixture, operations[i]);
        asking_begin(&askings[i]);
    }
    for (int i = 4; i >= 0; i--)
        asking_wait(&askings[i]);
    assert_string_equal(fixture->next_link, "PPPGG");
}

static void answer_never(void *context, const struct scripted_request *request,
                         struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->end = SCRIPTED_SILENCE;
}

static bool one_is_on_the_wire(void *context)
{
    struct fixture *fixture = context;
    return directory_in_flight(fixture->directory) > 0;
}

static void log_in_slowly(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"token\"}";
    reply->delay_ms = REQUEST_TIMEOUT_MS / 2;
}

/* The time of the first counts from the ask, that of the second from the token, half of it later:
 * else a slow machine would see both end at once, and the slot would be free. */
static void a_call_that_finds_no_slot_is_busy_after_the_time_allowed(void **state)
{
    struct fixture *fixture = *state;
    static struct asking on_the_wire, waiting;
    fixture->settings.max_in_flight = 1;
    fixture->login = log_in_slowly;
    fixture_start(fixture, answer_never);
    asking_init(&waiting, fixture, DIRECTORY_USER_BY_ID);
    asking_init(&on_the_wire, fixture, DIRECTORY_RESTORE); /* changes go first */
    asking_begin(&waiting);
    asking_begin(&on_the_wire);
    asking_wait(&waiting);
    check_status(&waiting, DIRECTORY_BUSY, 0);
    asking_wait(&on_the_wire);
    check_status(&on_the_wire, DIRECTORY_UNKNOWN, 0);
    assert_int_equal(fixture->n_graph, 1);
}

static void answer_about_managers(void *context, const struct scripted_request *request,
                                  struct scripted_reply *reply)
{
    (void)context;
    reply->body = USER_BODY;
    if (strstr(request->target, "/manager") == NULL)
        reply->end = SCRIPTED_SILENCE;
}

static void a_read_can_be_abandoned_anywhere(void **state)
{
    struct fixture *fixture = *state;
    static struct asking on_the_wire, waiting, last;
    fixture->settings.max_in_flight = 1;
    fixture_start(fixture, answer_about_managers);
    asking_init(&on_the_wire, fixture, DIRECTORY_USER_BY_ID);
    asking_init(&waiting, fixture, DIRECTORY_RESTORE);
    asking_begin(&on_the_wire);
    fixture_turn_until(fixture, one_is_on_the_wire, fixture);
    asking_begin(&waiting);
    assert_true(directory_abandon(fixture->directory, &waiting.call)); /* not sent yet */
    assert_true(directory_abandon(fixture->directory, &on_the_wire.call));
    assert_int_equal(directory_in_flight(fixture->directory), 0);
    ask(&last, fixture, DIRECTORY_MANAGER); /* the slot is free again */
    check_status(&last, DIRECTORY_YES, 200);
    assert_int_equal(on_the_wire.n_answers + waiting.n_answers, 0);
}

static void a_change_on_the_wire_still_answers(void **state)
{
    struct fixture *fixture = *state;
    static struct asking restore;
    fixture_start(fixture, answer_slowly);
    asking_init(&restore, fixture, DIRECTORY_RESTORE);
    asking_begin(&restore);
    fixture_turn_until(fixture, one_is_on_the_wire, fixture);
    assert_false(directory_abandon(fixture->directory, &restore.call));
    asking_wait(&restore);
    check_status(&restore, DIRECTORY_YES, 200);
}

static void throttle_once(void *context, const struct scripted_request *request,
                          struct scripted_reply *reply)
{
    struct fixture *fixture = context;
    if (request->number > 0) {
        reply->body = USER_BODY;
        return;
    }
    reply->status = 429;
    reply->headers = fixture->next_link;
}

static void nothing_of_a_throttled_tenant_leaves_before_its_time(void **state)
{
    struct fixture *fixture = *state;
    static struct asking first, second, third;
    (void)snprintf(fixture->next_link, sizeof fixture->next_link,
                   "retry-after: 2.5\r\nX-Ms-Throttle-Scope: Tenant_Application/Read/a/b\r\n");
    fixture_start(fixture, throttle_once);
    int64_t floor_mono_ms = loop_read_mono_ms() + 2500; /* the reply comes later */
    ask(&first, fixture, DIRECTORY_USER_BY_ID);
    check_status(&first, DIRECTORY_BUSY, 429);
    ask(&second, fixture, DIRECTORY_RESTORE);
    check_status(&second, DIRECTORY_BUSY, 0);
    assert_true(loop_now(fixture->loop)->mono_ms + second.answer.retry_after_ms >= floor_mono_ms);
    assert_int_equal(fixture->n_graph, 1);
    while (third.n_answers == 0 || third.answer.status == DIRECTORY_BUSY)
        ask(&third, fixture, DIRECTORY_RESTORE); /* the impatient caller */
    check_status(&third, DIRECTORY_YES, 200);
    assert_true(loop_read_mono_ms() >= floor_mono_ms);
    assert_int_equal(fixture->n_graph, 2);
}

/* The first call is told to stay away for a minute; then the second is made. */
static void ask_after_a_429(struct fixture *fixture, struct asking *second,
                            enum directory_operation operation)
{
    static struct asking first;
    (void)snprintf(fixture->next_link, sizeof fixture->next_link, "Retry-After: 60\r\n");
    fixture_start(fixture, throttle_once);
    ask(&first, fixture, DIRECTORY_USER_BY_ID);
    check_status(&first, DIRECTORY_BUSY, 429);
    assert_true(first.answer.retry_after_ms >= 60000 || test_without("retry-after"));
    ask(second, fixture, operation);
}

static void a_429_without_a_scope_holds_nobody_else_back(void **state)
{
    static struct asking second;
    ask_after_a_429(*state, &second, DIRECTORY_RESTORE);
    check_status(&second, DIRECTORY_YES, 200);
}

/* P6 is the instance's: another job, or one that a rebalance brought back, waits too. */
static void the_call_itself_is_not_made_again_for_another_job(void **state)
{
    struct fixture *fixture = *state;
    static struct asking second;
    ask_after_a_429(fixture, &second, DIRECTORY_USER_BY_ID);
    check_status(&second, DIRECTORY_BUSY, 0);
    assert_true(second.answer.retry_after_ms > 0);
    assert_int_equal(fixture->n_graph, 1);
}

static void without_retry_after_it_is_made_again_at_once(void **state)
{
    struct fixture *fixture = *state;
    static struct asking second;
    without_guards("retry-after");
    ask_after_a_429(fixture, &second, DIRECTORY_USER_BY_ID);
    check_status(&second, DIRECTORY_YES, 200);
    assert_int_equal(fixture->n_graph, 2);
}

/* The server lets go of an idle connection without having said so. */
static void close_after(void *context, const struct scripted_request *request,
                        struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
    reply->end = SCRIPTED_CLOSE;
}

/* Waits until the close has arrived at our end of every connection to the server. */
static void wait_for_the_close(const struct fixture *fixture)
{
    long port = strtol(strrchr(scripted_server_url(fixture->server), ':') + 1, NULL, 10);
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t length = sizeof peer;
        struct pollfd closed = {.fd = fd, .events = POLLRDHUP};
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port)
            assert_int_equal(poll(&closed, 1, WAIT_MAX_MS), 1);
    }
}

static void a_connection_closed_while_idle_costs_no_call(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, close_after);
    for (int i = 0; i < 50; i++) {
        static struct asking restore;
        ask(&restore, fixture, DIRECTORY_RESTORE);
        check_status(&restore, DIRECTORY_YES, 200);
        wait_for_the_close(fixture);
        if (i % 2 == 0) /* the loop hears of it, or the next call finds out first */
            assert_int_equal(loop_turn(fixture->loop), 0);
    }
    assert_int_equal(fixture->n_graph, 50);
}

static void the_client_can_go_in_the_middle_of_everything(void **state)
{
    struct fixture *fixture = *state;
    static struct asking askings[4];
    fixture->settings.max_in_flight = 2;
    fixture_start(fixture, answer_never);
    for (int i = 0; i < 4; i++) {
        asking_init(&askings[i], fixture, i == 0 ? DIRECTORY_REQUESTER : DIRECTORY_RESTORE);
        asking_begin(&askings[i]);
    }
    fixture_turn_until(fixture, one_is_on_the_wire, fixture);
    directory_free(fixture->directory);
    fixture->directory = NULL;
    for (int i = 0; i < 4; i++)
        assert_int_equal(askings[i].n_answers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(never_more_calls_are_on_the_wire_than_allowed),
        TEST(changes_go_before_reads_and_each_in_order),
        TEST(a_call_that_finds_no_slot_is_busy_after_the_time_allowed),
        TEST(a_read_can_be_abandoned_anywhere),
        TEST(a_change_on_the_wire_still_answers),
        TEST(nothing_of_a_throttled_tenant_leaves_before_its_time),
        TEST(a_429_without_a_scope_holds_nobody_else_back),
        TEST(the_call_itself_is_not_made_again_for_another_job),
        TEST(without_retry_after_it_is_made_again_at_once),
        TEST(a_connection_closed_while_idle_costs_no_call),
        TEST(the_client_can_go_in_the_middle_of_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

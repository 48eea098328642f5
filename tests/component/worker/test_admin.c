/* The admin pages' HTTP edge on loopback: whatever a client does, the loop goes on. */
#include "worker/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { REPLY_BYTES = 256 * 1024, BIG_PAGE_BYTES = 200 * 1000, WAIT_MS = 60 * 1000, FLOOD = 200 };

struct edge {
    struct loop *loop;
    struct admin *admin;
    struct timer tick; /* so that a turn ends soon; also the work that must not be held */
    int n_ticks, n_pages;
    int64_t last_tick_mono_ms, longest_turn_ms;
    char reply[REPLY_BYTES + 1];
};

static void on_tick(void *context)
{
    struct edge *edge = context;
    int64_t now = loop_read_mono_ms();
    if (edge->n_ticks++ > 0 && now - edge->last_tick_mono_ms > edge->longest_turn_ms)
        edge->longest_turn_ms = now - edge->last_tick_mono_ms;
    edge->last_tick_mono_ms = now;
    loop_set_timer(edge->loop, &edge->tick, now + 5);
}

static int write_small(void *context, bool verbose, FILE *page)
{
    ((struct edge *)context)->n_pages++;
    fputs(verbose ? "many words\n" : "small\n", page);
    return 200;
}

static int write_big(void *context, bool verbose, FILE *page)
{
    (void)verbose;
    ((struct edge *)context)->n_pages++;
    for (int i = 0; i < BIG_PAGE_BYTES; i++)
        fputc('x', page);
    return 503;
}

static const struct admin_page pages[] = {{"/small", "text/plain", write_small},
                                          {"/big", "text/x-big", write_big}};

static struct admin_settings settings_for(struct edge *edge, const char *listen)
{
    return (struct admin_settings){.listen = listen, .n_pages = 2, .pages = pages, .context = edge};
}

static int setup(void **state)
{
    struct edge *edge = calloc(1, sizeof *edge);
    char error[256];
    assert_non_null(edge);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(loop_new(&edge->loop), 0);
    struct admin_settings settings = settings_for(edge, "127.0.0.1:0");
    assert_int_equal(admin_new(&settings, edge->loop, &edge->admin, error, sizeof error), 0);
    edge->tick = (struct timer){.on_due = on_tick, .context = edge};
    loop_set_timer(edge->loop, &edge->tick, 0);
    *state = edge;
    return 0;
}

static int teardown(void **state)
{
    struct edge *edge = *state;
    admin_free(edge->admin);
    loop_cancel_timer(edge->loop, &edge->tick);
    loop_free(edge->loop);
    free(edge);
    return 0;
}

static int client_of(const struct edge *edge)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)admin_port(edge->admin)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    /* Bounds connect, too, which waits while the queue of the listening socket is full. */
    struct timeval bound = {.tv_sec = 5};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Bytes into edge->reply, which ends there; -1: nothing yet. Turns the loop once. */
static ssize_t turn_and_read(struct edge *edge, int fd, size_t used)
{
    assert_int_equal(loop_turn(edge->loop), 0);
    ssize_t n = recv(fd, edge->reply + used, REPLY_BYTES - used, 0);
    edge->reply[used + (n > 0 ? (size_t)n : 0)] = '\0';
    if (n < 0 && errno != EAGAIN)
        return 0; /* reset: the end, too */
    return n;
}

/* The whole reply up to the end of the connection, which the server closes. */
static const char *reply_to(struct edge *edge, int fd)
{
    size_t used = 0;
    for (int64_t end = loop_read_mono_ms() + WAIT_MS; loop_read_mono_ms() < end;) {
        ssize_t n = turn_and_read(edge, fd, used);
        if (n == 0) {
            (void)close(fd);
            return edge->reply;
        }
        if (n > 0)
            used += (size_t)n;
    }
    fail_msg("no end of the reply");
    return NULL;
}

static const char *ask(struct edge *edge, const char *request)
{
    int fd = client_of(edge);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    return reply_to(edge, fd);
}

static void assert_status(const char *reply, int status)
{
    char line[32];
    (void)snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(reply, line, strlen(line)) != 0)
        fail_msg("not %d: %.60s", status, reply);
}

static void a_page_is_served_and_its_connection_closed(void **state)
{
    struct edge *edge = *state;
    const char *reply = ask(edge, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(reply, 200);
    assert_non_null(strstr(reply, "\r\n\r\nsmall\n"));
    assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(reply, "Content-Type: text/plain\r\n"));
    reply = ask(edge, "GET /small?verbose HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(reply, "\r\n\r\nmany words\n"));
    reply = ask(edge, "GET /small?verbose=1 HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(reply, "\r\n\r\nmany words\n"));
    assert_int_equal(edge->n_pages, 3);
}

static void a_page_larger_than_the_sockets_buffer_comes_whole(void **state)
{
    struct edge *edge = *state;
    const char *reply = ask(edge, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(reply, 503);
    const char *body = strstr(reply, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strspn(body + 4, "x"), BIG_PAGE_BYTES);
}

static void head_has_no_body_and_nothing_else_is_allowed(void **state)
{
    struct edge *edge = *state;
    const char *reply = ask(edge, "HEAD /small HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(reply, 200);
    assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
    edge->n_pages = 0;
    reply = ask(edge, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_status(reply, 405);
    assert_non_null(strstr(reply, "Allow: GET, HEAD\r\n"));
    assert_status(ask(edge, "BREW /small HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
    assert_status(ask(edge, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    assert_status(ask(edge, "GET /small/../small HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    assert_int_equal(edge->n_pages, 0);
}

static void what_is_no_request_is_refused(void **state)
{
    struct edge *edge = *state;
    (void)ask(edge, "\r\n\r\n\r\nnonsense\r\n\r\n");
    (void)ask(edge, "GET /small HTTP/1.1\r\nContent-Length: -1\r\n\r\n");
    (void)ask(edge, "GET /sm\x01ll HTTP/1.1\r\n: \r\n\r\n");
    (void)ask(edge, "GET /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    assert_status(ask(edge, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

/* Sends as much as the server takes, until it hangs up. */
static void a_megabyte_of_header_is_cut_off(void **state)
{
    struct edge *edge = *state;
    static char junk[4096];
    size_t sent = 0;
    int fd = client_of(edge);
    memset(junk, 'a', sizeof junk);
    assert_int_equal(send(fd, "GET /small HTTP/1.1\r\nX: ", 24, 0), 24);
    for (int64_t end = loop_read_mono_ms() + WAIT_MS;
         sent < 1024 * 1024 && loop_read_mono_ms() < end;) {
        ssize_t n = send(fd, junk, sizeof junk, 0);
        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        assert_int_equal(loop_turn(edge->loop), 0);
    }
    assert_true(sent < 1024 * 1024);
    (void)close(fd);
    assert_int_equal(edge->n_pages, 0);
    assert_status(ask(edge, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

static void a_client_that_sends_a_byte_now_and_then_is_hung_up_on(void **state)
{
    struct edge *edge = *state;
    int fd = client_of(edge);
    int64_t begun = loop_read_mono_ms(), next = begun;
    ssize_t n = -1;
    while (n != 0 && loop_read_mono_ms() < begun + WAIT_MS) {
        if (loop_read_mono_ms() >= next) {
            (void)send(fd, "a", 1, MSG_NOSIGNAL);
            next += 200;
        }
        n = turn_and_read(edge, fd, 0);
    }
    assert_int_equal(n, 0);
    assert_in_range(loop_read_mono_ms() - begun, 4500, 20000);
    (void)close(fd);
}

/* A page is served to a reader who never reads: no more than his connection waits for him. */
static void a_client_that_does_not_read_holds_nobody(void **state)
{
    struct edge *edge = *state;
    int deaf = client_of(edge), small = 2048;
    (void)setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(send(deaf, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", 30, 0), 30);
    for (int i = 0; i < 10; i++)
        assert_status(ask(edge, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_true(edge->longest_turn_ms < 4000);
    (void)close(deaf);
}

static int open_files(void)
{
    int n = 0;
    struct stat stat;
    for (int fd = 0; fd < 1024; fd++)
        n += fstat(fd, &stat) == 0;
    return n;
}

static void a_flood_of_connections_keeps_nobody_out_and_holds_no_turn(void **state)
{
    struct edge *edge = *state;
    static int flood[FLOOD];
    int before = open_files(), n_most = 0;
    for (int i = 0; i < FLOOD; i++) {
        flood[i] = client_of(edge);
        assert_int_equal(send(flood[i], "GET /", 5, 0), 5);
        assert_int_equal(loop_turn(edge->loop), 0);
        int n = open_files() - before - (i + 1);
        n_most = n > n_most ? n : n_most;
    }
    assert_in_range(n_most, 8, 32); /* the server's ends */
    int64_t begun = loop_read_mono_ms();
    for (int i = 0; i < 20; i++)
        assert_status(ask(edge, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_true(loop_read_mono_ms() - begun < 4500); /* they do not wait for the others' end */
    assert_true(edge->longest_turn_ms < 4000);
    for (int i = 0; i < FLOOD; i++)
        (void)close(flood[i]);
    for (int64_t end = loop_read_mono_ms() + WAIT_MS;
         open_files() > before && loop_read_mono_ms() < end;)
        assert_int_equal(loop_turn(edge->loop), 0);
    assert_int_equal(open_files(), before);
}

static void an_idle_edge_does_not_wake_the_loop(void **state)
{
    struct edge *edge = *state;
    assert_status(ask(edge, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    for (int64_t end = loop_read_mono_ms() + 200; loop_read_mono_ms() < end;)
        assert_int_equal(loop_turn(edge->loop), 0);
    int n_turns = 0, n_ticks = edge->n_ticks;
    for (int64_t end = loop_read_mono_ms() + 300; loop_read_mono_ms() < end; n_turns++)
        assert_int_equal(loop_turn(edge->loop), 0);
    assert_true(n_turns <= edge->n_ticks - n_ticks + 5); /* the ticks' own turns, and a few */
}

static void a_port_in_use_is_said(void **state)
{
    struct edge *edge = *state;
    struct admin *second = NULL;
    char listen[64], error[256], expected[256];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", admin_port(edge->admin));
    struct admin_settings settings = settings_for(edge, listen);
    assert_int_equal(admin_new(&settings, edge->loop, &second, error, sizeof error), -EADDRINUSE);
    (void)snprintf(expected, sizeof expected, "admin.listen %s: Address already in use", listen);
    assert_string_equal(error, expected);
    assert_null(second);
}

static void requests_that_are_open_end_with_the_edge(void **state)
{
    struct edge *edge = *state;
    int half = client_of(edge);
    assert_int_equal(send(half, "GET /", 5, 0), 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_turn(edge->loop), 0);
    admin_free(edge->admin);
    edge->admin = NULL;
    (void)reply_to(edge, half);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_served_and_its_connection_closed),
        TEST(a_page_larger_than_the_sockets_buffer_comes_whole),
        TEST(head_has_no_body_and_nothing_else_is_allowed),
        TEST(what_is_no_request_is_refused),
        TEST(a_megabyte_of_header_is_cut_off),
        TEST(a_client_that_sends_a_byte_now_and_then_is_hung_up_on),
        TEST(a_client_that_does_not_read_holds_nobody),
        TEST(a_flood_of_connections_keeps_nobody_out_and_holds_no_turn),
        TEST(an_idle_edge_does_not_wake_the_loop),
        TEST(a_port_in_use_is_said),
        TEST(requests_that_are_open_end_with_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

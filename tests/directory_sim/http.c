/* libmicrohttpd's side: one epoll loop that also keeps the delays. A call that must wait is
 * suspended and costs nothing until its timer comes (measured: see README). */
#include "tests/directory_sim/admin.h"
#include "tests/directory_sim/graph.h"
#include "tests/directory_sim/record.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_FILE_BYTES_MAX = 65536, LISTEN_BACKLOG = 4096, EVENTS = 64 };

struct loop {
    struct sim *sim;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    int signal_fd;
    char *cert, *key; /* PEM texts, NULL without TLS */
};

static int call_fd(const struct call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info->connect_fd;
}

static void read_client(struct call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr_in *address = (const void *)info->client_addr; /* we listen on no other */
    (void)inet_ntop(AF_INET, &address->sin_addr, call->client, sizeof call->client);
}

static struct loop *call_loop(const struct call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

const char *call_header(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

const char *call_query(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

void call_add_header(struct call *call, const char *name, const char *value)
{
    for (size_t i = 0; i < call->n_headers; i++) {
        if (text_same(call->header[i].name, name)) {
            free(call->header[i].value);
            call->header[i].value = text_dup(value);
            return;
        }
    }
    if (call->n_headers < HEADERS_MAX)
        call->header[call->n_headers++] = (struct reply_header){text_dup(name), text_dup(value)};
}

void call_base(const struct call *call, struct buffer *buffer)
{
    const char *host = call_header(call, "Host");
    buffer_format(buffer, "http%s://%s", call_loop(call)->cert ? "s" : "",
                  host ? host : "localhost");
}

/* A reset that no byte and no FIN precedes: disconnecting a TCP socket by AF_UNSPEC sends RST at
 * once, while SO_LINGER 0 would act only after the library's own shutdown() sent a FIN. */
static void call_reset(const struct call *call)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    if (connect(call_fd(call), &none, sizeof none) != 0)
        fprintf(stderr, "directory-sim: cannot reset a connection: %s\n", strerror(errno));
}

static enum MHD_Result call_send(struct call *call)
{
    struct buffer *reply = &call->reply;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->n, reply->bytes, MHD_RESPMEM_MUST_FREE);
    assert(response);
    *reply = (struct buffer){0}; /* the response frees it */
    for (size_t i = 0; i < call->n_headers; i++)
        MHD_add_response_header(response, call->header[i].name, call->header[i].value);
    enum MHD_Result result = MHD_queue_response(call->connection, (unsigned)call->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Suspends the call until due_mono_ms (INT64_MAX: a release). A hung call's socket is watched,
 * because the library does not look at suspended ones and the client may leave. */
static void call_wait(struct call *call, int64_t due_mono_ms)
{
    struct sim *sim = call->sim;
    call->phase = CALL_WAITING;
    call->hung = due_mono_ms == INT64_MAX;
    call->next = sim->waiting;
    if (call->next)
        call->next->previous = call;
    sim->waiting = call;
    MHD_suspend_connection(call->connection);
    if (call->hung) {
        struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = call};
        epoll_ctl(call_loop(call)->epoll_fd, EPOLL_CTL_ADD, call_fd(call), &event);
    } else {
        timers_add(&sim->timers, due_mono_ms, call);
    }
}

static void call_finish(struct call *call)
{
    call->phase = CALL_READY;
    if (call->drop)
        call->status = 0;
    else if (call->serve_late)
        graph_serve(call->sim, call);
    calls_answer(call->sim, call);
    record_call(call);
}

static void call_wake(struct call *call)
{
    struct sim *sim = call->sim;
    if (call->hung)
        epoll_ctl(call_loop(call)->epoll_fd, EPOLL_CTL_DEL, call_fd(call), NULL);
    *(call->previous ? &call->previous->next : &sim->waiting) = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->previous = call->next = NULL;
    call_finish(call);
    MHD_resume_connection(call->connection);
    sim->resumed = true;
}

int calls_release(struct sim *sim)
{
    int n = 0;
    for (struct call *call = sim->waiting, *next; call; call = next) {
        next = call->next;
        if (call->hung) {
            call_wake(call);
            n++;
        }
    }
    return n;
}

/* The whole request is here: serve it now or later, well or badly. */
static void call_begin(struct call *call)
{
    struct sim *sim = call->sim;
    if (strncmp(call->path, "/admin/", 7) == 0) {
        admin_serve(sim, call);
        call->phase = CALL_READY;
        return;
    }
    graph_identify(sim, call);
    calls_arrive(sim, call);
    const struct fault *fault = faults_take(sim, call);
    bool late = fault && !fault->after;
    call->drop = fault && fault->kind == FAULT_RESET;
    call->serve_late = late && (fault->kind == FAULT_HANG || fault->kind == FAULT_DELAY);
    if (!late)
        graph_serve(sim, call);
    if (fault && fault->kind == FAULT_ANSWER)
        fault_answer(fault, call);
    int64_t wait_ms = sim->options.latency_ms + (fault ? fault->delay_ms : 0);
    if (fault && fault->kind == FAULT_HANG)
        call_wait(call, INT64_MAX);
    else if (wait_ms > 0)
        call_wait(call, sim->mono_ms + wait_ms);
    else
        call_finish(call);
}

static void *call_open(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct call *call = memory_zeroed(sizeof *call);
    call->sim = cls;
    call->connection = connection;
    read_client(call);
    call->target = text_dup(uri);
    return call;
}

static enum MHD_Result call_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *data_n, void **context)
{
    (void)cls, (void)connection, (void)version;
    struct call *call = *context;
    if (call->phase == CALL_HEADERS) {
        call->phase = CALL_BODY;
        call->path = text_dup(url);
        snprintf(call->method, sizeof call->method, "%s", method);
        return MHD_YES;
    }
    if (call->phase == CALL_BODY && *data_n) {
        if (call->body.n + *data_n > BODY_BYTES_MAX)
            return MHD_NO;
        buffer_add(&call->body, data, *data_n);
        *data_n = 0;
        return MHD_YES;
    }
    if (call->phase == CALL_BODY)
        call_begin(call);
    if (call->phase == CALL_WAITING)
        return MHD_YES;
    if (call->drop) {
        call_reset(call);
        return MHD_NO;
    }
    return call_send(call);
}

static void call_close(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code)
{
    (void)cls, (void)connection, (void)code;
    struct call *call = *context;
    if (!call)
        return;
    *context = NULL;
    calls_leave(call->sim, call);
    for (size_t i = 0; i < call->n_headers; i++) {
        free(call->header[i].name);
        free(call->header[i].value);
    }
    buffer_clear(&call->body);
    buffer_clear(&call->reply);
    free(call->target);
    free(call->path);
    free(call->capture);
    free(call->user);
    free(call);
}

static void connection_note(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode code)
{
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *context = cls;
}

void sim_clocks_read(struct sim *sim)
{
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    sim->mono_ms = mono.tv_sec * 1000 + mono.tv_nsec / 1000000;
    sim->wall_ms = wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}

static int loop_timeout_ms(const struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG pending_ms;
    /* libmicrohttpd 0.9.75 neither signals nor reports a call that was resumed inside MHD_run. */
    if (loop->sim->resumed)
        return 0;
    if (MHD_get_timeout(loop->daemon, &pending_ms) == MHD_YES && pending_ms == 0)
        return 0;
    int64_t due = timers_next_mono_ms(&loop->sim->timers);
    if (due < 0)
        return -1;
    int64_t wait_ms = due - loop->sim->mono_ms;
    return wait_ms < 0 ? 0 : wait_ms > 60000 ? 60000 : (int)wait_ms;
}

static void loop_turn_until_signal(struct loop *loop)
{
    struct sim *sim = loop->sim;
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(loop->epoll_fd, events, EVENTS, loop_timeout_ms(loop));
        sim_clocks_read(sim);
        for (int i = 0; i < n; i++) {
            struct call *gone = events[i].data.ptr;
            if (events[i].data.ptr == &loop->signal_fd)
                return;
            if (events[i].data.ptr == loop->daemon)
                continue;
            gone->drop = true; /* a hung call whose client left: no effect any more */
            call_wake(gone);
        }
        for (struct call *call; (call = timers_take(&sim->timers, sim->mono_ms));)
            call_wake(call);
        sim->resumed = false;
        MHD_run(loop->daemon);
    }
}

static int loop_watch(const struct loop *loop, int fd, void *value)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = value};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = memory_zeroed(TEXT_FILE_BYTES_MAX);
    size_t n = fread(text, 1, TEXT_FILE_BYTES_MAX - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

static bool address_parse(const char *listen, struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN] = "";
    int port = -1;
    int taken = 0;
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(listen, "%15[0-9.]:%d%n", host, &port, &taken) != 2 || listen[taken])
        return false;
    address->sin_port = htons((uint16_t)port);
    return port >= 0 && port <= 65535 && inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static bool loop_listen(struct loop *loop, const struct sockaddr_in *address)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (loop->cert ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, loop->cert},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, loop->key},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    loop->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, call_handle, loop->sim, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_LISTEN_BACKLOG_SIZE,
        (unsigned)LISTEN_BACKLOG, MHD_OPTION_URI_LOG_CALLBACK, call_open, loop->sim,
        MHD_OPTION_NOTIFY_COMPLETED, call_close, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        connection_note, loop, MHD_OPTION_ARRAY, loop->cert ? tls : none, MHD_OPTION_END);
    return loop->daemon != NULL;
}

static int loop_run(struct loop *loop, const char *listen)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    loop->signal_fd = signalfd(-1, &stop, SFD_CLOEXEC);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int daemon_fd = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (loop_watch(loop, loop->signal_fd, &loop->signal_fd) != 0 ||
        loop_watch(loop, daemon_fd, loop->daemon) != 0)
        return 1;
    printf("listening on %.*s:%d\n", (int)strcspn(listen, ":"), listen,
           MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    loop_turn_until_signal(loop);
    while (loop->sim->waiting) { /* the library aborts when stopped with suspended calls */
        loop->sim->waiting->drop = true;
        call_wake(loop->sim->waiting);
    }
    MHD_stop_daemon(loop->daemon);
    close(loop->signal_fd);
    close(loop->epoll_fd);
    return 0;
}

int http_run(struct sim *sim, const char *listen, const char *cert_file, const char *key_file)
{
    struct loop loop = {.sim = sim};
    struct sockaddr_in address;
    if (!address_parse(listen, &address)) {
        fprintf(stderr, "directory-sim: --listen wants ADDRESS:PORT, not '%s'\n", listen);
        return 64;
    }
    if (cert_file) {
        loop.cert = file_read(cert_file);
        loop.key = file_read(key_file);
    }
    bool ready = !cert_file || (loop.cert && loop.key);
    if (!ready)
        fprintf(stderr, "directory-sim: cannot read %s and %s\n", cert_file, key_file);
    if (ready && !(ready = loop_listen(&loop, &address)))
        fprintf(stderr, "directory-sim: cannot listen on %s\n", listen);
    int code = ready ? loop_run(&loop, listen) : 1;
    free(loop.cert);
    free(loop.key);
    return code;
}

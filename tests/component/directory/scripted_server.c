#include "tests/component/directory/scripted_server.h"

#include "worker/loop.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, LOG_MAX = 8192, LOG_TEXT = 96, CHUNK_BYTES = 65536 };

struct connection {
    int fd, number, n_requests;
    size_t n_in;
    char in[2 * SCRIPTED_REQUEST_BYTES];
    bool replying;
    int64_t reply_at_ms;
    struct scripted_reply reply;
};

struct scripted_server {
    scripted_handler *handler;
    void *context;
    pthread_t thread;
    int listen_fd, stop_fd;
    char url[64];
    int n, n_accepted, n_requests, n_open_requests;
    struct connection *connections[CONNECTIONS_MAX];
    /* Not static: a test may have two servers, and so two threads. */
    struct scripted_request request;
    pthread_mutex_t lock; /* of what follows */
    int most_at_once, n_connections, n_logged;
    char log[LOG_MAX][LOG_TEXT]; /* "METHOD target" */
};

/* False: the other side has gone. */
static bool send_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool send_filler(int fd, int64_t bytes)
{
    char chunk[CHUNK_BYTES];
    memset(chunk, 'x', sizeof chunk);
    for (; bytes > 0; bytes -= CHUNK_BYTES)
        if (!send_all(fd, chunk, bytes < CHUNK_BYTES ? (size_t)bytes : CHUNK_BYTES))
            return false;
    return true;
}

/* True: the connection stays. */
static bool send_reply(struct scripted_server *server, struct connection *connection)
{
    const struct scripted_reply *reply = &connection->reply;
    const char *body = reply->body != NULL ? reply->body : "";
    char head[4096];
    connection->replying = false;
    server->n_open_requests--;
    if (reply->end == SCRIPTED_DROP)
        return false;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Scripted\r\n%s", reply->status,
                     reply->headers != NULL ? reply->headers : "");
    assert(n > 0 && (size_t)n < sizeof head);
    if (!send_all(connection->fd, head, (size_t)n))
        return false;
    if (reply->header_filler_bytes > 0 &&
        !(send_all(connection->fd, "X-Filler: ", 10) &&
          send_filler(connection->fd, reply->header_filler_bytes) &&
          send_all(connection->fd, "\r\n", 2)))
        return false;
    if (reply->status == 204)
        n = snprintf(head, sizeof head, "\r\n");
    else
        n = snprintf(head, sizeof head, "Content-Length: %lld\r\n\r\n",
                     (long long)strlen(body) + (long long)reply->filler_bytes);
    return send_all(connection->fd, head, (size_t)n) &&
           send_all(connection->fd, body, strlen(body)) &&
           send_filler(connection->fd, reply->filler_bytes) && reply->end == SCRIPTED_KEEP;
}

static void log_request(struct scripted_server *server, const struct scripted_request *request)
{
    (void)pthread_mutex_lock(&server->lock);
    assert(server->n_logged < LOG_MAX);
    (void)snprintf(server->log[server->n_logged++], LOG_TEXT, "%s %.80s", request->method,
                   request->target);
    if (server->n_open_requests > server->most_at_once)
        server->most_at_once = server->n_open_requests;
    (void)pthread_mutex_unlock(&server->lock);
}

/* Takes one whole request out of what was read, if it is there. */
static void take_request(struct scripted_server *server, struct connection *connection)
{
    struct scripted_request *request = &server->request;
    connection->in[connection->n_in] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (connection->replying || end == NULL)
        return;
    char *length = strcasestr(connection->in, "\r\nContent-Length:");
    size_t body_bytes = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t head_bytes = (size_t)(end + 4 - connection->in);
    if (connection->n_in < head_bytes + body_bytes)
        return;
    memset(request, 0, sizeof *request);
    int n = 0;
    (void)sscanf(connection->in, "%7s %4095s HTTP/1.1\r\n%n", request->method, request->target, &n);
    memcpy(request->head, connection->in + n, head_bytes - (size_t)n);
    memcpy(request->body, end + 4, body_bytes);
    connection->n_in -= head_bytes + body_bytes;
    memmove(connection->in, end + 4 + body_bytes, connection->n_in);
    request->number = server->n_requests++;
    request->connection = connection->number;
    request->on_connection = connection->n_requests++;
    server->n_open_requests++;
    log_request(server, request);
    connection->replying = true;
    connection->reply = (struct scripted_reply){.status = 200};
    server->handler(server->context, request, &connection->reply);
    connection->reply_at_ms = loop_read_mono_ms() + connection->reply.delay_ms;
    if (connection->reply.end == SCRIPTED_SILENCE)
        connection->reply_at_ms = INT64_MAX;
}

static bool read_more(struct scripted_server *server, struct connection *connection)
{
    size_t room = sizeof connection->in - 1 - connection->n_in;
    ssize_t n = recv(connection->fd, connection->in + connection->n_in, room, 0);
    if (n <= 0)
        return false;
    connection->n_in += (size_t)n;
    take_request(server, connection);
    return true;
}

static void accept_one(struct scripted_server *server)
{
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (fd < 0)
        return;
    assert(server->n < CONNECTIONS_MAX);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = calloc(1, sizeof *connection);
    assert(connection != NULL);
    connection->fd = fd;
    connection->number = server->n_accepted++;
    server->connections[server->n++] = connection;
    (void)pthread_mutex_lock(&server->lock);
    server->n_connections++;
    (void)pthread_mutex_unlock(&server->lock);
}

static void drop(struct scripted_server *server, int i)
{
    struct connection *connection = server->connections[i];
    server->n_open_requests -= connection->replying;
    (void)close(connection->fd);
    free(connection);
    server->connections[i] = server->connections[--server->n];
}

static int fill_polls(struct scripted_server *server, struct pollfd *polls)
{
    int64_t wait_ms = INT32_MAX, now = loop_read_mono_ms();
    polls[0] = (struct pollfd){.fd = server->stop_fd, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
    for (int i = 0; i < server->n; i++) {
        struct connection *connection = server->connections[i];
        polls[i + 2] = (struct pollfd){.fd = connection->fd, .events = POLLIN};
        if (connection->replying && connection->reply_at_ms - now < wait_ms)
            wait_ms = connection->reply_at_ms - now;
    }
    return wait_ms < 0 ? 0 : (int)wait_ms;
}

static void *serve(void *context)
{
    struct scripted_server *server = context;
    struct pollfd *polls = calloc(CONNECTIONS_MAX + 2, sizeof *polls);
    assert(polls != NULL);
    for (;;) {
        int wait_ms = fill_polls(server, polls), n = server->n;
        if (poll(polls, (nfds_t)n + 2, wait_ms) < 0 && errno != EINTR)
            break;
        if (polls[0].revents != 0)
            break;
        int64_t now = loop_read_mono_ms();
        for (int i = n - 1; i >= 0; i--) { /* backwards: drop moves the last one down */
            struct connection *connection = server->connections[i];
            bool stays = true;
            if (polls[i + 2].revents != 0)
                stays = read_more(server, connection);
            if (stays && connection->replying && connection->reply_at_ms <= now) {
                stays = send_reply(server, connection);
                if (stays)
                    take_request(server, connection);
            }
            if (!stays)
                drop(server, i);
        }
        if (polls[1].revents != 0)
            accept_one(server);
    }
    while (server->n > 0)
        drop(server, server->n - 1);
    free(polls);
    return NULL;
}

struct scripted_server *scripted_server_new(scripted_handler *handler, void *context)
{
    struct scripted_server *server = calloc(1, sizeof *server);
    assert(server != NULL);
    server->handler = handler;
    server->context = context;
    (void)pthread_mutex_init(&server->lock, NULL);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int rc = bind(server->listen_fd, (struct sockaddr *)&address, length);
    rc |= listen(server->listen_fd, CONNECTIONS_MAX);
    rc |= getsockname(server->listen_fd, (struct sockaddr *)&address, &length);
    assert(rc == 0);
    (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    rc = pthread_create(&server->thread, NULL, serve, server);
    assert(rc == 0);
    return server;
}

void scripted_server_free(struct scripted_server *server)
{
    uint64_t one = 1;
    ssize_t n = write(server->stop_fd, &one, sizeof one);
    assert(n == sizeof one);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->stop_fd);
    (void)close(server->listen_fd);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *scripted_server_url(const struct scripted_server *server)
{
    return server->url;
}

int scripted_server_count(struct scripted_server *server, const char *method, const char *target)
{
    int count = 0;
    (void)pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->n_logged; i++) {
        const char *space = strchr(server->log[i], ' ');
        count += strncmp(server->log[i], method, strlen(method)) == 0 &&
                 strncmp(space + 1, target, strlen(target)) == 0;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return count;
}

int scripted_server_most_at_once(struct scripted_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    int n = server->most_at_once;
    (void)pthread_mutex_unlock(&server->lock);
    return n;
}

int scripted_server_connections(struct scripted_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    int n = server->n_connections;
    (void)pthread_mutex_unlock(&server->lock);
    return n;
}

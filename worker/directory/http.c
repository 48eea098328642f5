#include "worker/directory/http.h"

#include "worker/test_controls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Servers close idle connections after 75 s (nginx) and more; a request that meets the close
     * on its way is lost. */
    CONNECTION_IDLE_MAX_S = 50,
    DESCRIPTORS_FIRST = 64,
    ORIGIN_BYTES = 512,
};

/* A descriptor that curl waits for. curl says REMOVE after every call and IN before the next one;
 * its own sockets stay registered in between (10,048 -> 512 epoll_ctl for 4,800 calls) until they
 * are closed, or until an event comes that nobody waits for. */
struct socket {
    struct watch watch;
    struct http *http;
    uint32_t events; /* registered with the loop, 0: not */
    bool wanted;     /* curl waits for it */
    bool announced;  /* opened by us, so its closing is told to us: it may stay registered. The
                        resolver's socket pair is closed without a word. */
};

struct http {
    struct loop *loop;
    CURLM *multi;
    struct timer timer;
    struct http_settings settings;
    struct socket **sockets; /* by descriptor */
    size_t n_sockets;
};

static void finish_transfers(struct http *http);

static void drive(struct http *http, curl_socket_t fd, int mask)
{
    int running;
    CURLMcode rc = curl_multi_socket_action(http->multi, fd, mask, &running);
    assert(rc == CURLM_OK);
    finish_transfers(http);
}

static void on_timer(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct http *http = context;
    if (timeout_ms < 0)
        loop_cancel_timer(http->loop, &http->timer);
    else
        loop_set_timer(http->loop, &http->timer, loop_now(http->loop)->mono_ms + timeout_ms);
    return 0;
}

static void socket_register(struct socket *socket, uint32_t events)
{
    struct loop *loop = socket->http->loop;
    int rc = 0;
    if (events == socket->events)
        return;
    if (events == 0)
        loop_remove(loop, &socket->watch);
    else if (socket->events == 0)
        rc = loop_add(loop, &socket->watch, events);
    else
        rc = loop_modify(loop, &socket->watch, events);
    /* A connection nobody watches would hang its call for ever. */
    assert(rc == 0 && "a socket cannot be watched");
    socket->events = events;
}

static void on_socket_ready(void *context, uint32_t events)
{
    struct socket *socket = context;
    if (!socket
             ->wanted) { /* the server closed an idle connection: curl sees that at its next use */
        socket_register(socket, 0);
        return;
    }
    int mask = ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
               ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
               ((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
    drive(socket->http, socket->watch.fd, mask);
}

/* NULL: no memory. */
static struct socket *socket_of(struct http *http, curl_socket_t fd)
{
    if ((size_t)fd >= http->n_sockets) {
        size_t n = http->n_sockets == 0 ? DESCRIPTORS_FIRST : http->n_sockets;
        while (n <= (size_t)fd)
            n *= 2;
        struct socket **sockets = realloc(http->sockets, n * sizeof *sockets);
        if (sockets == NULL)
            return NULL;
        memset(sockets + http->n_sockets, 0, (n - http->n_sockets) * sizeof *sockets);
        http->sockets = sockets;
        http->n_sockets = n;
    }
    struct socket *socket = http->sockets[fd];
    if (socket == NULL) {
        socket = calloc(1, sizeof *socket);
        if (socket == NULL)
            return NULL;
        *socket = (struct socket){.http = http};
        socket->watch = (struct watch){fd, on_socket_ready, socket};
        http->sockets[fd] = socket;
    }
    return socket;
}

static int on_watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    (void)easy, (void)unused;
    struct socket *socket = socket_of(context, fd);
    assert(socket != NULL && "no memory for a socket");
    socket->wanted = what != CURL_POLL_REMOVE;
    if (socket->wanted)
        socket_register(socket, (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                                    (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0));
    else if (!socket->announced)
        socket_register(socket, 0);
    return 0;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    struct socket *socket = socket_of(context, fd);
    if (socket == NULL) {
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    socket->announced = true;
    return fd;
}

static int on_close_socket(void *context, curl_socket_t fd)
{
    struct socket *socket = socket_of(context, fd);
    if (socket != NULL) {
        socket_register(socket, 0);
        socket->announced = socket->wanted = false;
    }
    return close(fd);
}

/* Called when the connection stands and the request is about to leave. When a reused connection
 * dies before the reply, libcurl sends the request again by itself, a change too; no option stops
 * that (measured with 7.88.1), so the second time is refused here. */
static int on_before_send(void *context, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct transfer *transfer = context;
    transfer->n_sends++;
    if (!transfer->changes)
        return CURL_PREREQFUNC_OK;
    if (transfer->n_sends > 1)
        return test_without("prereq") ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
    transfer->unproven =
        loop_read_mono_ms() > transfer->proven_until_mono_ms && !test_without("proof");
    return transfer->unproven ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    return reply_take_header(&transfer->reply, line, size * n) ? size * n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    return reply_take_body(&transfer->reply, data, size * n) ? size * n : 0;
}

static enum reply_fate fate_of(const struct transfer *transfer, CURLcode result)
{
    if (result == CURLE_OK)
        return REPLY_WHOLE;
    if (transfer->unproven)
        return REPLY_UNPROVEN;
    return transfer->n_sends == 0 ? REPLY_UNSENT : REPLY_LOST;
}

static void finish_transfers(struct http *http)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        char *private = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct transfer *transfer = (struct transfer *)private;
        (void)curl_multi_remove_handle(http->multi, transfer->easy); /* message is gone now */
        transfer->running = false;
        transfer->reply.fate = fate_of(transfer, result);
        transfer->fault = result == CURLE_OK ? NULL : curl_easy_strerror(result);
        transfer->on_done(transfer->context);
    }
}

int http_new(struct loop *loop, const struct http_settings *settings, struct http **ret_http)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return -ENOMEM;
    *http = (struct http){.loop = loop, .settings = *settings};
    http->timer = (struct timer){.on_due = on_timer, .context = http};
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        free(http);
        return -ENOMEM;
    }
    CURLM *multi = http->multi;
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_watch_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    (void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)settings->connections_max);
    *ret_http = http;
    return 0;
}

void http_free(struct http *http)
{
    if (http == NULL)
        return;
    (void)curl_multi_cleanup(http->multi); /* closes the connections, through on_close_socket */
    loop_cancel_timer(http->loop, &http->timer);
    for (size_t i = 0; i < http->n_sockets; i++)
        free(http->sockets[i]);
    free(http->sockets);
    free(http);
}

int transfer_init(struct transfer *transfer, struct http *http)
{
    transfer->http = http;
    transfer->easy = curl_easy_init();
    CURL *easy = transfer->easy;
    if (easy == NULL)
        return -ENOMEM;
    /* What stays for the life of the handle. Setting an option to a value that this libcurl knows
     * cannot fail but for memory, which the two strings could need. */
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK && http->settings.ca_file[0] != '\0')
        rc = curl_easy_setopt(easy, CURLOPT_CAINFO, http->settings.ca_file);
    if (rc != CURLE_OK) {
        curl_easy_cleanup(easy);
        transfer->easy = NULL;
        return -ENOMEM;
    }
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Else the end of a transfer waits for its resolver thread: 7 s on the loop with a getaddrinfo
     * of 8 s and a timeout of 1 s (measured with 7.88.1). */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)CONNECTION_IDLE_MAX_S);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)http->settings.timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, http);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, http);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_send);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    return 0;
}

void transfer_stand_alone(struct transfer *transfer, int timeout_ms)
{
    (void)curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
}

void transfer_deinit(struct transfer *transfer)
{
    transfer_cancel(transfer);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    reply_deinit(&transfer->reply);
}

/* libcurl is given the server and, as the request's target, all the rest: it would take a URL into
 * its parts, print them together again and copy them byte by byte, a fifth of its work per call. */
static CURLcode set_url(CURL *easy, const char *url)
{
    char origin[ORIGIN_BYTES];
    const char *scheme_end = strstr(url, "://");
    assert(scheme_end != NULL);
    const char *authority = scheme_end + strlen("://");
    const char *target = authority + strcspn(authority, "/");
    assert((size_t)(target - url) < sizeof origin);
    *(char *)mempcpy(origin, url, (size_t)(target - url)) = '\0';
    if (target[0] == '\0')
        target = "/";
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, origin);
    return rc == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target) : rc;
}

void transfer_start(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    assert(!transfer->running);
    reply_clear(&transfer->reply, false);
    transfer->fault = NULL;
    transfer->n_sends = 0;
    transfer->unproven = false;
    if (transfer->body == NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)transfer->body_bytes);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body);
    }
    bool is_plain = strcmp(transfer->method, "GET") == 0 || strcmp(transfer->method, "POST") == 0;
    const char *custom = is_plain ? NULL : transfer->method;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_PROXY, transfer->no_proxy ? "" : NULL);
    /* Not CURLOPT_USERAGENT, which is printed twice a call. No "Expect:" is needed: libcurl waits
     * for "100 Continue" only with bodies above 1 MB. */
    transfer->first_header = (struct curl_slist){
        .data = "User-Agent: restore-worker/" RESTORE_WORKER_VERSION, .next = transfer->headers};
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &transfer->first_header);
    if (rc == CURLE_OK)
        rc = set_url(easy, transfer->url);
    /* Without memory for a URL there is none for a reply; the journal knows how to go on. */
    assert(rc == CURLE_OK && "no memory for a call");
    CURLMcode added = curl_multi_add_handle(transfer->http->multi, easy);
    assert(added == CURLM_OK);
    transfer->running = true;
}

void transfer_cancel(struct transfer *transfer)
{
    if (!transfer->running)
        return;
    (void)curl_multi_remove_handle(transfer->http->multi, transfer->easy);
    transfer->running = false;
}

#include "worker/admin.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 32,
    CONNECTION_MS = 5 * SECOND_MS, /* from accept to close */
    CONNECTION_BYTES = 8 * 1024,   /* of memory: request line and headers; more is a 431 */
    BACKLOG = 64,
};

struct connection {
    int fd; /* -1: free */
    int64_t opened_at_mono_ms;
};

struct admin {
    struct admin_settings settings;
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct watch watch; /* libmicrohttpd's epoll */
    struct timer timer; /* libmicrohttpd's wish, and the oldest connection's end */
    int port;
    struct connection connections[CONNECTIONS_MAX];
};

/* ---- connections ----------------------------------------------------------------------------- */

static struct connection *oldest_of(struct admin *admin, int *ret_n)
{
    struct connection *oldest = NULL;
    *ret_n = 0;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &admin->connections[i];
        if (connection->fd < 0)
            continue;
        ++*ret_n;
        if (oldest == NULL || connection->opened_at_mono_ms < oldest->opened_at_mono_ms)
            oldest = connection;
    }
    return oldest;
}

/* libmicrohttpd has a limit for silence, but none for a client that sends a byte now and then; it
 * sees the end of the stream and closes. Until then the place stays taken. */
static void hang_up(struct connection *connection)
{
    (void)shutdown(connection->fd, SHUT_RDWR);
    connection->opened_at_mono_ms = INT64_MAX;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **place,
                          enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*place != NULL)
            ((struct connection *)*place)->fd = -1;
        return;
    }
    int i = 0, n;
    while (i < CONNECTIONS_MAX && admin->connections[i].fd >= 0)
        i++;
    assert(i < CONNECTIONS_MAX && "MHD_OPTION_CONNECTION_LIMIT");
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    admin->connections[i] = (struct connection){
        .fd = info->connect_fd, .opened_at_mono_ms = loop_now(admin->loop)->mono_ms};
    *place = &admin->connections[i];
    struct connection *oldest = oldest_of(admin, &n);
    if (n == CONNECTIONS_MAX && oldest != *place) /* else all others are on their way out */
        hang_up(oldest);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* `text` was malloc'ed, and is the reply's from now on. */
static enum MHD_Result reply(struct MHD_Connection *mhd, int status, const char *content_type,
                             char *text, size_t bytes)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO; /* closes the connection */
    }
    const char *const headers[][2] = {
        {MHD_HTTP_HEADER_CONTENT_TYPE, content_type},
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {MHD_HTTP_HEADER_CONNECTION, "close"}, /* so that its age is the request's */
        {MHD_HTTP_HEADER_ALLOW, status == MHD_HTTP_METHOD_NOT_ALLOWED ? "GET, HEAD" : NULL},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (headers[i][1] != NULL)
            (void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
    enum MHD_Result result = MHD_queue_response(mhd, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *mhd, int status, const char *text)
{
    char *copy = strdup(text);
    return copy == NULL ? MHD_NO : reply(mhd, status, "text/plain", copy, strlen(copy));
}

static enum MHD_Result serve(struct admin *admin, struct MHD_Connection *mhd,
                             const struct admin_page *page)
{
    static const char word[] = "verbose";
    char *text = NULL;
    size_t bytes = 0;
    bool verbose = MHD_lookup_connection_value_n(mhd, MHD_GET_ARGUMENT_KIND, word, sizeof word - 1,
                                                 NULL, NULL) == MHD_YES;
    FILE *file = open_memstream(&text, &bytes);
    if (file == NULL)
        return MHD_NO;
    int status = page->write(admin->settings.context, verbose, file);
    bool written = ferror(file) == 0;
    if (fclose(file) != 0 || !written) {
        free(text);
        return MHD_NO;
    }
    return reply(mhd, status, page->content_type, text, bytes);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_bytes, void **state)
{
    (void)version;
    (void)body;
    (void)body_bytes;
    (void)state;
    struct admin *admin = context;
    /* Answered when the headers are there: a body is never read. */
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, "read only\n");
    for (int i = 0; i < admin->settings.n_pages; i++)
        if (strcmp(admin->settings.pages[i].path, path) == 0)
            return serve(admin, mhd, &admin->settings.pages[i]);
    return refuse(mhd, MHD_HTTP_NOT_FOUND, "no such page\n");
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void run(struct admin *admin)
{
    int64_t now = loop_now(admin->loop)->mono_ms, at = INT64_MAX;
    MHD_UNSIGNED_LONG_LONG wish;
    struct connection *oldest;
    int n;
    while ((oldest = oldest_of(admin, &n)) != NULL &&
           oldest->opened_at_mono_ms <= now - CONNECTION_MS)
        hang_up(oldest);
    bool was_full = n == CONNECTIONS_MAX;
    (void)MHD_run(admin->daemon);
    oldest = oldest_of(admin, &n);
    /* 0.9.75 stops listening when all places are taken, and begins again only in the run after the
     * one that freed a place: without another nothing would wake us (measured). */
    if (was_full && n < CONNECTIONS_MAX) {
        (void)MHD_run(admin->daemon);
        oldest = oldest_of(admin, &n);
    }
    if (oldest != NULL && oldest->opened_at_mono_ms != INT64_MAX)
        at = oldest->opened_at_mono_ms + CONNECTION_MS;
    if (MHD_get_timeout(admin->daemon, &wish) == MHD_YES && wish < (uint64_t)(at - now))
        at = now + (int64_t)wish;
    if (at < INT64_MAX)
        loop_set_timer(admin->loop, &admin->timer, at);
    else
        loop_cancel_timer(admin->loop, &admin->timer);
}

static void on_ready(void *context, uint32_t events)
{
    (void)events;
    run(context);
}

static void on_due(void *context)
{
    run(context);
}

/* ---- making and ending ----------------------------------------------------------------------- */

/* ADDRESS:PORT or [ADDRESS]:PORT, numeric. */
static socklen_t read_address(const char *listen, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(listen, ':');
    *ret_address = (struct sockaddr_storage){0};
    if (colon == NULL || (size_t)(colon - listen) >= sizeof host)
        return 0;
    memcpy(host, listen, (size_t)(colon - listen));
    host[colon - listen] = '\0';
    in_port_t port = htons((in_port_t)strtol(colon + 1, NULL, 10));
    size_t length = strlen(host);
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        six->sin6_family = AF_INET6;
        six->sin6_port = port;
        return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 ? sizeof *six : 0;
    }
    four->sin_family = AF_INET;
    four->sin_port = port;
    return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? sizeof *four : 0;
}

/* The socket, or -errno. */
static int open_socket(const char *listen_at, int *ret_port)
{
    struct sockaddr_storage address;
    socklen_t length = read_address(listen_at, &address);
    int on = 1;
    if (length == 0)
        return -EINVAL;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    /* The port stands at the same place in both families. */
    *ret_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return fd;
}

static int start(struct admin *admin, int fd)
{
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)1024,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, admin, MHD_OPTION_END);
    if (admin->daemon == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    admin->watch.fd = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    admin->watch.on_ready = on_ready;
    admin->watch.context = admin;
    return loop_add(admin->loop, &admin->watch, EPOLLIN);
}

int admin_new(const struct admin_settings *settings, struct loop *loop, struct admin **ret_admin,
              char *reterr, size_t reterr_bytes)
{
    struct admin *admin = calloc(1, sizeof *admin);
    int rc = -ENOMEM;
    if (admin != NULL) {
        admin->settings = *settings;
        admin->loop = loop;
        admin->timer = (struct timer){.on_due = on_due, .context = admin};
        for (int i = 0; i < CONNECTIONS_MAX; i++)
            admin->connections[i].fd = -1;
        int fd = rc = open_socket(settings->listen, &admin->port);
        if (fd >= 0)
            rc = start(admin, fd);
    }
    if (rc < 0) {
        (void)snprintf(reterr, reterr_bytes, "admin.listen %s: %s", settings->listen,
                       strerror(-rc));
        admin_free(admin);
        return rc;
    }
    *ret_admin = admin;
    return 0;
}

int admin_port(const struct admin *admin)
{
    return admin->port;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL)
        return;
    loop_cancel_timer(admin->loop, &admin->timer);
    if (admin->watch.on_ready != NULL)
        loop_remove(admin->loop, &admin->watch);
    if (admin->daemon != NULL)
        MHD_stop_daemon(admin->daemon);
    free(admin);
}

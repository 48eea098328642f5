/* The yardstick of the benchmark: the directory calls of plain restores by id with nothing around
 * them. One thread, one epoll, libcurl's multi handle, HTTP/1.1 keep-alive; replies are read and
 * thrown away. Whatever the worker needs beyond this is journal, encryption and care.
 *
 *     bare_loop URL TENANT CLIENT_ID SECRET RESTORES IN_FLIGHT leave|generate
 *
 * Restores users 0..RESTORES-1 of a directory-sim; prints one line of JSON. */
#include <curl/curl.h>

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { URL_BYTES = 1024, TOKEN_BYTES = 8192, EVENTS = 256, FIRST_EVENTS_MAX = 1 << 20 };

#define FIELDS                                                                                     \
    "$select=id,userPrincipalName,displayName,mail,preferredLanguage,otherMails,createdDateTime,"  \
    "deletedDateTime,lastPasswordChangeDateTime,accountEnabled,onPremisesSyncEnabled,"             \
    "assignedLicenses,proxyAddresses"

enum step { BIN, RESTORE, PASSWORD, READ_BACK, STEPS };

static const struct {
    const char *method, *path, *body;
} steps[STEPS] = {
    [BIN] = {"GET", "/v1.0/directory/deletedItems/%s/microsoft.graph.user?" FIELDS, NULL},
    [RESTORE] = {"POST", "/v1.0/directory/deletedItems/%s/restore", "{}"},
    [PASSWORD] = {"PATCH", "/v1.0/users/%s",
                  "{\"passwordProfile\":{\"password\":\"Abcdefgh-12345678\","
                  "\"forceChangePasswordNextSignIn\":true}}"},
    [READ_BACK] = {"GET", "/v1.0/users/%s?" FIELDS "&$expand=memberOf($select=id)", NULL},
};

struct restore {
    CURL *easy;
    int user;
    enum step step;
};

struct bench {
    const char *url;
    bool sets_password;
    int n_restores, next_user, n_done, n_calls;
    double first_done_at_s, last_done_at_s;
    int epoll_fd;
    CURLM *multi;
    long timeout_ms;
    struct curl_slist *read_headers, *write_headers;
    unsigned char *registered; /* by descriptor: the events epoll has */
};

struct text {
    size_t used;
    char bytes[TOKEN_BYTES];
};

static double now_s(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t keep(char *data, size_t size, size_t n, void *context)
{
    struct text *text = context;
    assert(text->used + size * n < sizeof text->bytes);
    memcpy(text->bytes + text->used, data, size * n);
    text->used += size * n;
    text->bytes[text->used] = '\0';
    return size * n;
}

static size_t drop(char *data, size_t size, size_t n, void *context)
{
    (void)data, (void)context;
    return size * n;
}

static struct curl_slist *fetch_token_header(char *const *arguments)
{
    static struct text reply;
    char url[URL_BYTES], body[URL_BYTES], header[TOKEN_BYTES];
    (void)snprintf(url, sizeof url, "%s/%s/oauth2/v2.0/token", arguments[1], arguments[2]);
    (void)snprintf(body, sizeof body,
                   "client_id=%s&client_secret=%s&grant_type=client_credentials&scope=%s/.default",
                   arguments[3], arguments[4], arguments[1]);
    CURL *easy = curl_easy_init();
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply);
    CURLcode rc = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    static const char name[] = "\"access_token\":\"";
    char *token = rc == CURLE_OK ? strstr(reply.bytes, name) : NULL;
    if (token == NULL) {
        (void)fprintf(stderr, "bare_loop: no token: %s\n", curl_easy_strerror(rc));
        exit(1);
    }
    token += sizeof name - 1;
    (void)snprintf(header, sizeof header, "Authorization: Bearer %.*s", (int)strcspn(token, "\""),
                   token);
    return curl_slist_append(NULL, header);
}

static void send_step(struct bench *bench, struct restore *restore)
{
    char url[URL_BYTES], id[64];
    const char *body = steps[restore->step].body;
    (void)snprintf(id, sizeof id, "00000000-0000-4000-8000-%012x", (unsigned)restore->user);
    size_t used = strlen(bench->url);
    assert(used < sizeof url);
    memcpy(url, bench->url, used);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* a row of the table above */
    (void)snprintf(url + used, sizeof url - used, steps[restore->step].path, id);
#pragma GCC diagnostic pop
    CURL *easy = restore->easy;
    if (body == NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                           restore->step == PASSWORD ? steps[PASSWORD].method : NULL);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                           body == NULL ? bench->read_headers : bench->write_headers);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_multi_add_handle(bench->multi, easy);
}

static void begin_next(struct bench *bench, struct restore *restore)
{
    if (bench->next_user == bench->n_restores)
        return;
    restore->user = bench->next_user++;
    restore->step = BIN;
    send_step(bench, restore);
}

static void end_step(struct bench *bench, struct restore *restore, CURLcode result)
{
    long status = 0;
    (void)curl_easy_getinfo(restore->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status < 200 || status > 299) {
        (void)fprintf(stderr, "bare_loop: user %d, step %d: %s, status %ld\n", restore->user,
                      (int)restore->step, curl_easy_strerror(result), status);
        exit(1);
    }
    bench->n_calls++;
    restore->step++;
    if (restore->step == PASSWORD && !bench->sets_password)
        restore->step++;
    if (restore->step < STEPS) {
        send_step(bench, restore);
        return;
    }
    bench->last_done_at_s = now_s();
    if (bench->n_done++ == 0)
        bench->first_done_at_s = bench->last_done_at_s;
    begin_next(bench, restore);
}

static void drive(struct bench *bench, curl_socket_t fd, int mask)
{
    int left;
    (void)curl_multi_socket_action(bench->multi, fd, mask, &left);
    for (CURLMsg *message; (message = curl_multi_info_read(bench->multi, &left)) != NULL;) {
        CURLcode result = message->data.result;
        char *restore;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &restore);
        (void)curl_multi_remove_handle(bench->multi, message->easy_handle);
        end_step(bench, (struct restore *)restore, result);
    }
}

/* A descriptor stays registered when curl lets go of it between two calls; no connection is closed
 * here before the end. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    (void)easy, (void)unused;
    struct bench *bench = context;
    assert(fd < FIRST_EVENTS_MAX);
    if (what == CURL_POLL_REMOVE || bench->registered[fd] == what)
        return 0;
    struct epoll_event event = {.data.fd = fd,
                                .events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                                          (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0)};
    int operation = bench->registered[fd] == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    (void)epoll_ctl(bench->epoll_fd, operation, fd, &event);
    bench->registered[fd] = (unsigned char)what;
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    ((struct bench *)context)->timeout_ms = timeout_ms;
    return 0;
}

static void run(struct bench *bench)
{
    struct epoll_event events[EVENTS];
    while (bench->n_done < bench->n_restores) {
        int n = epoll_wait(bench->epoll_fd, events, EVENTS, (int)bench->timeout_ms);
        for (int i = 0; i < n; i++)
            drive(bench, events[i].data.fd,
                  (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                      (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                      (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
        if (n == 0 || bench->timeout_ms == 0) {
            bench->timeout_ms = -1;
            drive(bench, CURL_SOCKET_TIMEOUT, 0);
        }
    }
}

static CURL *make_easy(struct restore *restore)
{
    CURL *easy = curl_easy_init();
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, restore);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
    return easy;
}

/* Not ru_maxrss: that one also remembers what the process was before exec. */
static long read_peak_rss_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = atol(line + 6);
    if (file != NULL)
        (void)fclose(file);
    return kb;
}

static double seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        (void)fputs("usage: bare_loop URL TENANT CLIENT_ID SECRET RESTORES IN_FLIGHT "
                    "leave|generate\n",
                    stderr);
        return 64;
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    int in_flight = atoi(argv[6]);
    struct bench bench = {.url = argv[1],
                          .sets_password = strcmp(argv[7], "generate") == 0,
                          .n_restores = atoi(argv[5]),
                          .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                          .multi = curl_multi_init(),
                          .timeout_ms = -1,
                          .registered = calloc(FIRST_EVENTS_MAX, 1)};
    assert(bench.registered != NULL && in_flight > 0 && bench.n_restores >= in_flight);
    bench.read_headers = curl_slist_append(fetch_token_header(argv), "Accept: application/json");
    bench.write_headers =
        curl_slist_append(fetch_token_header(argv), "Content-Type: application/json");
    (void)curl_multi_setopt(bench.multi, CURLMOPT_SOCKETFUNCTION, on_watch);
    (void)curl_multi_setopt(bench.multi, CURLMOPT_SOCKETDATA, &bench);
    (void)curl_multi_setopt(bench.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(bench.multi, CURLMOPT_TIMERDATA, &bench);
    (void)curl_multi_setopt(bench.multi, CURLMOPT_MAXCONNECTS, (long)in_flight);
    struct restore *restores = calloc((size_t)in_flight, sizeof *restores);
    assert(restores != NULL);
    for (int i = 0; i < in_flight; i++) {
        restores[i].easy = make_easy(&restores[i]);
        begin_next(&bench, &restores[i]);
    }
    run(&bench);

    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"seconds\": %.3f, \"user_s\": %.3f, \"system_s\": %.3f, \"rss_kb\": %ld, "
                 "\"calls\": %d}\n",
                 bench.last_done_at_s - bench.first_done_at_s, seconds(usage.ru_utime),
                 seconds(usage.ru_stime), read_peak_rss_kb(), bench.n_calls);
    return 0;
}

/* HTTP transfers on the loop: one curl multi handle driven by sockets and timers, a reused easy
 * handle per transfer, HTTP/1.1 with keep-alive. Knows nothing of Graph. Loop thread only. */
#ifndef WORKER_DIRECTORY_HTTP_H
#define WORKER_DIRECTORY_HTTP_H

#include "worker/directory/reply.h"
#include "worker/loop.h"

#include <curl/curl.h>

struct http;

struct http_settings {
    const char *ca_file; /* "": the system's */
    int connections_max; /* kept open; not below the number of transfers, or each call connects */
    int timeout_ms;      /* of one transfer, connecting included */
};

struct transfer {
    /* what to send; borrowed until on_done, but for the URL, which is copied: absolute, and
     * visible ASCII only */
    const char *method, *url;
    struct curl_slist *headers; /* NULL: none but curl's */
    const char *body;           /* NULL: none */
    size_t body_bytes;
    bool no_proxy; /* whatever the environment says */
    bool changes;  /* leaves at most once, and not after: */
    int64_t proven_until_mono_ms;
    /* Comes once per start, never from inside transfer_start. */
    void (*on_done)(void *context);
    void *context;

    /* what came of it */
    struct reply reply;
    const char *fault; /* why there is no whole reply, static text; NULL: there is one */

    /* private */
    struct http *http;
    CURL *easy;
    struct curl_slist first_header;
    bool running;
    int n_sends;
    bool unproven;
};

/* settings: ca_file is borrowed. -errno. */
int http_new(struct loop *loop, const struct http_settings *settings, struct http **ret_http);
/* Every transfer has been deinitialised. */
void http_free(struct http *http);

/* on_done and context stand. -errno. */
int transfer_init(struct transfer *transfer, struct http *http);
/* From now on over a connection of its own each time, and with a time-out of its own: the one kept
 * open may be dead without a word. */
void transfer_stand_alone(struct transfer *transfer, int timeout_ms);
void transfer_deinit(struct transfer *transfer);
void transfer_start(struct transfer *transfer);
/* Closes its connection if it is running; on_done does not come. */
void transfer_cancel(struct transfer *transfer);

#endif

/* An HTTP/1.1 server on a loopback port that does exactly what a test says, in a thread of its own.
 * The handler runs in that thread; everything read from outside goes through the functions below.
 */
#ifndef TESTS_SCRIPTED_SERVER_H
#define TESTS_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRIPTED_REQUEST_BYTES = 16384 };

struct scripted_request {
    int number;        /* of all requests that match the handler's own counting: 0, 1, ... */
    int connection;    /* 0, 1, ... in the order they were accepted */
    int on_connection; /* 0: the first one on this connection */
    char method[8];
    char target[4096];
    char head[SCRIPTED_REQUEST_BYTES]; /* the header lines */
    char body[SCRIPTED_REQUEST_BYTES];
};

enum scripted_end {
    SCRIPTED_KEEP,    /* reply, and keep the connection */
    SCRIPTED_CLOSE,   /* reply, then close */
    SCRIPTED_DROP,    /* close without a reply */
    SCRIPTED_SILENCE, /* keep the connection open and never reply */
};

struct scripted_reply {
    enum scripted_end end;
    int status;                  /* 200 when the handler leaves it */
    const char *headers;         /* further lines, each with \r\n; NULL: none */
    const char *body;            /* NULL: none */
    int64_t filler_bytes;        /* sent after the body, all 'x' */
    int64_t header_filler_bytes; /* one header line as long as this */
    int delay_ms;
};

typedef void scripted_handler(void *context, const struct scripted_request *request,
                              struct scripted_reply *reply);

struct scripted_server;

struct scripted_server *scripted_server_new(scripted_handler *handler, void *context);
void scripted_server_free(struct scripted_server *server);
/* "http://127.0.0.1:PORT" */
const char *scripted_server_url(const struct scripted_server *server);
/* Requests read whole so far whose method and target begin like this ("" for any). */
int scripted_server_count(struct scripted_server *server, const char *method, const char *target);
/* Most requests that were read and not yet answered at one time. */
int scripted_server_most_at_once(struct scripted_server *server);
int scripted_server_connections(struct scripted_server *server);

#endif

/* What the parts of the simulated directory share: the program's state, and one call on its way
 * through it. One thread; nothing here is locked. */
#ifndef DIRECTORY_SIM_SIM_H
#define DIRECTORY_SIM_SIM_H

#include "tests/directory_sim/calls.h"
#include "tests/directory_sim/faults.h"
#include "tests/directory_sim/property.h"
#include "tests/directory_sim/timers.h"
#include "tests/directory_sim/token.h"

#include <microhttpd.h>
#include <stdio.h>

enum {
    TENANTS_MAX = 64,
    HEADERS_MAX = 8,           /* extra reply headers of one call */
    BODY_BYTES_MAX = 64 << 20, /* POST /admin/users with 100,000 users */
    CONNECTIONS_MAX = 20000,
    REQUEST_ID_BYTES = 37,
    CLIENT_REQUEST_ID_BYTES = 64,
    CLIENT_BYTES = 16, /* INET_ADDRSTRLEN */
};

struct options {
    int64_t latency_ms;
    int64_t visible_lag_ms, bin_lag_ms;
    int64_t token_lifetime_s;
    int64_t clock_offset_ms; /* of the directory's clock against ours */
    int64_t clash_status;    /* 400 or 409 */
};

struct sim {
    int64_t mono_ms, wall_ms; /* read once per turn of the loop */
    uint64_t random;
    struct options options;
    struct tenant *tenants[TENANTS_MAX];
    size_t n_tenants;
    struct tokens tokens;
    struct faults faults;
    struct calls calls;
    struct timers timers;
    struct call *waiting; /* suspended, newest first */
    bool resumed;         /* some call was, since the last MHD_run */
    FILE *record;         /* NULL: none is kept */
};

enum call_phase { CALL_HEADERS, CALL_BODY, CALL_WAITING, CALL_READY };

struct reply_header {
    char *name, *value; /* owned */
};

struct call {
    struct sim *sim;
    struct MHD_Connection *connection;
    enum call_phase phase;
    char method[8];
    char *target; /* as received, with the query */
    char *path;   /* decoded, without */
    struct buffer body;
    /* Found before any fault is asked for. */
    const struct route *route; /* NULL: no such path and method */
    bool path_known;           /* some other method has a route here */
    char *capture;             /* the path's variable part, NULL if none */
    struct tenant *tenant;     /* by token; NULL: no valid one */
    bool authorised;           /* an Authorization header was there */
    char client_request_id[CLIENT_REQUEST_ID_BYTES];
    char request_id[REQUEST_ID_BYTES];
    char client[CLIENT_BYTES]; /* its address, without the port */
    char *user; /* object id of the user named in the path, else its text, else NULL */
    uint64_t n; /* in the log, from 1; 0: not logged (admin) */
    /* The answer. */
    bool serve_late; /* the effect comes after the wait */
    bool drop;       /* close the connection without a byte */
    bool hung;       /* waits for a release */
    int status;
    struct buffer reply;
    struct reply_header header[HEADERS_MAX];
    size_t n_headers;
    struct call *previous, *next; /* in sim->waiting */
};

/* http.c, the only place that asks for the time: once per turn, and before loading. */
void sim_clocks_read(struct sim *sim);
struct store_clock sim_clock(const struct sim *sim);
uint64_t sim_random(struct sim *sim);
void sim_guid(struct sim *sim, char guid[REQUEST_ID_BYTES]);
struct tenant *sim_tenant(const struct sim *sim, const char *id);

/* http.c: from the client's side of one call. NULL when absent. */
const char *call_header(const struct call *call, const char *name);
const char *call_query(const struct call *call, const char *name);
void call_add_header(struct call *call, const char *name, const char *value);
/* "http://host:port", as the client wrote it. */
void call_base(const struct call *call, struct buffer *buffer);
/* Ends the hanging of every hung call; returns how many. */
int calls_release(struct sim *sim);
/* Serves until SIGTERM or SIGINT. 0, or the exit code. */
int http_run(struct sim *sim, const char *listen, const char *cert_file, const char *key_file);

#endif

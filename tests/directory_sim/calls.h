/* The log of calls, and what tests count in it. */
#ifndef DIRECTORY_SIM_CALLS_H
#define DIRECTORY_SIM_CALLS_H

#include "tests/directory_sim/index.h"

#include <stdbool.h>

struct call;
struct sim;

enum {
    CALLS_KEPT = 200000, /* ring; older ones are dropped and counted */
    HOLDS_MAX = 100000,  /* remembered Retry-After per call path; further ones are not watched */
    ROUTES_MAX = 64,
    UNDER_WAY_MS = 100, /* arrivals this soon after a Retry-After was sent are no undercut */
};

struct call_record {
    int64_t at_ms;
    char *texts; /* owned: target, user, client request id, client, each with its zero */
    const char *tenant;
    char method[8];
    int status; /* 0: not answered (yet) */
    bool authorised;
};

struct calls {
    struct call_record *ring; /* of CALLS_KEPT, made at the first call */
    uint64_t n;               /* calls so far; the last one's number */
    uint64_t per_route[ROUTES_MAX + 1];
    int in_flight, in_flight_max;
    struct index holds; /* what a client was told -> struct hold */
    uint64_t undercut_path, undercut_tenant;
};

/* A Graph or token call has arrived whole: number it and judge whether it came too early. Each
 * client (address) is held to what it was told itself: it cannot know what another one was. */
void calls_arrive(struct sim *sim, struct call *call);
/* It is answered (status 0: dropped): notes the status, and any Retry-After given. */
void calls_answer(struct sim *sim, struct call *call);
/* Its connection is done with it. */
void calls_leave(struct sim *sim, struct call *call);

void calls_list(struct sim *sim, struct call *call);  /* GET /admin/calls?since=N */
void calls_count(struct sim *sim, struct call *call); /* GET /admin/calls/counts */
void calls_forget(struct sim *sim);                   /* DELETE /admin/calls */

#endif

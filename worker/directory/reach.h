/* Whether a tenant can be reached: its breaker, what feeds it, and the probe. Login and Graph are
 * one: without a token nothing can leave. The probe is a call of its own, a look at a user that
 * cannot exist: no job's change is risked to find out, and with no job about it is found out too.
 * Loop thread only. */
#ifndef WORKER_DIRECTORY_REACH_H
#define WORKER_DIRECTORY_REACH_H

#include "worker/directory/breaker.h"
#include "worker/directory/http.h"

enum {
    REACH_PROBE_MAX_MS = 2 * SECOND_MS, /* a probe that takes longer has failed */
    /* How long a call is told to wait that could not be sent: so many and up to twice as many. */
    REACH_WAIT_MS = SECOND_MS / 2,
};

struct tenant;
struct token;

struct reach {
    struct breaker breaker;
    struct timer timer; /* silence is to be noticed, or a probe to be sent */
    struct transfer probe;
    struct token *token; /* held while the probe runs */
    struct curl_slist header;
    char url[CALL_URL_BYTES];
};

/* Begins to await a token. -errno. */
int reach_init(struct tenant *tenant);
void reach_deinit(struct tenant *tenant);
/* A call leaves while none was on the wire, or a token is missing. */
void reach_awaits(struct tenant *tenant);
/* What came of a call on the wire. */
void reach_take(struct tenant *tenant, const struct reply *reply);
/* A token came, or the credential was refused, or neither yet. */
void reach_token_changed(struct tenant *tenant);
/* 0: calls may be sent. Else they may not, and may be asked for again after so long. */
int64_t reach_wait_ms(const struct tenant *tenant);

#endif

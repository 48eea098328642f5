/* What the client's own files share. */
#ifndef WORKER_DIRECTORY_CLIENT_H
#define WORKER_DIRECTORY_CLIENT_H

#include "worker/directory/budget.h"
#include "worker/directory/clock.h"
#include "worker/directory/concurrency.h"
#include "worker/directory/http.h"
#include "worker/directory/queue.h"
#include "worker/directory/reach.h"
#include "worker/directory/requesters.h"
#include "worker/directory/throttle.h"
#include "worker/directory/token.h"

struct tenant {
    struct directory *directory;
    struct token_source token;
    struct throttle throttle;
    struct budget budget;
    struct concurrency concurrency;
    struct call_queue changes, reads; /* for a slot, the token, and the budget */
    struct requesters requesters;
    int n_busy;
    struct reach reach;
};

enum { EXCHANGE_HEADERS_MAX = 5 };

/* A slot: one call on the wire at a time, with all that its replies add up to. */
struct exchange {
    struct directory *directory;
    struct tenant *tenant;
    struct directory_call *call; /* NULL: free */
    struct exchange *next_free;
    struct token *token; /* held */
    int kind;            /* enum call_kind */
    int n_pages;
    uint64_t throttled_as; /* by its first request, whichever of them the directory refuses */
    int64_t started_at_mono_ms;
    struct transfer transfer;
    struct curl_slist headers[EXCHANGE_HEADERS_MAX];
    char id_header[sizeof "client-request-id: " + GUID_CHARS];
    char body[CALL_BODY_BYTES];
    char url[CALL_URL_BYTES];
    struct directory_answer answer;
};

struct directory {
    const struct directory_settings *settings;
    struct loop *loop;
    struct http *http;
    int n_tenants;
    struct tenant *tenants;
    int turn; /* whose call is the next to leave */
    int n_exchanges, n_busy;
    /* Half of the slots are divided: a tenant that does not answer cannot keep another from these.
     * Whoever has taken all of his own may take of the other half. */
    int own_slots, n_shared_busy;
    struct exchange *exchanges; /* one block, of which untouched pages cost nothing */
    struct exchange *free_exchanges;
    /* REQUESTER(_APP): needs no slot if the answer is known; changes: before they stand in line */
    struct call_queue asked;
    struct timer pump_timer; /* set: the queues are to be looked at */
    struct timer wait_timer; /* the next call that has waited too long, or may leave */
    struct clock_samples clock;
    char last_date[64]; /* Date headers name seconds: hundreds of replies have the same */
    int64_t last_date_ms;
    struct directory_answer brief; /* of answers that cost no exchange */
};

/* Puts the call behind the others that wait for a slot. */
void directory_enqueue(struct directory *directory, struct directory_call *call);
/* An answer that cost no exchange, at once: not from inside directory_ask. */
void directory_answer_unsent(struct directory *directory, struct directory_call *call,
                             enum directory_status status, int64_t retry_after_ms);
/* Nothing of it can leave, and it is not known whether a token will come. */
bool tenant_waits_for_token(const struct tenant *tenant);
/* The queues will be looked at soon, never from inside this. */
void directory_wake(struct directory *directory);

/* `exchange` is zero. -errno. */
int exchange_init(struct exchange *exchange, struct directory *directory);
void exchange_deinit(struct exchange *exchange);
/* Takes a free slot, of which there is one. */
void exchange_start(struct tenant *tenant, struct directory_call *call, struct token *token);
/* Takes the call off the wire and frees the slot; no answer comes. */
void exchange_cancel(struct exchange *exchange);

#endif

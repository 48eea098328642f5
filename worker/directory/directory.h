/* The directory client: a job's question over HTTPS, answered in policy's few words. It knows no
 * rule; it knows Graph, tokens, throttling and lost replies (design 8). Loop thread only. */
#ifndef WORKER_DIRECTORY_DIRECTORY_H
#define WORKER_DIRECTORY_DIRECTORY_H

#include "policy/directory.h"
#include "policy/job.h"
#include "worker/directory/breaker.h"
#include "worker/loop.h"

struct directory;

enum { TENANTS_MAX = 32, URL_BYTES = 512 };

/* How the worker proves who it is (directory-api.md 6). */
enum credential_type {
    CREDENTIAL_SECRET,
    CREDENTIAL_CERTIFICATE,
    CREDENTIAL_FEDERATED, /* a token of another issuer, in a file that it rewrites */
    CREDENTIAL_MANAGED_IDENTITY,
    CREDENTIAL_TYPES
};

struct certificate;

struct tenant_settings {
    char name[TENANT_BYTES + 1];
    char id[ADDRESS_BYTES + 1]; /* tenant id or domain */
    char graph_url[URL_BYTES];  /* without a trailing slash */
    char login_url[URL_BYTES];
    char client_id[GUID_CHARS + 1]; /* MANAGED_IDENTITY: "" is the machine's own */
    enum credential_type credential_type;
    /* owned by the settings, cleared with them; each of its type only */
    char *client_secret;
    struct certificate *certificate;
    char token_file[URL_BYTES];
    char identity_endpoint[URL_BYTES]; /* without the query */
    int resource_units_per_10s, writes_per_150s;
};

struct directory_call;

/* Borrowed by the client for its whole life. */
struct directory_settings {
    int n_tenants;
    struct tenant_settings tenants[TENANTS_MAX];
    int max_in_flight;
    int request_timeout_ms;
    int64_t promise_max_ms;  /* the budget's (budget.h): half of a job's deadline */
    char ca_file[URL_BYTES]; /* "": the system's */
    /* For the owner's log and metrics; either may be NULL. Not to be used to ask or abandon.
     * on_call: one HTTP exchange ended; an operation may take several, so the answer's facts may
     * be incomplete. call->fault says why there was no reply. Answers that cost no exchange are
     * not reported. on_token: `error` is "" when a token came. on_breaker: it opened, and why; or
     * (NULL) it closed. */
    void (*on_call)(void *context, const struct directory_call *call,
                    const struct directory_answer *answer, int64_t duration_ms);
    void (*on_token)(void *context, int tenant, const char *error);
    void (*on_breaker)(void *context, int tenant, const char *why);
    void *context;
};

/* One question under way. Embedded in the job's slot; private to the client but for the first part.
 */
struct directory_call {
    /* filled by the caller */
    int tenant;
    const struct directory_question *question; /* borrowed until on_answer */
    const char *password;                      /* SET_PASSWORD, borrowed until on_answer */
    struct user_list *list;                    /* LIST_DELETED, borrowed until on_answer */
    int64_t proven_until_mono_ms;              /* changes: not sent after this moment (PROOF_MS) */
    /* Comes exactly once, on the loop thread, never from inside directory_ask. The answer is the
     * client's and lives until the callback returns. */
    void (*on_answer)(void *context, const struct directory_answer *answer);
    void *context;
    /* the client's; directory_ask sets it */
    const char *fault; /* why there was no reply, static text; NULL: there was one */
    struct directory_call *next, *previous;
    struct call_queue *queue;   /* where it waits, NULL: on the wire */
    struct exchange *exchange;  /* on the wire, else NULL */
    int64_t wait_until_mono_ms; /* then it is answered BUSY: it was never sent */
    bool asked_again;           /* after a 401, with a fresh token */
    /* kept from one ask to the next of the same job, zero before the first */
    int64_t turn_at_mono_ms; /* when a change was promised its share of the budget; 0: it was not */
    bool has_changed;        /* a change was on the wire */
};

/* Begins to fetch a token for every tenant. -errno, and in reterr what cannot be used. */
int directory_new(const struct directory_settings *settings, struct loop *loop,
                  struct directory **ret_directory, char *reterr, size_t reterr_bytes);
/* The instance's share of what its tenants may ask, held / all; nothing until it is told. */
void directory_set_share(struct directory *directory, int held, int all);
/* Waits for a slot, for the tenant's token and budget, or for a look-up of the same requester that
 * is under way. A call that could not leave within request_timeout_ms is answered BUSY; so, with
 * the time to stay away, is a change that would wait longer than its proof lasts, and any call
 * while the tenant's breaker is open. DENIED, when the tenant's credential is refused; UNPROVEN,
 * when its proof has run out and its turn has come. */
void directory_ask(struct directory *directory, struct directory_call *call);
/* The caller goes away (a revoke): no answer will come. True: the call was not on the wire yet, or
 * only reads, and is forgotten. False: a change is on the wire; `on_answer` still comes, and only
 * then is the call's memory free. */
bool directory_abandon(struct directory *directory, struct directory_call *call);
/* A token for every tenant is there. */
bool directory_ready(const struct directory *directory);
/* Every tenant's breaker is open. */
bool directory_reaches_nobody(const struct directory *directory);
/* What the admin pages say of a tenant. */
struct directory_tenant_state {
    bool has_token;
    bool is_refused; /* no token, and none will be given for this credential */
    enum breaker_state breaker;
    int64_t throttled_ms;             /* nothing leaves for so long yet; 0: not throttled */
    int64_t credential_expires_at_ms; /* wall clock; 0: not known, a client secret does not tell */
    int64_t units_left, writes_left;  /* of the budget: may leave at once */
    int64_t concurrency_limit;        /* calls on the wire at most */
};
struct directory_tenant_state directory_tenant_state(const struct directory *directory, int tenant);
/* Calls on the wire. */
int directory_in_flight(const struct directory *directory);
/* Calls still open are not answered. */
void directory_free(struct directory *directory);

#endif

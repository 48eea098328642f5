/* The directory client: a job's question over HTTPS, answered in policy's few words. It knows no
 * rule; it knows Graph, tokens, throttling and lost replies (design 8). Loop thread only. */
#ifndef WORKER_DIRECTORY_DIRECTORY_H
#define WORKER_DIRECTORY_DIRECTORY_H

#include "policy/directory.h"
#include "policy/job.h"
#include "worker/loop.h"

struct directory;

enum { TENANTS_MAX = 32, URL_BYTES = 512 };

struct tenant_settings {
    char name[TENANT_BYTES + 1];
    char id[ADDRESS_BYTES + 1]; /* tenant id or domain */
    char graph_url[URL_BYTES];  /* without a trailing slash */
    char login_url[URL_BYTES];
    char client_id[GUID_CHARS + 1];
    char *client_secret; /* owned by the settings, cleared with them */
    int resource_units_per_10s, writes_per_150s;
};

struct directory_settings {
    int n_tenants;
    struct tenant_settings tenants[TENANTS_MAX];
    int max_in_flight;
    int request_timeout_ms;
    char ca_file[URL_BYTES]; /* "": the system's */
};

/* One question under way. Embedded in the job's slot; private to the client but for the first part.
 */
struct directory_call {
    /* filled by the caller */
    int tenant;
    const struct directory_question *question; /* borrowed until on_answer */
    const struct named *requester;             /* REQUESTER: whom, borrowed */
    int64_t proven_until_mono_ms;              /* changes: not sent after this moment (PROOF_MS) */
    /* Comes exactly once, on the loop thread, never from inside directory_ask. The answer is the
     * client's and lives until the callback returns. */
    void (*on_answer)(void *context, const struct directory_answer *answer);
    void *context;
    /* private: to be completed by the author of the client */
    struct directory_call *next;
};

/* Logs one line per call at debug: operation, status, ms, request ids. Never names, never bodies.
 */
int directory_new(const struct directory_settings *settings, struct loop *loop,
                  struct directory **ret_directory, char *reterr, size_t reterr_bytes);
void directory_ask(struct directory *directory, struct directory_call *call);
/* The caller goes away (a revoke): no answer will come. True: the call was not on the wire yet, or
 * only reads, and is forgotten. False: a change is on the wire; `on_answer` still comes, and only
 * then is the call's memory free. */
bool directory_abandon(struct directory *directory, struct directory_call *call);
/* A token for every tenant is there. */
bool directory_ready(const struct directory *directory);
int directory_in_flight(const struct directory *directory);
void directory_free(struct directory *directory);

#endif

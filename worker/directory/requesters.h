/* Who asks, looked up once a minute at most: many requests of one administrator come together
 * (P4: roles at most 60 s old; the answer says how old, and the job counts on). Loop thread only.
 */
#ifndef WORKER_DIRECTORY_REQUESTERS_H
#define WORKER_DIRECTORY_REQUESTERS_H

#include "worker/directory/queue.h"

enum {
    REQUESTERS_MAX = 1024,
    REQUESTER_AGE_MAX_MS = MINUTE_MS,
    REQUESTER_KEY_BYTES = NAME_BYTES + 3
};

/* One requester: known, or being looked up. */
struct requester {
    struct requesters *all;
    char key[REQUESTER_KEY_BYTES];
    bool known; /* else a look-up is under way */
    int64_t begun_at_mono_ms;
    struct call_queue waiting;
    /* the look-up */
    struct directory_call call;
    struct directory_question question;
    /* the answer: exists or not, the same reply for all */
    struct requester_facts facts;
    enum directory_status status;
    int http_status;
    char request_id[GUID_CHARS + 1];
};

/* Of one tenant. */
struct requesters {
    struct directory *directory;
    int n;
    uint64_t hashes[REQUESTERS_MAX]; /* of the key; the same place as in list */
    struct requester *list[REQUESTERS_MAX];
};

void requesters_deinit(struct requesters *requesters);
/* Answers from what is known, or joins or begins a look-up. */
void requesters_ask(struct requesters *requesters, struct directory_call *call);

#endif

/* The ready requests of an event (contract 4): which of them a retry sends. */
#ifndef WORKER_RESTORECTL_READY_H
#define WORKER_RESTORECTL_READY_H

#include "worker/restorectl/event.h"

enum { READY_MAX = 100 }; /* one for each user of a batch */

struct ready {
    int n;
    const json_t *requests[READY_MAX]; /* {key, event}, of `data` */
};

/* From the `data` of an outcome, a plan or a batch's summary. `policy` "" takes the only one there
 * is. EXIT_USAGE when several wait for a policy, EXIT_BAD_DATA when there is none, or none of that
 * policy; said on `err`. */
enum exit_code ready_choose(const json_t *data, const char *policy, FILE *err,
                            struct ready *ret_ready);

#endif

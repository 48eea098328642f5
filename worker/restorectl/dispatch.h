/* Sends requests and waits for what becomes of them: what restore, plan, deleted and retry share.
 */
#ifndef WORKER_RESTORECTL_DISPATCH_H
#define WORKER_RESTORECTL_DISPATCH_H

#include "worker/restorectl/kafka.h"
#include "worker/restorectl/request.h"

/* How many requests may wait for their outcomes at a time: enough to keep a worker busy, few enough
 * that an interrupted run leaves few in doubt. */
enum { IN_FLIGHT_MAX = 200 };

struct dispatch {
    const struct options *options; /* print, no_wait, output, timeout_ms */
    struct connection *connection;
    const struct request *requests;
    int n_requests;
    /* Many: --timeout counts from the last outcome, and a bar shows how far it is. */
    bool is_bulk;
};
enum exit_code dispatch_requests(const struct dispatch *dispatch);

#endif

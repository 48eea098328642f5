/* Sends requests and waits for what becomes of them: what restore, plan, deleted and retry share.
 */
#ifndef WORKER_RESTORECTL_DISPATCH_H
#define WORKER_RESTORECTL_DISPATCH_H

#include "worker/restorectl/options.h"
#include "worker/restorectl/request.h"

/* How many requests may wait for their outcomes at a time: enough to keep a worker busy, few enough
 * that an interrupted run leaves few in doubt. */
enum { IN_FLIGHT_MAX = 200 };

/* `is_bulk`: many; --timeout counts from the last outcome, and a bar shows how far it is. Errors go
 * to stderr. */
enum exit_code dispatch_requests(const struct options *options, const struct request *requests,
                                 int n_requests, bool is_bulk);

#endif

/* Reads events without a group: every partition of succeeded, conflicts, failed, plans and batches,
 * committed transactions only (contract 1). */
#ifndef WORKER_RESTORECTL_EVENTS_H
#define WORKER_RESTORECTL_EVENTS_H

#include "worker/restorectl/event.h"
#include "worker/restorectl/kafka.h"

struct events;

enum events_from {
    EVENTS_FROM_NOW,
    EVENTS_FROM_BEGINNING, /* of the requests too, where they may be read */
};
/* Errors go to stderr. */
enum exit_code events_open(struct connection *connection, enum events_from from,
                           struct events **ret_events);
void events_close(struct events *events); /* NULL allowed */

enum events_result {
    EVENTS_FOUND,     /* an event, of any request; event_deinit */
    EVENTS_CAUGHT_UP, /* once: every partition has been read to the end it had */
    EVENTS_NOTHING,   /* for wait_ms */
    EVENTS_DENIED,    /* said on stderr */
};
enum events_result events_next(struct events *events, int wait_ms, struct event *ret_event);

#endif

/* Reads outcomes without a group: every partition of succeeded, conflicts and failed, committed
 * transactions only (contract 1). */
#ifndef WORKER_RESTORECTL_OUTCOMES_H
#define WORKER_RESTORECTL_OUTCOMES_H

#include "worker/restorectl/kafka.h"

#include <jansson.h>

struct outcomes;

enum outcome_kind { OUTCOME_SUCCEEDED, OUTCOME_CONFLICT, OUTCOME_FAILED };

struct found_outcome {
    enum outcome_kind kind;
    int64_t at_ms; /* the record's timestamp: which is newer */
    char request_id[IDENTITY_BYTES + 1];
    char event_id[IDENTITY_BYTES + 1];
    char type[IDENTITY_BYTES + 1];
    json_t *data; /* owned */
};
void found_outcome_deinit(struct found_outcome *found);

/* From the beginning of every partition, or from its end as of now. Errors go to stderr. */
enum exit_code outcomes_open(struct connection *connection, bool from_beginning,
                             struct outcomes **ret_outcomes);
void outcomes_close(struct outcomes *outcomes);

enum outcomes_result {
    OUTCOMES_FOUND,     /* an outcome, of any request */
    OUTCOMES_CAUGHT_UP, /* once: every partition has been read to the end it had */
    OUTCOMES_NOTHING,   /* for wait_ms */
};
enum outcomes_result outcomes_next(struct outcomes *outcomes, int wait_ms,
                                   struct found_outcome *ret_found);

#endif

/* What became of a record with `users`: the sum of its items, each as its record in the journal
 * tells it (contract 4, batch-completed). */
#ifndef POLICY_SUMMARY_H
#define POLICY_SUMMARY_H

#include "policy/reason.h"
#include "policy/request.h"

/* One item. JSON texts are as the item's own event has them; NULL: none; owned by whoever read
 * them. */
struct summary_part {
    enum verdict verdict; /* what it counts as; of a plan: what would become of it */
    bool planned;
    char code[64];                /* why it did not succeed */
    char user_id[GUID_CHARS + 1]; /* the object it was resolved to; "": none */
    int64_t started_at_ms;
    char *user;     /* an object */
    char *requests; /* an array: what may be sent next, ready to send */
};

struct summary {
    const struct restore_request *request; /* the record's, without a user */
    int64_t started_at_ms, finished_at_ms;
    int n_parts;
    struct summary_part parts[ITEMS_MAX]; /* in the items' order */
};

#endif

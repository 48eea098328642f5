/* restore --csv: each row a request of its own. */
#ifndef WORKER_RESTORECTL_BULK_H
#define WORKER_RESTORECTL_BULK_H

#include "worker/restorectl/input.h"
#include "worker/restorectl/request.h"

enum { BULK_ROWS_MAX = 100000 };

struct bulk {
    int n_requests;
    struct request *requests; /* owned */
    int n_skipped;            /* done by the earlier run */
};

/* Requests of the rows of `file`, named `name` in errors, with the options' terms where a row says
 * nothing. `results`, NULL for none, is an earlier run's -o csv: whom it says succeeded is left
 * out. All faults go to `err` (the first 20), as NAME:LINE: COLUMN: WHY; then EXIT_BAD_DATA, and
 * nothing is to be sent. Both inputs are written into. bulk_deinit in any case. */
enum exit_code bulk_read(const struct options *options, struct input *file, struct input *results,
                         FILE *err, struct bulk *ret_bulk);
void bulk_deinit(struct bulk *bulk);

enum exit_code bulk_restore(const struct options *options);

#endif

/* The admin pages' HTTP edge (contract 6): libmicrohttpd on the loop, no thread of its own. Knows
 * no page; its owner brings a table of them. Read only: GET and HEAD. A connection serves one
 * request and lives a few seconds at most; when all are taken the oldest one goes, so that whoever
 * holds connections open cannot keep a probe out. Loop thread only. */
#ifndef WORKER_ADMIN_H
#define WORKER_ADMIN_H

#include "worker/loop.h"

#include <stdio.h>

struct admin;

struct admin_page {
    const char *path, *content_type;
    /* Writes the page; the HTTP status. `verbose`: the query has that word. */
    int (*write)(void *context, bool verbose, FILE *page);
};

struct admin_settings { /* what it borrows outlives the admin */
    const char *listen; /* ADDRESS:PORT, as check_listen has it; port 0: any free one */
    int n_pages;
    const struct admin_page *pages;
    void *context; /* the pages' */
};

/* Listens from now on, serves when the loop turns. -errno; with a sentence in reterr. */
int admin_new(const struct admin_settings *settings, struct loop *loop, struct admin **ret_admin,
              char *reterr, size_t reterr_bytes);
/* The port that was chosen, or configured. */
int admin_port(const struct admin *admin);
/* NULL allowed. */
void admin_free(struct admin *admin);

#endif

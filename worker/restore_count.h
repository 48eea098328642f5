/* How many restores a tenant saw begin within the last hour. Counted in buckets of ten seconds: a
 * list of moments would need as many places as the limit, which may be a million and changes with a
 * SIGHUP. So a restore counts for an hour and up to ten seconds, never for less. */
#ifndef WORKER_RESTORE_COUNT_H
#define WORKER_RESTORE_COUNT_H

#include "policy/instant.h"

enum {
    RESTORE_BUCKET_MS = 10 * SECOND_MS,
    RESTORE_BUCKETS = HOUR_MS / RESTORE_BUCKET_MS + 1,
};

struct restore_count { /* starts as {0} */
    int64_t newest;    /* number of the latest bucket, since the clock's beginning */
    int n;             /* in all buckets */
    int buckets[RESTORE_BUCKETS];
};

/* How many there are by now. */
int restore_count_read(struct restore_count *count, int64_t now_mono_ms);
void restore_count_add(struct restore_count *count, int64_t now_mono_ms);

#endif

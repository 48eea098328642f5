/* Lanes keep order: a job runs when it is first in each of its two queues, its record key's and its
 * user's as named, both within the partition (design 3). A place stays taken until the job's last
 * call has returned and its outcome is committed, also over a revoke and a new assignment. */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Twice the jobs there can be, so that a bucket holds one place on average. */
enum { LANE_BUCKETS = 8192, LANE_SEED_BYTES = 16 };

struct lane_place {
    struct lane_place *before, *after; /* in the bucket, oldest first */
    uint64_t lane;
    void *owner;
};

struct lanes {
    /* Keeps whoever may write requests from making strangers' keys collide. */
    uint8_t seed[LANE_SEED_BYTES];
    struct {
        struct lane_place *first, *last;
    } bucket[LANE_BUCKETS];
};

enum lane_kind {
    LANE_RECORD_KEY,
    LANE_USER,
    LANE_IDENTITY, /* of a record without `user`; its own kind: an item may be named like it */
};

/* The lane of these bytes. Lanes are told apart by 64 bits of a hash: a collision would make two
 * lanes wait for each other, never run out of order. */
uint64_t lane_of(const struct lanes *lanes, enum lane_kind kind, int32_t partition,
                 const void *bytes, size_t n_bytes);

/* Queues up. True when nobody of the same lane stands before. */
bool lanes_enter(struct lanes *lanes, struct lane_place *place, uint64_t lane, void *owner);
bool lanes_is_first(const struct lanes *lanes, const struct lane_place *place);
/* Leaves; the owner of the place that became first by it, NULL when there is none. */
void *lanes_leave(struct lanes *lanes, struct lane_place *place);

#endif

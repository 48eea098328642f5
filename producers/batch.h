/* Filling a batch, on the loop thread. A batch is also the ledger of design 6: its publications and
 * their encoded messages stay until the commit is acknowledged. */
#ifndef PRODUCERS_BATCH_H
#define PRODUCERS_BATCH_H

#include "producers/publisher.h"

/* Dead letters and stored outcomes are whole records; this much of them ends a batch. */
enum { BATCH_BYTES_MAX = 32 * 1024 * 1024 };

void batch_add(struct batch *batch, struct publication *publication);
/* No publication may be added any more. */
bool batch_is_full(const struct batch *batch);

/* The offset to commit for a partition; the last one said counts. -ENOMEM. */
int batch_set_offset(struct batch *batch, int32_t partition, int64_t offset);

/* Every partition with a publication has its offset: only then is a member of an old generation
 * refused (design 6). */
bool batch_is_guarded(const struct batch *batch);

/* Frees offsets, membership and the encoded messages; the publications are the caller's. */
void batch_deinit(struct batch *batch);

#endif

/* Intents that a journal load came across and that will be resumed at once: kept as they were read,
 * so that no fetch is needed. Bounded; what does not fit is fetched. */
#ifndef CONSUMERS_RETAINED_H
#define CONSUMERS_RETAINED_H

#include "policy/record.h"

enum { RETAINED_MAX = 4096, RETAINED_BYTES_MAX = 32 * 1024 * 1024 };

struct retained {
    size_t n;
    size_t bytes;
    struct retained_record {
        int32_t partition;
        int64_t journal_offset;
        size_t bytes;
        struct record *record;
    } records[RETAINED_MAX];
};

void retained_put(struct retained *retained, const struct record *record);
/* Owned by the caller now, free(); NULL: not here. */
struct record *retained_take(struct retained *retained, int32_t partition, int64_t journal_offset);
void retained_clear(struct retained *retained);

#endif

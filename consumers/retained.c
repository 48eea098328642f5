#include "consumers/retained.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void retained_put(struct retained *retained, const struct record *record)
{
    if (retained->n == RETAINED_MAX || retained->bytes >= RETAINED_BYTES_MAX)
        return;
    struct retained_record *kept = &retained->records[retained->n++];
    *kept =
        (struct retained_record){.partition = record->partition, .journal_offset = record->offset};
    kept->bytes = record_copy_bytes(record);
    void *block = malloc(kept->bytes);
    assert(block != NULL);
    kept->record = record_copy(record, block);
    retained->bytes += kept->bytes;
}

/* From the end: during a load an intent is soon followed by what replaces it. */
struct record *retained_take(struct retained *retained, int32_t partition, int64_t journal_offset)
{
    for (size_t i = retained->n; i-- > 0;) {
        struct retained_record *kept = &retained->records[i];
        if (kept->journal_offset != journal_offset || kept->partition != partition)
            continue;
        struct record *record = kept->record;
        retained->bytes -= kept->bytes;
        memmove(kept, kept + 1, (retained->n - i - 1) * sizeof *kept);
        retained->n--;
        return record;
    }
    return NULL;
}

void retained_clear(struct retained *retained)
{
    for (size_t i = 0; i < retained->n; i++)
        free(retained->records[i].record);
    retained->n = 0;
    retained->bytes = 0;
}

#include "producers/batch.h"

#include "producers/out_message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void batch_add(struct batch *batch, struct publication *publication)
{
    assert(!batch_is_full(batch));
    publication->next = NULL;
    if (batch->last != NULL)
        batch->last->next = publication;
    else
        batch->first = publication;
    batch->last = publication;
    batch->n_publications++;
    batch->held_bytes += publication->held_bytes;
}

bool batch_is_full(const struct batch *batch)
{
    return batch->n_publications >= BATCH_PUBLICATIONS_MAX || batch->held_bytes >= BATCH_BYTES_MAX;
}

static struct batch_offset *find_offset(const struct batch *batch, int32_t partition)
{
    for (int i = 0; i < batch->n_offsets; i++)
        if (batch->offsets[i].partition == partition)
            return &batch->offsets[i];
    return NULL;
}

int batch_set_offset(struct batch *batch, int32_t partition, int64_t offset)
{
    struct batch_offset *found = find_offset(batch, partition);
    if (found == NULL) {
        assert(batch->n_offsets < BATCH_PUBLICATIONS_MAX);
        size_t n = (size_t)batch->n_offsets + 1;
        struct batch_offset *grown = realloc(batch->offsets, n * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        batch->offsets = grown;
        batch->n_offsets++;
        found = &grown[n - 1];
    }
    *found = (struct batch_offset){.partition = partition, .offset = offset};
    return 0;
}

bool batch_is_guarded(const struct batch *batch)
{
    for (const struct publication *p = batch->first; p != NULL; p = p->next)
        if (find_offset(batch, p->partition) == NULL)
            return false;
    return true;
}

void batch_deinit(struct batch *batch)
{
    for (struct publication *p = batch->first; p != NULL; p = p->next)
        publication_free_messages(p);
    free(batch->offsets);
    if (batch->membership != NULL)
        rd_kafka_consumer_group_metadata_destroy(batch->membership);
    *batch = (struct batch){0};
}

/* One Kafka transaction: the messages of a batch and its offsets, all or nothing (design 6). */
#ifndef PRODUCERS_TRANSACTION_H
#define PRODUCERS_TRANSACTION_H

#include "producers/out_message.h"
#include "producers/producer.h"

enum transaction_end {
    TRANSACTION_COMMITTED,
    TRANSACTION_NOT,     /* certainly not committed: abort, then the same messages again */
    TRANSACTION_REFUSED, /* certainly not committed, and will not be: an old generation's */
    TRANSACTION_UNKNOWN, /* the commit was sent and not answered well: look, before anything else */
};

struct transaction {
    /* In: topics that refused a record batch for its size. Their messages travel one by one, so
     * that the next refusal tells which of them is too large. */
    bool one_by_one[OUT_TOPICS];
    /* Out. */
    enum transaction_end end;
    int64_t began_at_mono_ms;
    int64_t committing_at_mono_ms; /* read before the first commit call */
    char why[200];                 /* unless COMMITTED */
};

/* Blocks, at most about TRANSACTION_TIMEOUT_MS and as long again for the commit. Every message of
 * the batch is encoded. Afterwards their delivered_offset says where they came to stand. */
void transaction_run(struct producer *producer, const struct publisher_settings *settings,
                     const struct batch *batch, struct transaction *transaction);

/* -EIO: the producer is of no use any more. */
int transaction_abort(struct producer *producer, const struct publisher_settings *settings,
                      char *reterr, size_t reterr_bytes);

/* A message that was refused for its size, or for that of a record batch with it unless they went
 * one by one; NULL: none. To be asked after the abort: only then have all delivery reports come,
 * whatever step failed first. */
struct out_message *transaction_too_large(const struct batch *batch);

#endif

/* One assignment on its way: where each of its partitions starts, and how far its journal is read.
 * Loop thread only. */
#ifndef CONSUMERS_ASSIGNMENT_H
#define CONSUMERS_ASSIGNMENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assigned_partition {
    int32_t id;
    enum {
        START_UNKNOWN,      /* asked for, or to be asked for again */
        START_NONE,         /* certainly nothing committed */
        START_COMMITTED,    /* at `offset` */
        START_OUT_OF_RANGE, /* the committed offset does not exist: at the earliest */
    } start;
    int64_t offset;
    bool unreadable; /* its journal */
};

struct assignment {
    uint32_t epoch;
    bool asked;
    int n_unknown, n_unended; /* starts; journals not read yet */
    int n;
    struct assigned_partition partitions[];
};

struct assignment *assignment_new(const rd_kafka_topic_partition_list_t *list, uint32_t epoch);
/* NULL: not part of it. */
struct assigned_partition *assignment_find(struct assignment *assignment, int32_t partition);

/* All of its partitions have numbers below n. */
bool assignment_is_below(const struct assignment *assignment, int n);

/* Asks the group's coordinator for the starts that are unknown; the answer comes to `queue`, with
 * the epoch as its opaque. */
void assignment_ask(struct assignment *assignment, rd_kafka_t *handle, const char *group,
                    const char *topic, rd_kafka_queue_t *queue);
/* Takes the answer. A partition whose offset is pending in a transaction, or was not answered,
 * stays unknown: nothing but an answer without any error may become "none". True: nothing was
 * refused (some may be pending); else a sentence in reterr. */
bool assignment_answer(struct assignment *assignment, rd_kafka_event_t *event, char *reterr,
                       size_t reterr_bytes);
bool assignment_answer_list(struct assignment *assignment,
                            const rd_kafka_topic_partition_list_t *list, char *reterr,
                            size_t reterr_bytes);

/* The first offset that the worker will see, 0 when it is not known: what the journal must know. */
int64_t assignment_base(const struct assigned_partition *partition);
/* What rd_kafka_assign takes; partitions with an unreadable journal are left out. */
rd_kafka_topic_partition_list_t *assignment_starts(const struct assignment *assignment,
                                                   const char *topic, bool start_latest);

#endif

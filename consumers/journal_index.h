/* What stands in the journal, 40 bytes a record: per partition a hash by key that keeps the newest
 * record of each (design 7). Pure. An allocation that fails is a bug. */
#ifndef CONSUMERS_JOURNAL_INDEX_H
#define CONSUMERS_JOURNAL_INDEX_H

#include "consumers/journal.h"

enum { JOURNAL_ENTRIES_MAX = 2000000 };

struct journal_table {
    struct journal_entry *slots; /* open addressing; journal_offset -1: free */
    size_t n_slots;              /* a power of two */
    size_t n_entries;
    int64_t base;             /* request offset: what stands there or above is never evicted */
    int64_t newest_ms;        /* rw-time */
    int64_t forgotten_offset; /* highest request offset that was evicted, -1: none */
    int64_t next;             /* journal offset: read from here; 0: from the beginning */
};

struct journal_index {
    struct journal_table *tables; /* by partition */
    int n_tables;
    size_t n_entries;
    size_t entries_max;
    int64_t window_ms;
    int64_t forgotten_ms; /* newest rw-time evicted before its window was over, 0: none */
    uint64_t advanced;    /* offsets that the bases have passed, ever */
    uint64_t full_until;  /* a sweep for room is in vain until `advanced` gets here */
};

void journal_index_init(struct journal_index *index, size_t entries_max, int64_t window_ms);
void journal_index_free(struct journal_index *index);

/* A partition is being taken: nothing at or above `base` may be forgotten from now on. Where that
 * has already happened the table is emptied. The journal must be read from the offset returned. */
int64_t journal_index_hold(struct journal_index *index, int32_t partition, int64_t base);
/* The base only rises. */
void journal_index_raise(struct journal_index *index, int32_t partition, int64_t base);
/* All partitions go: their entries stay as long as nobody else needs the room. */
void journal_index_let_go(struct journal_index *index);

/* Room for n more entries, after evicting what is beyond its window, of partitions that are not
 * held, or oldest. False: all that is left is needed. */
bool journal_index_make_room(struct journal_index *index, size_t n);

/* For how long a record is kept, as things are: the window, or less when there was no room. */
int64_t journal_index_window_ms(const struct journal_index *index, int64_t now_wall_ms);

/* The journal is not what it was: the partition must be read from its beginning. */
void journal_index_forget(struct journal_index *index, int32_t partition);
/* Every record below `next` stands in the index, or may be forgotten. */
void journal_index_read_to(struct journal_index *index, int32_t partition, int64_t next);

/* A record with a lower journal offset than its key's entry changes nothing. Never refuses: room
 * was asked for before. */
void journal_index_put(struct journal_index *index, int32_t partition,
                       const struct journal_entry *entry);
const struct journal_entry *journal_index_find(const struct journal_index *index, int32_t partition,
                                               const struct journal_key *key);

#endif

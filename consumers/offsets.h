/* Which offset of a partition may be committed: the lowest unfinished one. What is finished beyond
 * it stands in the journal (design 6). Pure; an entry is embedded in whoever is unfinished. */
#ifndef CONSUMERS_OFFSETS_H
#define CONSUMERS_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

struct open_offset {
    struct open_offset *before, *after;
    int64_t offset;
};

struct offsets {
    struct open_offset *lowest, *highest;
    int64_t next; /* one past the last offset ever opened; where the partition began, until then */
};

void offsets_init(struct offsets *offsets, int64_t begin);
/* Offsets are opened in rising order, each once (gaps are control records of transactions). */
void offsets_open(struct offsets *offsets, struct open_offset *entry, int64_t offset);
void offsets_close(struct offsets *offsets, struct open_offset *entry);
int64_t offsets_committable(const struct offsets *offsets);

#endif

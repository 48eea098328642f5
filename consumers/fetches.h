/* Records of the journal that somebody asked for, first come first served. */
#ifndef CONSUMERS_FETCHES_H
#define CONSUMERS_FETCHES_H

#include "policy/record.h"

struct fetch {
    struct fetch *next;
    int32_t partition;
    int64_t journal_offset;
    void *context;
    struct record *record;         /* retained, and so ready; owned */
    int64_t missing_since_mono_ms; /* -1: not missing so far */
};

struct fetches {
    struct fetch *first, *last;
};

/* Takes the fetch over: malloc. */
void fetches_append(struct fetches *fetches, struct fetch *fetch);
/* The first, the caller's again; NULL: there is none. */
struct fetch *fetches_pop(struct fetches *fetches);
/* Frees all of them, and their records. */
void fetches_drop(struct fetches *fetches);

#endif

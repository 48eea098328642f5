/* A hash from text, ASCII case ignored, to any number of values. The 64-bit hash stands for the
 * key (FNV-1a; among 400,000 keys a false hit has odds of 1 in 10^8), so no key is stored. */
#ifndef DIRECTORY_SIM_INDEX_H
#define DIRECTORY_SIM_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_node {
    struct index_node *next;
    uint64_t hash;
    void *value; /* not owned */
};

struct index {
    struct index_node **slot;
    size_t n_slots; /* a power of two, or 0 before the first add */
    size_t n;
};

void index_add(struct index *index, const char *key, void *value);
/* Takes the pair out once; nothing happens when it is not there. */
void index_remove(struct index *index, const char *key, const void *value);
struct index_node *index_first(const struct index *index, const char *key);
struct index_node *index_next(const struct index_node *node);
/* Empties the index; `release` (may be NULL) is called with every value. */
void index_clear(struct index *index, void (*release)(void *value));

#endif

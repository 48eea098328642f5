#include "tests/directory_sim/index.h"

#include "tests/directory_sim/buffer.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

static uint64_t key_hash(const char *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *key; key++) {
        unsigned char c = (unsigned char)*key;
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        hash = (hash ^ c) * 0x100000001b3u;
    }
    return hash;
}

static void index_grow(struct index *index)
{
    size_t n_slots = index->n_slots ? index->n_slots * 2 : FIRST_SLOTS;
    struct index_node **slot = memory_zeroed(n_slots * sizeof *slot);
    for (size_t i = 0; i < index->n_slots; i++) {
        for (struct index_node *node = index->slot[i], *next; node; node = next) {
            next = node->next;
            node->next = slot[node->hash & (n_slots - 1)];
            slot[node->hash & (n_slots - 1)] = node;
        }
    }
    free(index->slot);
    index->slot = slot;
    index->n_slots = n_slots;
}

void index_add(struct index *index, const char *key, void *value)
{
    if (index->n >= index->n_slots)
        index_grow(index);
    struct index_node *node = memory_zeroed(sizeof *node);
    node->hash = key_hash(key);
    node->value = value;
    struct index_node **slot = &index->slot[node->hash & (index->n_slots - 1)];
    node->next = *slot;
    *slot = node;
    index->n++;
}

void index_remove(struct index *index, const char *key, const void *value)
{
    if (!index->n_slots)
        return;
    uint64_t hash = key_hash(key);
    for (struct index_node **at = &index->slot[hash & (index->n_slots - 1)]; *at;
         at = &(*at)->next) {
        struct index_node *node = *at;
        if (node->hash != hash || node->value != value)
            continue;
        *at = node->next;
        free(node);
        index->n--;
        return;
    }
}

static struct index_node *same_hash(struct index_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct index_node *index_first(const struct index *index, const char *key)
{
    uint64_t hash = key_hash(key);
    return index->n_slots ? same_hash(index->slot[hash & (index->n_slots - 1)], hash) : NULL;
}

struct index_node *index_next(const struct index_node *node)
{
    return same_hash(node->next, node->hash);
}

void index_clear(struct index *index, void (*release)(void *value))
{
    for (size_t i = 0; i < index->n_slots; i++) {
        for (struct index_node *node = index->slot[i], *next; node; node = next) {
            next = node->next;
            if (release)
                release(node->value);
            free(node);
        }
    }
    free(index->slot);
    *index = (struct index){0};
}

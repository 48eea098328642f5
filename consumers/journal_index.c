#include "consumers/journal_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct journal_entry) == 40, "what a record costs in memory (design 7)");

enum {
    SLOTS_MIN = 1024,
    SAMPLE = 1024, /* entries asked for their age before the oldest are evicted */
    /* The oldest eighth goes at once, so that a sweep over all slots is rare. */
    EVICTED_FRACTION = 8,
    /* After a sweep in vain the bases must pass so many offsets before the next. */
    SWEEP_AGAIN_OFFSETS = 1024,
};

void journal_index_init(struct journal_index *index, size_t entries_max, int64_t window_ms)
{
    *index = (struct journal_index){.entries_max = entries_max, .window_ms = window_ms};
}

void journal_index_free(struct journal_index *index)
{
    for (int i = 0; i < index->n_tables; i++)
        free(index->tables[i].slots);
    free(index->tables);
    *index = (struct journal_index){0};
}

/* Keys are SHA-1, but those of dead letters differ in their last bytes only. */
static size_t slot_of(const struct journal_table *table, const struct journal_key *key)
{
    uint64_t halves[2];
    memcpy(halves, key->bytes, sizeof halves);
    uint64_t hash = (halves[0] ^ (halves[1] * UINT64_C(0x9e3779b97f4a7c15)));
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 20) & (table->n_slots - 1);
}

/* The entry of the key, or the free slot where it belongs. */
static struct journal_entry *probe(const struct journal_table *table, const struct journal_key *key)
{
    size_t slot = slot_of(table, key);
    while (table->slots[slot].journal_offset >= 0 &&
           memcmp(&table->slots[slot].key, key, sizeof *key) != 0)
        slot = (slot + 1) & (table->n_slots - 1);
    return &table->slots[slot];
}

/* Moves the table to n_slots slots; entries below the base that are not younger than oldest_ms are
 * left behind. The only place where entries go. */
static void table_rebuild(struct journal_index *index, struct journal_table *table, size_t n_slots,
                          int64_t oldest_ms)
{
    struct journal_entry *old = table->slots;
    size_t n_old = table->n_slots;
    table->slots = malloc(n_slots * sizeof *table->slots);
    assert(table->slots != NULL);
    memset(table->slots, 0xff, n_slots * sizeof *table->slots);
    table->n_slots = n_slots;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].journal_offset < 0)
            continue;
        if (old[i].request_offset >= table->base || old[i].time_ms > oldest_ms) {
            *probe(table, &old[i].key) = old[i];
            continue;
        }
        table->n_entries--;
        index->n_entries--;
        if (old[i].request_offset > table->forgotten_offset)
            table->forgotten_offset = old[i].request_offset;
        if (old[i].time_ms > table->newest_ms - index->window_ms &&
            old[i].time_ms > index->forgotten_ms)
            index->forgotten_ms = old[i].time_ms;
    }
    free(old);
}

static void table_clear(struct journal_index *index, struct journal_table *table)
{
    index->n_entries -= table->n_entries;
    free(table->slots);
    *table = (struct journal_table){.base = table->base, .forgotten_offset = -1};
}

/* Partitions come as they are seen first; a table costs nothing until it has an entry. */
static struct journal_table *table_get(struct journal_index *index, int32_t partition)
{
    assert(partition >= 0);
    if (partition >= index->n_tables) {
        size_t n = (size_t)partition + 1;
        index->tables = realloc(index->tables, n * sizeof *index->tables);
        assert(index->tables != NULL);
        for (; index->n_tables < (int)n; index->n_tables++)
            index->tables[index->n_tables] =
                (struct journal_table){.base = INT64_MAX, .forgotten_offset = -1};
    }
    return &index->tables[partition];
}

int64_t journal_index_hold(struct journal_index *index, int32_t partition, int64_t base)
{
    struct journal_table *table = table_get(index, partition);
    if (base <= table->forgotten_offset)
        table_clear(index, table);
    table->base = base;
    return table->next;
}

void journal_index_forget(struct journal_index *index, int32_t partition)
{
    table_clear(index, table_get(index, partition));
}

void journal_index_raise(struct journal_index *index, int32_t partition, int64_t base)
{
    struct journal_table *table = table_get(index, partition);
    if (base <= table->base)
        return;
    index->advanced += (uint64_t)(base - table->base);
    table->base = base;
}

void journal_index_let_go(struct journal_index *index)
{
    for (int i = 0; i < index->n_tables; i++)
        index->tables[i].base = INT64_MAX;
    index->full_until = 0;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The age at which the oldest eighth of what may go ends. Slots are in hash order, so the first
 * ones are a fair sample. INT64_MIN: nothing may go. */
static int64_t table_oldest_ms(const struct journal_table *table)
{
    int64_t times[SAMPLE];
    size_t n = 0;
    for (size_t i = 0; i < table->n_slots && n < SAMPLE; i++)
        if (table->slots[i].journal_offset >= 0 && table->slots[i].request_offset < table->base)
            times[n++] = table->slots[i].time_ms;
    if (n == 0)
        return INT64_MIN;
    qsort(times, n, sizeof *times, compare_times);
    return times[n / EVICTED_FRACTION];
}

/* Every table gives its share, else the last of the list would remember longest. */
static void tables_shed(struct journal_index *index)
{
    for (int i = 0; i < index->n_tables; i++) {
        struct journal_table *table = &index->tables[i];
        int64_t oldest_ms = table_oldest_ms(table);
        if (oldest_ms != INT64_MIN)
            table_rebuild(index, table, table->n_slots, oldest_ms);
    }
}

static bool has_room(const struct journal_index *index, size_t n)
{
    return index->n_entries + n <= index->entries_max;
}

bool journal_index_make_room(struct journal_index *index, size_t n)
{
    if (has_room(index, n))
        return true;
    if (index->advanced < index->full_until)
        return false;
    for (int i = 0; i < index->n_tables && !has_room(index, n); i++)
        if (index->tables[i].base == INT64_MAX)
            table_clear(index, &index->tables[i]);
    for (int i = 0; i < index->n_tables && !has_room(index, n); i++) {
        struct journal_table *table = &index->tables[i];
        if (table->n_entries > 0)
            table_rebuild(index, table, table->n_slots, table->newest_ms - index->window_ms);
    }
    for (size_t before = 0; !has_room(index, n) && before != index->n_entries;) {
        before = index->n_entries;
        tables_shed(index);
    }
    if (has_room(index, n))
        return true;
    index->full_until = index->advanced + SWEEP_AGAIN_OFFSETS;
    return false;
}

/* Before a table grows it drops what is beyond the window: often it need not grow then. */
static void table_reserve(struct journal_index *index, struct journal_table *table)
{
    if (table->n_slots == 0)
        table_rebuild(index, table, SLOTS_MIN, INT64_MIN);
    if (4 * (table->n_entries + 1) <= 3 * table->n_slots)
        return;
    table_rebuild(index, table, table->n_slots, table->newest_ms - index->window_ms);
    if (2 * table->n_entries > table->n_slots)
        table_rebuild(index, table, 2 * table->n_slots, INT64_MIN);
}

void journal_index_read_to(struct journal_index *index, int32_t partition, int64_t next)
{
    struct journal_table *table = table_get(index, partition);
    if (next > table->next)
        table->next = next;
}

void journal_index_put(struct journal_index *index, int32_t partition,
                       const struct journal_entry *entry)
{
    assert(entry->journal_offset >= 0);
    struct journal_table *table = table_get(index, partition);
    table_reserve(index, table);
    if (entry->time_ms > table->newest_ms)
        table->newest_ms = entry->time_ms;
    struct journal_entry *slot = probe(table, &entry->key);
    if (slot->journal_offset > entry->journal_offset)
        return;
    if (slot->journal_offset < 0) {
        table->n_entries++;
        index->n_entries++;
    }
    *slot = *entry;
}

const struct journal_entry *journal_index_find(const struct journal_index *index, int32_t partition,
                                               const struct journal_key *key)
{
    if (partition < 0 || partition >= index->n_tables || index->tables[partition].n_slots == 0)
        return NULL;
    const struct journal_entry *entry = probe(&index->tables[partition], key);
    return entry->journal_offset >= 0 ? entry : NULL;
}

int64_t journal_index_window_ms(const struct journal_index *index, int64_t now_wall_ms)
{
    int64_t reach_ms = now_wall_ms - index->forgotten_ms;
    return reach_ms >= index->window_ms ? index->window_ms : reach_ms < 0 ? 0 : reach_ms;
}

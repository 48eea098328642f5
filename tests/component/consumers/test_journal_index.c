#include "consumers/journal_index.h"
#include "consumers/retained.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR = 3600 * 1000, WINDOW = 72 * HOUR };
static const int64_t START = 1700000000000;

/* Keys as SHA-1 would make them are not needed: the hash must cope with counters as well. */
static struct journal_key key_of(int64_t n)
{
    struct journal_key key;
    char text[40];
    int bytes = snprintf(text, sizeof text, "!%lld", (long long)n);
    assert_true(journal_key_from_text(text, (size_t)bytes, &key));
    return key;
}

static struct journal_entry entry_of(int64_t n, int64_t time_ms)
{
    return (struct journal_entry){.key = key_of(n),
                                  .request_offset = n,
                                  .journal_offset = n,
                                  .time_ms = time_ms & JOURNAL_TIME_MASK,
                                  .state = JOURNAL_DONE};
}

static void put(struct journal_index *index, int32_t partition, int64_t n, int64_t time_ms)
{
    struct journal_entry entry = entry_of(n, time_ms);
    journal_index_put(index, partition, &entry);
}

static bool has(const struct journal_index *index, int32_t partition, int64_t n)
{
    struct journal_key key = key_of(n);
    return journal_index_find(index, partition, &key) != NULL;
}

static void what_was_put_is_found_under_its_partition(void **state)
{
    (void)state;
    struct journal_index index;
    journal_index_init(&index, 1000000, WINDOW);
    assert_false(has(&index, 3, 1));
    journal_index_hold(&index, 3, 0);
    for (int64_t n = 0; n < 100000; n++)
        put(&index, 3, n, START + n);
    for (int64_t n = 0; n < 100000; n++)
        assert_true(has(&index, 3, n));
    assert_false(has(&index, 3, 100000));
    assert_false(has(&index, 2, 5));
    assert_false(has(&index, 4, 5));
    assert_int_equal(index.n_entries, 100000);
    journal_index_free(&index);
}

static void the_newest_record_of_a_key_counts(void **state)
{
    (void)state;
    struct journal_index index;
    journal_index_init(&index, 1000, WINDOW);
    journal_index_hold(&index, 0, 0);
    struct journal_entry entry = entry_of(7, START);
    entry.journal_offset = 20;
    journal_index_put(&index, 0, &entry);
    entry.journal_offset = 10;
    entry.request_offset = 99;
    journal_index_put(&index, 0, &entry);
    assert_int_equal(journal_index_find(&index, 0, &entry.key)->request_offset, 7);
    entry.journal_offset = 21;
    journal_index_put(&index, 0, &entry);
    assert_int_equal(journal_index_find(&index, 0, &entry.key)->request_offset, 99);
    assert_int_equal(index.n_entries, 1);
    journal_index_free(&index);
}

static void the_oldest_are_evicted_and_never_those_at_or_above_the_base(void **state)
{
    (void)state;
    enum { MAX = 10000, BASE = 6000 };
    struct journal_index index;
    journal_index_init(&index, MAX, WINDOW);
    journal_index_hold(&index, 0, BASE);
    for (int64_t n = 0; n < MAX; n++) /* those above the base are the oldest */
        put(&index, 0, n, n < BASE ? START + HOUR + n : START);
    assert_true(journal_index_make_room(&index, 100));
    assert_true(index.n_entries <= MAX - 100);
    assert_true(index.n_entries >= BASE * 3 / 4); /* not far more than needed */
    for (int64_t n = BASE; n < MAX; n++)
        assert_true(has(&index, 0, n));
    bool gone = false;
    for (int64_t n = BASE; n-- > 0;) { /* from the youngest on: once gone, all older are gone */
        gone = gone || !has(&index, 0, n);
        assert_int_equal(has(&index, 0, n), !gone);
    }
    assert_true(gone);
    assert_true(index.forgotten_ms >= START + HOUR);
    /* The window that is left, as the metric tells it. */
    assert_int_equal(journal_index_window_ms(&index, index.forgotten_ms + 5 * HOUR), 5 * HOUR);
    assert_int_equal(journal_index_window_ms(&index, index.forgotten_ms + 99 * HOUR), WINDOW);
    assert_int_equal(journal_index_window_ms(&index, START), 0);
    journal_index_free(&index);
}

static void without_room_nothing_more_is_taken_until_the_base_rises(void **state)
{
    (void)state;
    enum { MAX = 5000 };
    struct journal_index index;
    journal_index_init(&index, MAX, WINDOW);
    journal_index_hold(&index, 0, 0);
    for (int64_t n = 0; n < MAX; n++)
        put(&index, 0, n, START + n);
    assert_false(journal_index_make_room(&index, 1));
    journal_index_raise(&index, 0, 1);
    assert_false(journal_index_make_room(&index, 1)); /* not worth a sweep yet */
    journal_index_raise(&index, 0, MAX);
    assert_true(journal_index_make_room(&index, 1));
    assert_int_equal(index.n_entries < MAX, 1);
    journal_index_free(&index);
}

static void partitions_that_are_not_held_give_way_first(void **state)
{
    (void)state;
    enum { MAX = 4000 };
    struct journal_index index;
    journal_index_init(&index, MAX, WINDOW);
    journal_index_hold(&index, 0, 0);
    for (int64_t n = 0; n < MAX / 2; n++)
        put(&index, 0, n, START + 10 * HOUR);
    journal_index_read_to(&index, 0, MAX / 2);
    journal_index_let_go(&index);
    assert_int_equal(journal_index_hold(&index, 1, MAX), 0);
    for (int64_t n = 0; n < MAX / 2; n++)
        put(&index, 1, n, START);
    assert_true(journal_index_make_room(&index, 1));
    assert_true(has(&index, 1, 0));
    assert_false(has(&index, 0, 0));
    assert_int_equal(journal_index_hold(&index, 0, 10), 0); /* to be read anew */
    journal_index_free(&index);
}

static void a_partition_that_comes_back_is_read_from_where_it_was_left(void **state)
{
    (void)state;
    struct journal_index index;
    journal_index_init(&index, 10000, WINDOW);
    assert_int_equal(journal_index_hold(&index, 2, 5), 0);
    put(&index, 2, 5, START);
    journal_index_read_to(&index, 2, 6);
    journal_index_read_to(&index, 2, 3);
    journal_index_let_go(&index);
    assert_int_equal(journal_index_hold(&index, 2, 5), 6);
    assert_true(has(&index, 2, 5));
    journal_index_forget(&index, 2);
    assert_int_equal(journal_index_hold(&index, 2, 5), 0);
    assert_false(has(&index, 2, 5));
    journal_index_free(&index);
}

/* The commit of the last batch may have been refused: the base is then lower than it seemed. */
static void a_base_below_what_was_forgotten_means_reading_anew(void **state)
{
    (void)state;
    enum { MAX = 2000 };
    struct journal_index index;
    journal_index_init(&index, MAX, WINDOW);
    journal_index_hold(&index, 0, 0);
    for (int64_t n = 0; n < MAX; n++)
        put(&index, 0, n, START + n);
    journal_index_read_to(&index, 0, MAX);
    journal_index_raise(&index, 0, MAX);
    assert_true(journal_index_make_room(&index, 10));
    journal_index_let_go(&index);
    assert_int_equal(journal_index_hold(&index, 0, MAX), MAX);
    journal_index_let_go(&index);
    assert_int_equal(journal_index_hold(&index, 0, 0), 0);
    assert_int_equal(index.n_entries, 0);
    journal_index_free(&index);
}

static void a_table_that_grows_drops_what_is_beyond_the_window(void **state)
{
    (void)state;
    struct journal_index index;
    journal_index_init(&index, 1000000, WINDOW);
    journal_index_hold(&index, 0, INT64_MAX - 1);
    for (int64_t n = 0; n < 100000; n++)
        put(&index, 0, n, START + n * HOUR); /* 72 are inside at any time */
    assert_true(index.n_entries < 1024);
    assert_int_equal(index.forgotten_ms, 0); /* their time was over */
    assert_int_equal(journal_index_window_ms(&index, START), WINDOW);
    assert_true(has(&index, 0, 99999));
    assert_true(has(&index, 0, 99999 - 71));
    journal_index_free(&index);
}

static struct retained retained;

static void retained_records_are_taken_once(void **state)
{
    (void)state;
    struct record record = {.topic = "journal",
                            .partition = 1,
                            .value = "v",
                            .value_bytes = 1,
                            .n_headers = 1,
                            .headers = {{"rw-v", "1", 1}}};
    for (record.offset = 0; record.offset < RETAINED_MAX + 10; record.offset++)
        retained_put(&retained, &record);
    assert_int_equal(retained.n, RETAINED_MAX);
    assert_null(retained_take(&retained, 1, RETAINED_MAX + 1));
    assert_null(retained_take(&retained, 0, 5));
    struct record *taken = retained_take(&retained, 1, 5);
    assert_non_null(taken);
    assert_int_equal(taken->offset, 5);
    assert_string_equal(taken->topic, "journal");
    assert_string_equal(taken->headers[0].name, "rw-v");
    assert_memory_equal(taken->value, "v", 1);
    assert_null(taken->key);
    free(taken);
    assert_null(retained_take(&retained, 1, 5));
    taken = retained_take(&retained, 1, 6);
    assert_int_equal(taken->offset, 6);
    free(taken);
    retained_clear(&retained);
    assert_int_equal(retained.n, 0);
    assert_int_equal(retained.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_under_its_partition),
        cmocka_unit_test(the_newest_record_of_a_key_counts),
        cmocka_unit_test(the_oldest_are_evicted_and_never_those_at_or_above_the_base),
        cmocka_unit_test(without_room_nothing_more_is_taken_until_the_base_rises),
        cmocka_unit_test(partitions_that_are_not_held_give_way_first),
        cmocka_unit_test(a_partition_that_comes_back_is_read_from_where_it_was_left),
        cmocka_unit_test(a_base_below_what_was_forgotten_means_reading_anew),
        cmocka_unit_test(a_table_that_grows_drops_what_is_beyond_the_window),
        cmocka_unit_test(retained_records_are_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

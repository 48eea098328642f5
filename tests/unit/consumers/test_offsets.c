#include "consumers/offsets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void before_the_first_record_the_beginning_is_committable(void **state)
{
    (void)state;
    struct offsets offsets;
    offsets_init(&offsets, 17);
    assert_int_equal(offsets_committable(&offsets), 17);
}

static void an_unfinished_record_holds_the_offset_and_those_after_it_do_not(void **state)
{
    (void)state;
    struct offsets offsets;
    struct open_offset a, b, c;
    offsets_init(&offsets, 5);
    offsets_open(&offsets, &a, 5);
    offsets_open(&offsets, &b, 6);
    offsets_open(&offsets, &c, 7);

    offsets_close(&offsets, &b);
    assert_int_equal(offsets_committable(&offsets), 5);
    offsets_close(&offsets, &a);
    assert_int_equal(offsets_committable(&offsets), 7);
    offsets_close(&offsets, &c);
    assert_int_equal(offsets_committable(&offsets), 8);
}

/* Control records of transactions take offsets that no consumer sees. */
static void a_gap_is_passed(void **state)
{
    (void)state;
    struct offsets offsets;
    struct open_offset a, b;
    offsets_init(&offsets, 0);
    offsets_open(&offsets, &a, 3);
    assert_int_equal(offsets_committable(&offsets), 3);
    offsets_open(&offsets, &b, 10);
    offsets_close(&offsets, &a);
    assert_int_equal(offsets_committable(&offsets), 10);
    offsets_close(&offsets, &b);
    assert_int_equal(offsets_committable(&offsets), 11);
}

static void an_entry_can_be_opened_again_after_it_was_closed(void **state)
{
    (void)state;
    struct offsets offsets;
    struct open_offset entry;
    offsets_init(&offsets, 0);
    for (int64_t offset = 0; offset < 3; offset++) {
        offsets_open(&offsets, &entry, offset);
        assert_int_equal(offsets_committable(&offsets), offset);
        offsets_close(&offsets, &entry);
        assert_int_equal(offsets_committable(&offsets), offset + 1);
    }
}

/* Any schedule: what may be committed is the lowest open offset, found here by looking at all of
 * them, and it never goes back. */
static void the_committable_offset_never_passes_an_unfinished_one(void **state)
{
    (void)state;
    enum { SCHEDULES = 200, STEPS = 2000, OPEN_MAX = 50 };
    for (unsigned seed = 1; seed <= SCHEDULES; seed++) {
        struct offsets offsets;
        struct open_offset entries[OPEN_MAX];
        int n_open = 0;
        struct open_offset *open[OPEN_MAX], *idle[OPEN_MAX];
        for (int i = 0; i < OPEN_MAX; i++)
            idle[i] = &entries[i];
        unsigned random = seed;
        int64_t next = rand_r(&random) % 1000;
        int64_t committed = next;
        offsets_init(&offsets, next);
        int limit = 1 + rand_r(&random) % OPEN_MAX;

        for (int step = 0; step < STEPS; step++) {
            bool want_open = rand_r(&random) % 2 == 0;
            if (want_open && n_open < limit) {
                struct open_offset *entry = idle[OPEN_MAX - 1 - n_open];
                next += rand_r(&random) % 8 == 0 ? rand_r(&random) % 3 : 0;
                offsets_open(&offsets, entry, next++);
                open[n_open++] = entry;
            } else if (!want_open && n_open > 0) {
                int chosen = rand_r(&random) % n_open;
                offsets_close(&offsets, open[chosen]);
                idle[OPEN_MAX - n_open] = open[chosen];
                open[chosen] = open[--n_open];
            }
            int64_t lowest = next;
            for (int i = 0; i < n_open; i++)
                if (open[i]->offset < lowest)
                    lowest = open[i]->offset;
            int64_t committable = offsets_committable(&offsets);
            assert_true(committable == lowest);
            assert_true(committable >= committed);
            committed = committable;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_record_the_beginning_is_committable),
        cmocka_unit_test(an_unfinished_record_holds_the_offset_and_those_after_it_do_not),
        cmocka_unit_test(a_gap_is_passed),
        cmocka_unit_test(an_entry_can_be_opened_again_after_it_was_closed),
        cmocka_unit_test(the_committable_offset_never_passes_an_unfinished_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

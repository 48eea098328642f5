#include "worker/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { JOBS = 500, KEYS = 7 };

static void only_the_first_of_a_lane_runs(void **state)
{
    (void)state;
    static struct lanes lanes;
    struct lane_place a, b, other;
    int owner_a, owner_b, owner_other;
    assert_true(lanes_enter(&lanes, &a, 1, &owner_a));
    assert_false(lanes_enter(&lanes, &b, 1, &owner_b));
    assert_true(lanes_enter(&lanes, &other, 2, &owner_other));
    assert_false(lanes_is_first(&lanes, &b));
    assert_ptr_equal(lanes_leave(&lanes, &a), &owner_b);
    assert_true(lanes_is_first(&lanes, &b));
    assert_null(lanes_leave(&lanes, &b));
    assert_null(lanes_leave(&lanes, &other));
}

static void leaving_from_the_middle_wakes_nobody(void **state)
{
    (void)state;
    static struct lanes lanes;
    struct lane_place place[3];
    int owner[3];
    for (int i = 0; i < 3; i++)
        lanes_enter(&lanes, &place[i], 9, &owner[i]);
    assert_null(lanes_leave(&lanes, &place[1]));
    assert_ptr_equal(lanes_leave(&lanes, &place[0]), &owner[2]);
    assert_null(lanes_leave(&lanes, &place[2]));
}

/* Two lanes that share a bucket must not know of each other. */
static void lanes_of_one_bucket_do_not_wait_for_each_other(void **state)
{
    (void)state;
    static struct lanes lanes;
    struct lane_place a, b;
    assert_true(lanes_enter(&lanes, &a, 5, &a));
    assert_true(lanes_enter(&lanes, &b, 5 + LANE_BUCKETS, &b));
    assert_null(lanes_leave(&lanes, &a));
    assert_null(lanes_leave(&lanes, &b));
}

static void a_lane_keeps_the_order_in_which_it_was_entered(void **state)
{
    (void)state;
    static struct lanes lanes;
    static struct lane_place place[JOBS];
    static int owner[JOBS];
    int last[KEYS];
    for (int k = 0; k < KEYS; k++)
        last[k] = -1;
    for (int i = 0; i < JOBS; i++)
        lanes_enter(&lanes, &place[i], (uint64_t)(i % KEYS), &owner[i]);
    int left = JOBS;
    while (left > 0) {
        for (int i = 0; i < JOBS; i++) {
            if (place[i].owner == NULL || !lanes_is_first(&lanes, &place[i]))
                continue;
            assert_true(last[i % KEYS] < i);
            last[i % KEYS] = i;
            lanes_leave(&lanes, &place[i]);
            place[i].owner = NULL;
            left--;
        }
    }
}

static void equal_bytes_are_one_lane_only_within_partition_and_kind(void **state)
{
    (void)state;
    static struct lanes lanes;
    uint64_t lane = lane_of(&lanes, LANE_USER, 3, "anna", 4);
    assert_true(lane == lane_of(&lanes, LANE_USER, 3, "anna", 4));
    assert_true(lane != lane_of(&lanes, LANE_USER, 4, "anna", 4));
    assert_true(lane != lane_of(&lanes, LANE_RECORD_KEY, 3, "anna", 4));
    assert_true(lane != lane_of(&lanes, LANE_IDENTITY, 3, "anna", 4));
    assert_true(lane != lane_of(&lanes, LANE_USER, 3, "anne", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_first_of_a_lane_runs),
        cmocka_unit_test(leaving_from_the_middle_wakes_nobody),
        cmocka_unit_test(lanes_of_one_bucket_do_not_wait_for_each_other),
        cmocka_unit_test(a_lane_keeps_the_order_in_which_it_was_entered),
        cmocka_unit_test(equal_bytes_are_one_lane_only_within_partition_and_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

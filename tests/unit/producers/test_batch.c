#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "producers/batch.h"
#include "producers/dead_letter_encode.h"

#include <stdlib.h>

static void publications_keep_their_order(void **state)
{
    (void)state;
    struct batch batch = {0};
    struct publication a = {.partition = 1}, b = {.partition = 2};
    batch_add(&batch, &a);
    batch_add(&batch, &b);
    assert_ptr_equal(batch.first, &a);
    assert_ptr_equal(a.next, &b);
    assert_null(b.next);
    assert_int_equal(batch.n_publications, 2);
    batch_deinit(&batch);
}

static void the_last_offset_said_for_a_partition_counts(void **state)
{
    (void)state;
    struct batch batch = {0};
    assert_int_equal(batch_set_offset(&batch, 3, 10), 0);
    assert_int_equal(batch_set_offset(&batch, 4, 20), 0);
    assert_int_equal(batch_set_offset(&batch, 3, 12), 0);
    assert_int_equal(batch.n_offsets, 2);
    assert_int_equal(batch.offsets[0].offset, 12);
    batch_deinit(&batch);
}

static void a_partition_without_its_offset_is_noticed(void **state)
{
    (void)state;
    struct batch batch = {0};
    struct publication a = {.partition = 1}, b = {.partition = 2};
    batch_add(&batch, &a);
    batch_add(&batch, &b);
    assert_int_equal(batch_set_offset(&batch, 1, 0), 0);
    assert_false(batch_is_guarded(&batch));
    assert_int_equal(batch_set_offset(&batch, 2, 0), 0);
    assert_true(batch_is_guarded(&batch));
    batch_deinit(&batch);
}

static void a_thousand_publications_fill_a_batch(void **state)
{
    (void)state;
    struct batch batch = {0};
    struct publication *publications = calloc(BATCH_PUBLICATIONS_MAX, sizeof *publications);
    for (int i = 0; i < BATCH_PUBLICATIONS_MAX; i++) {
        assert_false(batch_is_full(&batch));
        batch_add(&batch, &publications[i]);
    }
    assert_true(batch_is_full(&batch));
    batch_deinit(&batch);
    free(publications);
}

static void large_publications_fill_a_batch_earlier(void **state)
{
    (void)state;
    struct batch batch = {0};
    struct publication publication = {.kind = PUBLISH_DEAD_LETTER, .held_bytes = BATCH_BYTES_MAX};
    batch_add(&batch, &publication);
    assert_true(batch_is_full(&batch));
    batch_deinit(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publications_keep_their_order),
        cmocka_unit_test(the_last_offset_said_for_a_partition_counts),
        cmocka_unit_test(a_partition_without_its_offset_is_noticed),
        cmocka_unit_test(a_thousand_publications_fill_a_batch),
        cmocka_unit_test(large_publications_fill_a_batch_earlier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

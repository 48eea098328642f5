#include "consumers/assignment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static rd_kafka_topic_partition_list_t *answers(int n, const int64_t *offsets,
                                                const rd_kafka_resp_err_t *errors)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++) {
        rd_kafka_topic_partition_t *answer = rd_kafka_topic_partition_list_add(list, "requests", i);
        answer->offset = offsets == NULL ? 0 : offsets[i];
        answer->err = errors == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : errors[i];
    }
    return list;
}

static void only_an_answer_without_error_is_none(void **state)
{
    (void)state;
    const int64_t none[] = {RD_KAFKA_OFFSET_INVALID, RD_KAFKA_OFFSET_INVALID,
                            RD_KAFKA_OFFSET_INVALID, 42};
    const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_NO_ERROR};
    char reterr[128];
    rd_kafka_topic_partition_list_t *list = answers(5, (int64_t[5]){0}, NULL);
    struct assignment *assignment = assignment_new(list, 9);
    rd_kafka_topic_partition_list_destroy(list);

    list = answers(4, none, errors); /* nothing about the fifth */
    assert_false(assignment_answer_list(assignment, list, reterr, sizeof reterr));
    rd_kafka_topic_partition_list_destroy(list);
    assert_int_equal(assignment->n_unknown, 3);
    assert_int_equal(assignment->partitions[0].start, START_NONE);
    assert_int_equal(assignment->partitions[1].start, START_UNKNOWN);
    assert_int_equal(assignment->partitions[2].start, START_UNKNOWN);
    assert_int_equal(assignment->partitions[3].start, START_COMMITTED);
    assert_int_equal(assignment->partitions[4].start, START_UNKNOWN);

    const int64_t later[] = {5, 6, 7, 8, 9}; /* what is known already stays */
    list = answers(5, later, NULL);
    assert_true(assignment_answer_list(assignment, list, reterr, sizeof reterr));
    rd_kafka_topic_partition_list_destroy(list);
    assert_int_equal(assignment->n_unknown, 0);
    assert_int_equal(assignment->partitions[0].start, START_NONE);
    assert_int_equal(assignment->partitions[3].offset, 42);
    assert_int_equal(assignment->partitions[4].offset, 9);
    free(assignment);
}

static void starts_are_explicit(void **state)
{
    (void)state;
    rd_kafka_topic_partition_list_t *list = answers(4, NULL, NULL);
    struct assignment *assignment = assignment_new(list, 1);
    rd_kafka_topic_partition_list_destroy(list);
    assignment->partitions[0].start = START_NONE;
    assignment->partitions[1].start = START_COMMITTED;
    assignment->partitions[1].offset = 42;
    assignment->partitions[2].start = START_OUT_OF_RANGE;
    assignment->partitions[3].unreadable = true;
    for (int latest = 0; latest < 2; latest++) {
        list = assignment_starts(assignment, "requests", latest != 0);
        assert_int_equal(list->cnt, 3);
        assert_int_equal(list->elems[0].offset,
                         latest ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING);
        assert_int_equal(list->elems[1].offset, 42);
        assert_int_equal(list->elems[2].offset, RD_KAFKA_OFFSET_BEGINNING);
        rd_kafka_topic_partition_list_destroy(list);
    }
    assert_int_equal(assignment_base(&assignment->partitions[0]), 0);
    assert_int_equal(assignment_base(&assignment->partitions[1]), 42);
    assert_null(assignment_find(assignment, 4));
    free(assignment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_an_answer_without_error_is_none),
        cmocka_unit_test(starts_are_explicit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "worker/directory/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void calls_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct call_queue queue = {0};
    struct directory_call a = {0}, b = {0}, c = {0};
    queue_append(&queue, &a);
    queue_append(&queue, &b);
    queue_append(&queue, &c);
    assert_ptr_equal(queue_take(&queue), &a);
    assert_null(a.queue);
    assert_ptr_equal(queue_take(&queue), &b);
    assert_ptr_equal(queue_take(&queue), &c);
    assert_null(queue_take(&queue));
}

static void a_call_can_leave_from_any_place(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 3; leaves++) {
        struct call_queue queue = {0};
        struct directory_call calls[3] = {0};
        for (int i = 0; i < 3; i++)
            queue_append(&queue, &calls[i]);
        queue_leave(&calls[leaves]);
        for (int i = 0; i < 3; i++)
            if (i != leaves)
                assert_ptr_equal(queue_take(&queue), &calls[i]);
        assert_null(queue.first);
        assert_null(queue.last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_leave_in_the_order_they_came),
        cmocka_unit_test(a_call_can_leave_from_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

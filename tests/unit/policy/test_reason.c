#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/reason.h"

#include <string.h>

static void every_reason_has_its_row(void **state)
{
    (void)state;
    for (enum reason reason = REASON_OK; reason < REASONS; reason++) {
        assert_true(strlen(reason_code(reason)) > 0);
        bool acts = strlen(reason_owner(reason)) > 0;
        bool hints = strlen(reason_hint(reason)) > 0;
        bool bad =
            reason_verdict(reason) == VERDICT_FAILED || reason_verdict(reason) == VERDICT_CONFLICT;
        assert_int_equal(acts, bad);
        assert_int_equal(hints, bad);
        for (enum reason other = REASON_OK; other < reason; other++)
            assert_string_not_equal(reason_code(reason), reason_code(other));
    }
}

static void only_what_may_succeed_unchanged_is_retryable(void **state)
{
    (void)state;
    for (enum reason reason = REASON_OK; reason < REASONS; reason++)
        assert_int_equal(reason_retryable(reason), reason == REASON_OVER_LIMIT ||
                                                       reason == REASON_DEADLINE_EXCEEDED ||
                                                       reason == REASON_DIRECTORY_UNAVAILABLE);
}

static void the_worker_rights_are_the_operators_to_mend(void **state)
{
    (void)state;
    assert_string_equal(reason_code(REASON_DIRECTORY_DENIED), "directory_denied");
    assert_string_equal(reason_owner(REASON_DIRECTORY_DENIED), "operator");
    assert_string_equal(reason_owner(REASON_TOO_OLD), "requester");
    assert_string_equal(reason_owner(REASON_NEEDS_HANDS), "administrator");
    assert_string_equal(reason_owner(REASON_DIRECTORY_UNAVAILABLE), "directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_its_row),
        cmocka_unit_test(only_what_may_succeed_unchanged_is_retryable),
        cmocka_unit_test(the_worker_rights_are_the_operators_to_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

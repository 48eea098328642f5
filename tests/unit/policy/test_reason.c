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

static void what_is_retryable_can_be_sent_again_and_what_is_wrong_in_itself_never(void **state)
{
    (void)state;
    static const enum reason never[] = {
        REASON_OK,
        REASON_RESTORED,
        REASON_ALREADY_ACTIVE,
        REASON_LISTED,
        REASON_MALFORMED,
        REASON_REQUEST_ID_REUSED,
        REASON_RETENTION_EXPIRED,
        REASON_NOT_FOUND,
        REASON_AMBIGUOUS_USER,
        REASON_DUPLICATE_USER,
        REASON_PLAN_STALE,
        REASON_NEEDS_HANDS,
    };
    int n_resent = 0;
    for (enum reason reason = REASON_OK; reason < REASONS; reason++) {
        assert_true(reason_resend(reason) || !reason_retryable(reason));
        n_resent += reason_resend(reason);
    }
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_false(reason_resend(never[i]));
    assert_int_equal(n_resent, (int)REASONS - (int)(sizeof never / sizeof *never));
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
        cmocka_unit_test(what_is_retryable_can_be_sent_again_and_what_is_wrong_in_itself_never),
        cmocka_unit_test(the_worker_rights_are_the_operators_to_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "policy/reason.h"

#include <assert.h>

static const struct {
    const char *code;
    enum verdict verdict;
    enum owner owner;
    bool retryable, resend;
    const char *hint;
} reasons[REASONS] = {
#define X(constant, wire, verdict, owner, retryable, resend, hint)                                 \
    [constant] = {wire, VERDICT_##verdict, OWNER_##owner, retryable, resend, hint},
    POLICY_REASONS(X)
#undef X
};

static const char *const owners[] = {
    [OWNER_NOBODY] = "",
    [OWNER_REQUESTER] = "requester",
    [OWNER_ADMINISTRATOR] = "administrator",
    [OWNER_OPERATOR] = "operator",
    [OWNER_DIRECTORY] = "directory",
};

const char *reason_code(enum reason reason)
{
    assert(reason < REASONS);
    return reasons[reason].code;
}

const char *reason_hint(enum reason reason)
{
    assert(reason < REASONS);
    return reasons[reason].hint;
}

const char *reason_owner(enum reason reason)
{
    assert(reason < REASONS);
    return owners[reasons[reason].owner];
}

enum verdict reason_verdict(enum reason reason)
{
    assert(reason < REASONS);
    return reasons[reason].verdict;
}

bool reason_retryable(enum reason reason)
{
    assert(reason < REASONS);
    return reasons[reason].retryable;
}

bool reason_resend(enum reason reason)
{
    assert(reason < REASONS);
    return reasons[reason].resend;
}

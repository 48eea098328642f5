#include "policy/rules.h"

/* The order is the order of the questions: who asks comes before what is asked. */
static enum reason (*const rules[])(const struct policy_facts *facts) = {
    rule_requester, rule_policy_allowed, rule_recipients, rule_request_age,
    rule_retention, rule_synced,         rule_target,
};

/* What protects a deleted user protects the one who bears the name now. */
enum reason policy_decide_holder(const struct policy_facts *facts)
{
    enum reason reason = rule_synced(facts);
    return reason == REASON_OK ? rule_target(facts) : reason;
}

enum reason policy_decide(const struct policy_facts *facts)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum reason reason = rules[i](facts);
        if (reason != REASON_OK)
            return reason;
    }
    return REASON_OK;
}

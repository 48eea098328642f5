#include "policy/rules.h"

/* The order is the order of the questions: who asks comes before what is asked. */
static const struct {
    enum reason (*rule)(const struct policy_facts *facts);
    bool of_list; /* asked of mode `list` too, which restores nobody */
} rules[] = {
    {rule_requester, true},   {rule_policy_allowed, false}, {rule_recipients, false},
    {rule_request_age, true}, {rule_retention, false},      {rule_synced, false},
    {rule_target, false},
};

/* What protects a deleted user protects the one who bears the name now. */
enum reason policy_decide_holder(const struct policy_facts *facts)
{
    enum reason reason = rule_synced(facts);
    return reason == REASON_OK ? rule_target(facts) : reason;
}

enum reason policy_decide(const struct policy_facts *facts)
{
    bool is_list = facts->request->mode == MODE_LIST;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum reason reason = rules[i].of_list || !is_list ? rules[i].rule(facts) : REASON_OK;
        if (reason != REASON_OK)
            return reason;
    }
    return REASON_OK;
}

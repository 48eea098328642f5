/* Who may ask for a restore (contract 3, requestedBy). */
#include "policy/rules.h"

static bool app_is_accepted(const struct policy_rules *rules, const char *app_id)
{
    for (int i = 0; i < rules->n_requester_apps; i++)
        if (text_equal_ignore_case(rules->requester_apps[i], app_id))
            return true;
    return false;
}

static bool role_is_accepted(const struct policy_rules *rules, const char *template_id)
{
    for (int i = 0; i < rules->n_requester_roles; i++)
        if (text_equal_ignore_case(rules->requester_roles[i], template_id))
            return true;
    return false;
}

bool requester_is_read(const struct policy_rules *rules, const struct restore_request *request)
{
    const struct named *requested_by = &request->requested_by;
    if (!rules->check_requester || requested_by->by == NAMED_BY_NOTHING)
        return false;
    return requested_by->by != NAMED_BY_APP_ID || app_is_accepted(rules, requested_by->text);
}

enum reason rule_requester(const struct policy_facts *facts)
{
    const struct named *requested_by = &facts->request->requested_by;
    if (!facts->rules->check_requester)
        return REASON_OK;
    if (requested_by->by == NAMED_BY_NOTHING)
        return REASON_REQUESTER_UNKNOWN;
    bool is_app = requested_by->by == NAMED_BY_APP_ID;
    if (is_app && !app_is_accepted(facts->rules, requested_by->text))
        return REASON_REQUESTER_NOT_AUTHORIZED;

    const struct requester_facts *requester = facts->requester;
    if (requester == NULL)
        return REASON_OK;
    if (!requester->exists || !requester->enabled)
        return REASON_REQUESTER_UNKNOWN;
    if (is_app)
        return REASON_OK; /* it holds no directory role: the list is its right */
    for (int i = 0; i < requester->n_roles; i++)
        if (role_is_accepted(facts->rules, requester->role_template_ids[i]))
            return REASON_OK;
    return REASON_REQUESTER_NOT_AUTHORIZED;
}

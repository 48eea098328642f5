/* Users with directory roles: a restored administrator is an administrator again (directory-api
 * 2.5), and the directory checks the worker's rights, not the requester's. */
#include "policy/rules.h"

enum reason rule_target(const struct policy_facts *facts)
{
    if (!facts->rules->reject_privileged_targets)
        return REASON_OK;
    return facts->n_target_roles > 0 ? REASON_PRIVILEGED_TARGET : REASON_OK;
}

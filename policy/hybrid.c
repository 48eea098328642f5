/* Users that come from on-premises Active Directory: restored in the cloud they become cloud-only
 * until the next sync, which may then stop (directory-api 2.6). */
#include "policy/rules.h"

enum reason rule_synced(const struct policy_facts *facts)
{
    if (facts->target == NULL || !facts->rules->reject_synced_users)
        return REASON_OK;
    return facts->target->synced ? REASON_SYNCED_USER : REASON_OK;
}

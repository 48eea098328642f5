/* How many restores an hour may begin (contract 5, restores_per_hour). */
#include "policy/rules.h"

/* The tenant's limit is divided by the partitions held, rounded up: a limit of 1 shared by three
 * instances lets each restore one rather than none. */
enum reason rule_limit(const struct policy_facts *facts)
{
    const struct recent_restores *recent = &facts->recent;
    int64_t limit = facts->rules->restores_per_hour;
    if (limit == 0 || recent->partitions_all == 0)
        return REASON_OK;
    int64_t share =
        (limit * recent->partitions_held + recent->partitions_all - 1) / recent->partitions_all;
    return recent->n >= share ? REASON_OVER_LIMIT : REASON_OK;
}

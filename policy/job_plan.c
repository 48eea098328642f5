/* What would happen (contract 3, mode `plan`): who bears the name, the names to be given and the
 * addresses is asked before anything is announced. A plan ends there; a restore with a planHash
 * goes on if the facts still give that hash. Nothing here changes anything. */
#include "policy/job_private.h"
#include "policy/plan_hash.h"

#include <string.h>

/* Announced or not: a restore that was put off, or whose worker died, is held to its plan again,
 * until the name was freed, or may have been: then the facts are of our own making. */
bool job_plans(const struct job *job)
{
    bool has_hash = job->request.plan_hash[0] != '\0' && job->freeing == FREEING_NONE;
    return job->request.mode == MODE_PLAN || has_hash;
}

bool job_departs(const struct job *job, const char *holder_id)
{
    bool same = holder_id[0] != '\0' && strcmp(job->planned_holder_id, holder_id) == 0;
    return job->request.plan_hash[0] != '\0' && !same;
}

static bool is_freed_with_its_holder(const struct job *job, const struct conflict *conflict)
{
    return job->name_resolved && job->intent.name_policy == NAME_POLICY_REPLACE_ACTIVE &&
           text_equal_ignore_case(conflict->holder.id, job->intent.holder.id);
}

/* What would become of each clash: the policy resolves it, or it stays one. */
static void sort_conflicts(struct job *job)
{
    struct outcome *outcome = &job->outcome;
    bool removes = job->intent.address_policy == ADDRESS_POLICY_REMOVE;
    int n = outcome->n_conflicts;
    outcome->n_conflicts = 0;
    string_list_clear(&job->removed);
    for (int i = 0; i < n; i++) {
        const struct conflict *conflict = &job->conflicts[i];
        bool is_address = conflict->property == CONFLICT_PROXY_ADDRESSES;
        bool resolved = is_address ? removes : job->name_resolved;
        if (is_address && is_freed_with_its_holder(job, conflict))
            continue;
        if (is_address && removes)
            string_list_add(&job->removed, conflict->value);
        if (!resolved)
            job->conflicts[outcome->n_conflicts++] = *conflict;
    }
}

static struct job_action would_restore(struct job *job)
{
    struct outcome *outcome = &job->outcome;
    struct freed_user *freed = &outcome->freed;
    if (job->removed.n > 0)
        outcome->removed_addresses = &job->removed;
    memcpy(outcome->new_user_principal_name, job->new_name, sizeof job->new_name);
    if (job->name_resolved && job_frees(job)) {
        bool replaced = job->intent.name_policy == NAME_POLICY_REPLACE_ACTIVE;
        freed->how = replaced ? FREED_REPLACED : FREED_RENAMED;
        memcpy(freed->id, job->intent.holder.id, sizeof freed->id);
        memcpy(freed->from, job->intent.holder.from, sizeof freed->from);
        memcpy(freed->to, job->intent.holder.to, sizeof freed->to);
    }
    if (!job->before.enabled)
        outcome->todo |= TODO_SIGN_IN_DISABLED;
    if (!job->before.has_licence)
        outcome->todo |= TODO_NO_LICENCE;
    return job_finish(job, REASON_RESTORED);
}

static struct job_action finish_plan(struct job *job, const char *hash)
{
    memcpy(job->outcome.plan_hash, hash, sizeof job->outcome.plan_hash);
    sort_conflicts(job);
    if (job->outcome.n_conflicts == 0)
        return would_restore(job);
    bool is_name = job->conflicts[0].property == CONFLICT_USER_PRINCIPAL_NAME;
    return job_finish(job, is_name ? REASON_NAME_CONFLICT : REASON_ADDRESS_CONFLICT);
}

/* The restore finds out for itself what the plan could not resolve. */
static struct job_action carry_out(struct job *job)
{
    if (!job->name_resolved) {
        job->new_name[0] = '\0';
        job->rename_number = 0;
    }
    memcpy(job->planned_holder_id, job->intent.holder.id, sizeof job->planned_holder_id);
    memset(&job->intent.holder, 0, sizeof job->intent.holder);
    job->intent.phase = INTENT_RESTORE; /* also of one that was about to free the name */
    job->holder_number = 0;
    job->planning = false;
    job_conflicts_clear(job);
    return job_change(job, JOB_RESTORE);
}

static struct job_action addresses_seen(struct job *job)
{
    const struct restore_request *request = &job->request;
    char hash[PLAN_HASH_CHARS + 1];
    if (job->look_up_failed != REASON_OK)
        return job_fail(job, job->look_up_failed);
    struct plan_facts facts = {
        .tenant = request->tenant[0] != '\0' ? request->tenant : job->rules->default_tenant,
        .user = &job->before,
        .name_policy = job->intent.name_policy,
        .address_policy = job->intent.address_policy,
        .new_user_principal_name = job->name_resolved ? job->new_name : "",
        .rename_active_to = job->name_resolved ? job->intent.holder.to : "",
        .n_conflicts = job->outcome.n_conflicts,
        .conflicts = job->conflicts,
    };
    plan_hash(&facts, hash);
    if (request->plan_hash[0] != '\0' && strcmp(request->plan_hash, hash) != 0)
        return job_fail(job, REASON_PLAN_STALE);
    return request->mode == MODE_PLAN ? finish_plan(job, hash) : carry_out(job);
}

static struct job_action look_for_addresses(struct job *job)
{
    job_seek_addresses(job, NULL);
    return job_look_for_addresses(job, addresses_seen);
}

static struct job_action next_name_seen(struct job *job);

/* The user's new name, or the holder's: the first that is free, if there is one. */
static struct job_action look_for_next_name(struct job *job)
{
    bool of_holder = job_frees(job);
    if (!(of_holder ? job_next_holder_name(job) : job_next_name(job)))
        return look_for_addresses(job);
    return job_look_for_name(job, of_holder ? job->intent.holder.to : job->new_name,
                             next_name_seen);
}

static struct job_action next_name_seen(struct job *job)
{
    if (job->look_up_failed != REASON_OK)
        return job_fail(job, job->look_up_failed);
    job->name_resolved = job->outcome.n_conflicts == 1; /* that of the old name */
    if (job->name_resolved)
        return look_for_addresses(job);
    /* A name that the request chose is a clash worth telling, one of the template is not. */
    bool chosen = !job_frees(job) && job->intent.new_user_principal_name[0] != '\0';
    if (!chosen)
        job->outcome.n_conflicts = 1;
    return look_for_next_name(job);
}

/* Also when his roles are known. */
struct job_action job_plan_holder(struct job *job)
{
    if (job_holder_is_protected(job))
        return look_for_addresses(job);
    job->name_resolved = job->intent.name_policy == NAME_POLICY_REPLACE_ACTIVE;
    return job->name_resolved ? look_for_addresses(job) : look_for_next_name(job);
}

static struct job_action name_seen(struct job *job)
{
    if (job->look_up_failed != REASON_OK)
        return job_fail(job, job->look_up_failed);
    if (job->outcome.n_conflicts == 0)
        return look_for_addresses(job);
    if (job->intent.name_policy == NAME_POLICY_RENAME_RESTORED)
        return look_for_next_name(job);
    if (!job_frees(job))
        return look_for_addresses(job);
    job_holder_choose(job);
    return job->rules->reject_privileged_targets && !job_holder_is_protected(job)
               ? job_ask(job, JOB_HOLDER_ROLES)
               : job_plan_holder(job);
}

struct job_action job_plan(struct job *job)
{
    struct policy_facts facts = job_facts(job);
    enum reason reason = job->announced ? REASON_OK : rule_limit(&facts);
    if (reason != REASON_OK)
        return job_fail(job, reason);
    job->planning = true;
    memset(&job->intent.holder, 0, sizeof job->intent.holder);
    job->name_resolved = false;
    job->new_name[0] = '\0';
    job->rename_number = 0;
    job_conflicts_clear(job);
    return job_look_for_name(job, job->before.user_principal_name, name_seen);
}

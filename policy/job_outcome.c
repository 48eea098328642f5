/* The sum of what a job did and learned, for the events. */
#include "policy/job_private.h"

#include <assert.h>
#include <string.h>

/* Changes and refusals, for whoever joins the directory's audit log. When there are more than fit,
 * the latest is kept in the last place: it is the one that worked. */
void job_record(struct job *job, const struct directory_answer *answer)
{
    struct outcome *outcome = &job->outcome;
    bool refused = answer->status == DIRECTORY_DENIED || answer->status == DIRECTORY_REJECTED;
    bool sent = answer->status != DIRECTORY_BUSY && answer->status != DIRECTORY_UNPROVEN;
    if (!refused && !(directory_operation_changes(job->question.operation) && sent))
        return;
    int i = outcome->n_operations < OPERATIONS_MAX ? outcome->n_operations++ : OPERATIONS_MAX - 1;
    struct operation *operation = &job->operations[i];
    operation->operation = job->question.operation;
    memcpy(operation->client_request_id, job->question.client_request_id,
           sizeof operation->client_request_id);
    memcpy(operation->request_id, answer->request_id, sizeof operation->request_id);
    operation->at_ms = job->now.wall_ms; /* between startedAt and finishedAt */
}

void job_take_user(struct job *job, const struct user_facts *user)
{
    struct outcome *outcome = &job->outcome;
    memcpy(outcome->user_id, user->id, sizeof outcome->user_id);
    memcpy(outcome->user_principal_name, user->user_principal_name,
           sizeof outcome->user_principal_name);
    memcpy(outcome->display_name, user->display_name, sizeof outcome->display_name);
    memcpy(outcome->mail, user->mail, sizeof outcome->mail);
    memcpy(outcome->preferred_language, user->preferred_language,
           sizeof outcome->preferred_language);
}

/* What the restore cost: the before-image minus what is there now. */
void job_take_read_back(struct job *job, const struct user_facts *user)
{
    job_take_user(job, user);
    if (!user->enabled)
        job->outcome.todo |= TODO_SIGN_IN_DISABLED;
    if (!user->has_licence)
        job->outcome.todo |= TODO_NO_LICENCE;
    if (user->proxy_addresses.left_out > 0)
        return; /* what was not read is not missing */
    const struct string_list *before = &job->before.proxy_addresses;
    string_list_clear(&job->removed);
    for (const char *address = NULL; (address = string_list_next(before, address)) != NULL;)
        if (!string_list_has_ignore_case(&user->proxy_addresses, address))
            string_list_add(&job->removed, address);
    if (job->removed.n > 0)
        job->outcome.removed_addresses = &job->removed;
}

void job_resolve_recipients(struct job *job)
{
    struct outcome *outcome = &job->outcome;
    const struct restore_request *request = &job->request;
    const struct requester_facts *requester = job->requester_known ? &job->requester : NULL;
    recipients_resolve(notify_to_in_force(job->rules, request), requester, outcome->before,
                       job->manager_mail, &outcome->to);
    recipients_resolve(&request->notify_cc, requester, outcome->before, job->manager_mail,
                       &outcome->cc);
    if (outcome->to.n == 0)
        outcome->cc.n = 0;
}

static bool notification_is_due(const struct job *job)
{
    const struct outcome *outcome = &job->outcome;
    if (job->request.mode != MODE_RESTORE)
        return false;
    switch (reason_verdict(outcome->reason)) {
    case VERDICT_SUCCEEDED:
        return outcome->reason == REASON_RESTORED &&
               (outcome->password == PASSWORD_GENERATED || job->rules->notify_on_succeeded);
    case VERDICT_CONFLICT: return job->rules->notify_on_conflict;
    case VERDICT_FAILED: return job->rules->notify_on_failed;
    case VERDICT_PROCEED: break;
    }
    assert(false && "not an end");
    return false;
}

static void sum_up_restored(struct job *job)
{
    struct outcome *outcome = &job->outcome;
    bool planned = job->request.mode == MODE_PLAN;
    bool password_set = planned ? job->intent.generate_password : job->password_set;
    outcome->password = password_set ? PASSWORD_GENERATED : PASSWORD_LEFT;
    if (!password_set)
        outcome->todo |= TODO_PASSWORD_NOT_SET;
    if (job->before.synced)
        outcome->todo |= TODO_WAS_SYNCHRONISED;
}

/* Every code but needs_hands means that the directory is as it was (contract 4). */
static bool must_undo(const struct job *job, enum reason reason)
{
    return job->freeing != FREEING_NONE && reason != REASON_NEEDS_HANDS && !job_undoes(job) &&
           reason_verdict(reason) != VERDICT_SUCCEEDED;
}

static void sum_up_name_conflict(struct job *job)
{
    struct outcome *outcome = &job->outcome;
    enum name_policy tried = job->intent.name_policy;
    outcome->name_policy = tried;
    bool has_template = (tried == NAME_POLICY_RENAME_RESTORED && job->rename_number == 0) ||
                        (tried == NAME_POLICY_RENAME_ACTIVE && job->holder_number < 0);
    name_resolutions(job->rules, has_template ? NAME_POLICY_ABSENT : tried, outcome->resolution);
    /* Only a user who is known, and whom the rules do not protect, can give way. */
    if (outcome->conflicts[0].holder.type != HOLDER_USER || job->holder_protected)
        outcome->resolution[NAME_POLICY_RENAME_ACTIVE] =
            outcome->resolution[NAME_POLICY_REPLACE_ACTIVE] = false;
}

struct job_action job_finish(struct job *job, enum reason reason)
{
    if (must_undo(job, reason))
        return job_undo(job, reason);
    struct outcome *outcome = &job->outcome;
    outcome->reason = reason;
    outcome->restored = job->effect == EFFECT_RESTORED;
    outcome->started_at_ms = job->intent.started_at_ms;
    outcome->finished_at_ms = job->now.wall_ms;
    if (outcome->before != NULL) {
        outcome->restorable_until_ms = restorable_until_ms(job->rules, outcome->before);
        int64_t left_ms = outcome->restorable_until_ms - job->now.directory_ms;
        outcome->milliseconds_left = left_ms > 0 ? left_ms : 0;
    }
    if (reason == REASON_RESTORED)
        sum_up_restored(job);
    if (reason == REASON_NAME_CONFLICT)
        sum_up_name_conflict(job);
    job_take_freed(job);
    /* A request may only be stricter than the configuration (contract 3). */
    outcome->resolution_remove = reason == REASON_ADDRESS_CONFLICT && !job->reconcile &&
                                 job->rules->address_policy == ADDRESS_POLICY_REMOVE;

    if (job->requester_known) {
        memcpy(outcome->contact_display_name, job->requester.display_name,
               sizeof outcome->contact_display_name);
        memcpy(outcome->contact_mail, job->requester.mail, sizeof outcome->contact_mail);
    }
    job_resolve_recipients(job);
    if (!notification_is_due(job))
        outcome->to.n = outcome->cc.n = 0;
    job->state = JOB_DONE;
    return (struct job_action){.type = JOB_FINISH};
}

/* After the restore: who is told, the password, and what the account looks like now. */
#include "policy/job_private.h"

#include <string.h>

/* The user is back: from here on nothing fails, what is missing becomes todo. */
struct job_action job_deliver(struct job *job)
{
    const struct restore_request *request = &job->request;
    const struct recipients *to = notify_to_in_force(job->rules, request);
    unsigned words = recipients_words(to) | recipients_words(&request->notify_cc);
    /* The plan's choice, and asked again: a configuration may lose its key while a job is down. */
    bool secret = job->intent.generate_password &&
                  password_generate_in_force(job->rules, request) && !job->password_set &&
                  !job->password_given_up;

    if (secret || job->rules->notify_on_succeeded) {
        if (!job->requester_known && requester_is_read(job->rules, request))
            return job_ask(job, JOB_REQUESTER); /* resumed: `requester`, and the contact */
        if ((words & RECIPIENT_MANAGER) != 0 && !job->manager_known)
            return job_ask(job, JOB_MANAGER); /* /users/{id} is 404 before the restore */
    }
    job_resolve_recipients(job);
    struct policy_facts facts = job_facts(job);
    if (secret && job->outcome.to.n > 0 && rule_recipients(&facts) == REASON_OK)
        return job_change(job, JOB_PASSWORD);
    if (job->freeing != FREEING_NONE && !job->holder_told)
        return job_ask(job, JOB_GAVE_WAY);
    return job_ask(job, JOB_READ_BACK);
}

struct job_action job_restored(struct job *job)
{
    job->effect = EFFECT_RESTORED;
    job->restored_at_mono_ms = job->now.mono_ms;
    return job_deliver(job);
}

/* Restored by us, as a look at the active users tells. Past the deadline an administrator may have
 * acted (design 9). A dead worker may have set a password that the replica does not show yet: its
 * date, seen later, would pass for that of ours. So a resumed job knows no date from before, and a
 * password whose reply was lost is set again, the same one, until the directory answers. */
struct job_action job_found_active(struct job *job, const struct user_facts *user)
{
    job_take_user(job, user);
    job->password_changed_before_ms = job->resumed ? 0 : user->last_password_change_at_ms;
    job->password_given_up = job->resumed && job_is_past(job, job_deadline_mono_ms(job));
    return job_restored(job);
}

/* 404 is "no manager", or "no such user" of a replica that has not heard of the restore; without a
 * look at the user himself a lag would cost him his password. */
struct job_action job_manager_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND && !job->visible)
        return job_ask(job, JOB_VISIBLE);
    if (answer->status == DIRECTORY_YES)
        memcpy(job->manager_mail, answer->manager_mail, sizeof job->manager_mail);
    job->manager_known = true;
    return job_deliver(job);
}

struct job_action job_visible_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, JOB_VISIBLE, job->restored_at_mono_ms);
    job->visible = true;
    return job_ask(job, JOB_MANAGER);
}

struct job_action job_without_manager(struct job *job, enum reason reason)
{
    (void)reason;
    job->manager_known = true;
    return job_deliver(job);
}

struct job_action job_password_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, JOB_PASSWORD, job->restored_at_mono_ms);
    job->password_set = true;
    return job_deliver(job);
}

struct job_action job_confirm_password_answered(struct job *job,
                                                const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, JOB_CONFIRM_PASSWORD, job->password_lost_at_mono_ms);
    int64_t before_ms = job->password_changed_before_ms;
    if (before_ms != 0 && answer->user.last_password_change_at_ms != before_ms) {
        job->password_set = true;
        return job_deliver(job);
    }
    int64_t certain_at_mono_ms = job->password_lost_at_mono_ms + JOB_CERTAIN_MS;
    return job_is_past(job, certain_at_mono_ms)
               ? job_change(job, JOB_PASSWORD)
               : job_sleep(job, JOB_CONFIRM_PASSWORD, certain_at_mono_ms);
}

struct job_action job_without_password(struct job *job, enum reason reason)
{
    (void)reason;
    job->password_given_up = true;
    return job_deliver(job);
}

struct job_action job_read_back_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, JOB_READ_BACK, job->restored_at_mono_ms);
    if (answer->n_roles > 0) /* restored with the user (directory-api 2.5) */
        job->outcome.todo |= TODO_RESTORED_ADMINISTRATOR;
    job_take_read_back(job, &answer->user);
    return job_finish(job, REASON_RESTORED);
}

struct job_action job_without_read_back(struct job *job, enum reason reason)
{
    (void)reason;
    job->outcome.todo |= TODO_NOT_YET_VISIBLE;
    return job_finish(job, REASON_RESTORED);
}

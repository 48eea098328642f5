/* What did a call do whose reply was lost, or an incarnation of this job that died? The directory
 * cannot be asked about the call, only about the user (design 7 and 9). */
#include "policy/job_private.h"

void job_doubt(struct job *job)
{
    job->ours = true;
    if (job->effect == EFFECT_DOUBTFUL)
        return;
    job->effect = EFFECT_DOUBTFUL;
    job->doubt_since_mono_ms = job->now.mono_ms;
    job->n_in_bin = 0;
}

/* Before anything is read the earlier incarnation's last call must have had its effect, or never
 * have one: the settling time bounds both. */
struct job_action job_resume(struct job *job, const struct job_event *event)
{
    job->intent = *event->intent;
    user_facts_copy(&job->before, event->intent->user);
    job->intent.user = &job->before;
    job->outcome.before = &job->before;
    text_copy(job->user_id, sizeof job->user_id, job->before.id);
    job_take_user(job, &job->before);

    int64_t age_ms = job->now.wall_ms - job->intent.started_at_ms;
    if (age_ms < 0) /* the clock was set back: no deadline is longer than a fresh one */
        age_ms = 0;
    job->deadline_mono_ms = job->now.mono_ms - age_ms + job->rules->request_deadline_ms;
    job->settled_at_mono_ms = event->settled_at_mono_ms;
    job->resumed = true;
    job->announced = true;
    job->freeing_lost = job->intent.phase != INTENT_RESTORE;
    job->freeing = job->freeing_lost ? FREEING_DOUBTFUL : FREEING_NONE;
    job->holder_doubt_mono_ms = job->settled_at_mono_ms;
    /* Only a restore that was refused for good is undone: nothing is in doubt about the user. */
    enum job_state next = job_undoes(job) ? JOB_CONFIRM_UNDO : JOB_RESUME;
    if (next == JOB_RESUME)
        job_doubt(job);
    if (!job_is_past(job, job->settled_at_mono_ms)) {
        job->doubt_since_mono_ms = job->settled_at_mono_ms;
        job->state = JOB_SETTLE;
        return job_sleep(job, next, job->settled_at_mono_ms);
    }
    return job_ask(job, next);
}

/* CONFIRM, RESUME: is the user active? */
struct job_action job_active_looked(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_YES)
        return job_found_active(job, &answer->user);
    return job_ask(job, job->state == JOB_RESUME ? JOB_RESUME_BIN : JOB_CONFIRM_BIN);
}

/* CONFIRM_BIN, RESUME_BIN: or still deleted? The bin goes on showing a restored user for a while,
 * so it is believed the second time. */
struct job_action job_bin_looked(struct job *job, const struct directory_answer *answer)
{
    enum job_state first_look = job->state == JOB_RESUME_BIN ? JOB_RESUME : JOB_CONFIRM;
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, first_look, job->doubt_since_mono_ms);

    int64_t certain_at_mono_ms = job->doubt_since_mono_ms + JOB_CERTAIN_MS;
    if (!job_is_past(job, certain_at_mono_ms)) {
        job->n_in_bin = 1;
        return job_sleep(job, first_look, certain_at_mono_ms);
    }
    if (job->n_in_bin++ == 0)
        return job_ask(job, first_look);
    job->effect = EFFECT_NONE;
    if (first_look == JOB_RESUME)
        return job_begin(job);
    enum reason reason = job_found_deleted(job, &answer->user);
    return reason == REASON_OK ? job_proceed(job) : job_finish(job, reason);
}

/* Asking, waiting and giving up: how a job goes on, and for how long. */
#include "policy/backoff.h"
#include "policy/digest.h"
#include "policy/job_private.h"

#include <assert.h>
#include <string.h>

enum { LAST_TRY_MS = SECOND_MS }; /* before the time is up */

bool job_is_past(const struct job *job, int64_t mono_ms)
{
    return job->now.mono_ms >= mono_ms;
}

static int64_t unreachable_ms(const struct job *job)
{
    int64_t ms = job->still.unreachable_ms - job->still_before.unreachable_ms;
    return ms < job->rules->request_deadline_ms ? ms : job->rules->request_deadline_ms;
}

int64_t job_deadline_mono_ms(const struct job *job)
{
    return job->deadline_mono_ms + unreachable_ms(job) +
           (job->still.paused_ms - job->still_before.paused_ms);
}

/* By how much the deadline may yet move of what stands still now: whoever sleeps meanwhile sleeps
 * no time away. A pause has no end that is known, so it is asked again as often as it would. */
static int64_t movable_ms(const struct job *job)
{
    int64_t length_ms = job->rules->request_deadline_ms;
    if (job->still.paused)
        return length_ms;
    return job->still.unreachable ? length_ms - unreachable_ms(job) : 0;
}

/* A holder who gave way is no reason to go on, but to give it back: that may take longer. */
static bool may_not_stop(const struct job *job)
{
    return job->effect != EFFECT_NONE || job->freeing == FREEING_DOUBTFUL || job_undoes(job);
}

/* Nothing was changed: the deadline. Something was, or may have been: JOB_LAST_MS more, counted
 * for a job that was resumed late from the moment it may act. */
static int64_t limit_mono_ms(const struct job *job)
{
    int64_t deadline_mono_ms = job_deadline_mono_ms(job);
    if (!may_not_stop(job))
        return deadline_mono_ms;
    int64_t from =
        deadline_mono_ms > job->settled_at_mono_ms ? deadline_mono_ms : job->settled_at_mono_ms;
    return from + JOB_LAST_MS;
}

static bool time_is_up(const struct job *job)
{
    if (job_is_past(job, limit_mono_ms(job)))
        return true;
    return !may_not_stop(job) && job->request.not_after_ms != 0 &&
           job->now.directory_ms >= job->request.not_after_ms;
}

static struct job_action out_of_time(struct job *job, enum job_state state)
{
    job->state = state;
    return job_rows[state].without(job, job->unheard ? REASON_DIRECTORY_UNAVAILABLE
                                                     : REASON_DEADLINE_EXCEEDED);
}

struct job_action job_fail(struct job *job, enum reason reason)
{
    return job_finish(job, job->effect == EFFECT_NONE ? reason : REASON_NEEDS_HANDS);
}

struct job_action job_refused(struct job *job, const struct directory_answer *answer)
{
    struct outcome *outcome = &job->outcome;
    outcome->error_status = answer->http_status;
    memcpy(outcome->error_code, answer->error_code, sizeof outcome->error_code);
    memcpy(outcome->error_request_id, answer->request_id, sizeof outcome->error_request_id);
    return job_rows[job->state].without(job, answer->status == DIRECTORY_DENIED
                                                 ? REASON_DIRECTORY_DENIED
                                                 : REASON_DIRECTORY_REJECTED);
}

static void fill_question(struct job *job, enum job_state state)
{
    const struct job_row *row = &job_rows[state];
    struct directory_question *question = &job->question;
    *question = (struct directory_question){.operation = row->by_id};
    if (state == JOB_REQUESTER) {
        const struct named *whom = &job->request.requested_by;
        if (whom->by == NAMED_BY_APP_ID)
            question->operation = DIRECTORY_REQUESTER_APP;
        text_copy(question->id, sizeof question->id, whom->by != NAMED_BY_NAME ? whom->text : "");
        text_copy(question->name, sizeof question->name,
                  whom->by == NAMED_BY_NAME ? whom->text : "");
    } else if (state == JOB_HOLDER) {
        memcpy(question->name, job->sought_name, sizeof question->name);
    } else if (row->answered == job_addresses_answered) {
        job_ask_addresses(job);
    } else if (row->of_holder) {
        job_ask_holder(job, state);
    } else if (job->user_id[0] == '\0') {
        question->operation = row->by_name;
        memcpy(question->name, job->request.user.text, sizeof question->name);
    } else {
        memcpy(question->id, job->user_id, sizeof question->id);
    }
    if (state == JOB_LIST)
        job_list_wish(job, &question->wish);
    /* Where the rules reject them, nobody who is restored holds one. */
    question->with_roles = state == JOB_READ_BACK && !job->rules->reject_privileged_targets;
    if (state == JOB_RESTORE) {
        memcpy(question->new_user_principal_name, job->new_name, sizeof job->new_name);
        question->reconcile_proxy_addresses = job->reconcile;
    }

    char n_th[DECIMAL_CHARS + 1];
    text_decimal(++job->n_calls[question->operation], n_th);
    const char *const parts[] = {job->journal_key, directory_operation_name(question->operation),
                                 n_th};
    digest_uuid5(parts, 3, -1, question->client_request_id);
}

/* Promise P4, however long the change was put off: when the roles are no longer fresh, whatever
 * the rules were asked about may have changed too, so it is all read again. The requester's are the
 * first to be read; where he is not looked up, it is the user. */
static enum job_state unless_stale(const struct job *job, enum job_state state)
{
    bool rules_apply = state == JOB_RESTORE || state == JOB_FREE;
    int64_t read_at_mono_ms =
        job->requester_known ? job->requester_read_at_mono_ms : job->found_at_mono_ms;
    if (!rules_apply || job->now.mono_ms <= read_at_mono_ms + JOB_ROLES_FRESH_MS)
        return state;
    return job->requester_known ? JOB_REQUESTER : JOB_FIND;
}

struct job_action job_ask(struct job *job, enum job_state state)
{
    state = unless_stale(job, state);
    if (time_is_up(job))
        return out_of_time(job, state);
    if (!job_is_past(job, job->not_before_mono_ms))
        return job_sleep(job, state, job->not_before_mono_ms);
    job->state = state;
    fill_question(job, state);
    return (struct job_action){.type = JOB_ASK};
}

struct job_action job_change(struct job *job, enum job_state state)
{
    assert(job->request.mode == MODE_RESTORE);
    if (job->intent_stands || unless_stale(job, state) != state)
        return job_ask(job, state);
    if (time_is_up(job))
        return out_of_time(job, state);
    if (!job->announced) {
        struct policy_facts facts = job_facts(job);
        enum reason reason = rule_limit(&facts);
        if (reason != REASON_OK)
            return job_fail(job, reason);
    }
    job->announced = true;
    job->state = JOB_INTENT;
    job->after_intent = state;
    return (struct job_action){.type = JOB_COMMIT};
}

/* Whoever would only wake up out of time gives up now. */
struct job_action job_sleep(struct job *job, enum job_state then, int64_t until_mono_ms)
{
    if (until_mono_ms >= limit_mono_ms(job) + movable_ms(job))
        return out_of_time(job, then);
    job->asleep_from = then;
    return (struct job_action){.type = JOB_SLEEP, .until_mono_ms = until_mono_ms};
}

struct job_action job_put_off(struct job *job, enum job_state then, int64_t retry_after_ms)
{
    /* The breaker's own wait is short, and grows for nobody: all go on as soon as it closes. */
    int n = job->still.unreachable ? 0 : job->n_put_off++;
    int64_t until_mono_ms = job->now.mono_ms + backoff_ms(n, retry_after_ms, &job->random);
    int64_t last_mono_ms = limit_mono_ms(job) + movable_ms(job) - LAST_TRY_MS;
    job->not_before_mono_ms = job->now.mono_ms + retry_after_ms;
    /* Chance alone must not end it before its time: jitter is cut to one last try. */
    if (until_mono_ms > last_mono_ms && job->not_before_mono_ms <= last_mono_ms &&
        job->now.mono_ms < last_mono_ms)
        until_mono_ms = last_mono_ms;
    return job_sleep(job, then, until_mono_ms);
}

struct job_action job_look_again(struct job *job, enum job_state then, int64_t since_mono_ms)
{
    int64_t last_mono_ms = since_mono_ms + JOB_LAG_MS;
    if (job_is_past(job, last_mono_ms))
        return out_of_time(job, then);
    int64_t wait_ms = backoff_ms(job->n_put_off++, 0, &job->random);
    int64_t until_mono_ms = job->now.mono_ms + wait_ms;
    return job_sleep(job, then, until_mono_ms < last_mono_ms ? until_mono_ms : last_mono_ms);
}

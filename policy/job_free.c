/* The active user who bears the name gives way: renamed, or deleted into the bin. When the restore
 * is refused for good he gets it back. Whatever is asked or changed here goes by his object id:
 * after our restore the name is the restored user's (design 9). */
#include "policy/job_private.h"

#include <assert.h>
#include <string.h>

bool job_frees(const struct job *job)
{
    return job->intent.name_policy == NAME_POLICY_RENAME_ACTIVE ||
           job->intent.name_policy == NAME_POLICY_REPLACE_ACTIVE;
}

bool job_undoes(const struct job *job)
{
    return job->intent.phase == INTENT_UNDO;
}

/* As the intent has it: the plan may be another's by now, but not what was begun. */
static bool is_replaced(const struct job *job)
{
    return job->intent.holder.to[0] == '\0';
}

void job_ask_holder(struct job *job, enum job_state state)
{
    struct directory_question *question = &job->question;
    const struct job_row *row = &job_rows[state];
    const char *id = job->intent.holder.id;
    assert(id[0] != '\0' && !text_equal_ignore_case(id, job->user_id));
    question->operation = is_replaced(job) ? row->by_name : row->by_id;
    memcpy(question->id, id, sizeof question->id);
    if (question->operation == DIRECTORY_RENAME_USER)
        memcpy(question->new_user_principal_name,
               state == JOB_UNDO ? job->intent.holder.from : job->intent.holder.to,
               sizeof question->new_user_principal_name);
}

void job_holder_lost(struct job *job)
{
    job->holder_doubt_mono_ms = job->now.mono_ms;
    job->freeing_lost = true;
    job->freeing = FREEING_DOUBTFUL;
}

static struct job_action conflict_with_holder(struct job *job)
{
    if (job->outcome.n_conflicts == 0)
        job_holder_conflict(job, &job->holder);
    return job_finish(job, REASON_NAME_CONFLICT);
}

bool job_next_holder_name(struct job *job)
{
    const char *chosen = job->request.rename_active_to;
    char *to = job->intent.holder.to;
    if (chosen[0] != '\0') {
        if (job->holder_number != 0)
            return false;
        job->holder_number = -1;
        memcpy(to, chosen, sizeof job->intent.holder.to);
    } else {
        job->holder_number = job->holder_number == 0 ? RENAME_NUMBER_FIRST : job->holder_number + 1;
        if (job->holder_number > RENAME_NUMBER_LAST ||
            !rename_from_template(job->intent.rename_template, job->intent.holder.from,
                                  job->holder_number, to))
            return false;
    }
    return !text_equal_ignore_case(to, job->intent.holder.from);
}

/* Each name is tried by renaming: the directory is the arbiter, and each is an intent of its own.
 */
static struct job_action change_holder(struct job *job)
{
    if (job->intent.name_policy == NAME_POLICY_REPLACE_ACTIVE)
        job->intent.holder.to[0] = '\0';
    else if (!job_next_holder_name(job))
        return conflict_with_holder(job);
    job->intent.phase = INTENT_FREE;
    job->intent_stands = false;
    return job_change(job, JOB_FREE);
}

bool job_holder_is_protected(struct job *job)
{
    struct policy_facts facts = job_facts(job);
    facts.target = &job->holder;
    facts.n_target_roles = job->n_holder_roles;
    job->holder_protected = job->holder_is_of_batch || policy_decide_holder(&facts) != REASON_OK;
    return job->holder_protected;
}

void job_holder_choose(struct job *job)
{
    memset(&job->intent.holder, 0, sizeof job->intent.holder);
    memcpy(job->intent.holder.id, job->holder.id, sizeof job->intent.holder.id);
    memcpy(job->intent.holder.from, job->holder.user_principal_name,
           sizeof job->intent.holder.from);
    job->holder_number = 0;
    job->n_holder_roles = -1;
}

struct job_action job_free(struct job *job)
{
    job_holder_choose(job);
    if (job_holder_is_protected(job))
        return conflict_with_holder(job);
    return job->rules->reject_privileged_targets ? job_ask(job, JOB_HOLDER_ROLES)
                                                 : change_holder(job);
}

struct job_action job_holder_roles_answered(struct job *job, const struct directory_answer *answer)
{
    job->n_holder_roles = answer->status == DIRECTORY_YES ? answer->n_roles : 0;
    if (job->planning)
        return job_plan_holder(job);
    return job_holder_is_protected(job) ? conflict_with_holder(job) : change_holder(job);
}

/* What an earlier incarnation, or a lost call, did to the holder is found out before anything is
 * changed. */
struct job_action job_proceed(struct job *job)
{
    if (job_plans(job))
        return job_plan(job);
    return job->freeing == FREEING_DOUBTFUL ? job_ask(job, JOB_CONFIRM_FREE)
                                            : job_change(job, JOB_RESTORE);
}

static struct job_action freed(struct job *job, enum job_freeing freeing)
{
    job->freeing = freeing;
    return job_change(job, JOB_RESTORE);
}

struct job_action job_free_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NAME_TAKEN || answer->status == DIRECTORY_ADDRESS_TAKEN)
        return change_holder(job);
    if (answer->status == DIRECTORY_YES) {
        job->holder_doubt_mono_ms = job->now.mono_ms;
        return freed(job, FREEING_DONE);
    }
    if (job->freeing_lost) {
        job->freeing = FREEING_DOUBTFUL;
        return job_ask(job, JOB_CONFIRM_FREE);
    }
    /* Gone, and not by us: perhaps the name is free. */
    if (job->not_freed_since_mono_ms == 0)
        job->not_freed_since_mono_ms = job->now.mono_ms;
    return job_look_again(job, JOB_RESTORE, job->not_freed_since_mono_ms);
}

struct job_action job_without_free(struct job *job, enum reason reason)
{
    bool refused = reason == REASON_DIRECTORY_DENIED || reason == REASON_DIRECTORY_REJECTED;
    return refused ? conflict_with_holder(job) : job_fail(job, reason);
}

static bool is_certain(const struct job *job)
{
    return job_is_past(job, job->holder_doubt_mono_ms + JOB_CERTAIN_MS);
}

static struct job_action until_certain(struct job *job, enum job_state look)
{
    return job_sleep(job, look, job->holder_doubt_mono_ms + JOB_CERTAIN_MS);
}

/* CONFIRM_FREE and, of a deletion, CONFIRM_FREE_BIN. */
struct job_action job_confirm_free_answered(struct job *job, const struct directory_answer *answer)
{
    const struct user_facts *user = &answer->user;
    if (answer->status == DIRECTORY_NOT_FOUND) {
        if (is_replaced(job) && job->state == JOB_CONFIRM_FREE)
            return job_ask(job, JOB_CONFIRM_FREE_BIN);
        /* Renamed, and deleted by another since: the restore is the arbiter. */
        bool is_gone = job_is_past(job, job->holder_doubt_mono_ms + JOB_LAG_MS);
        return is_gone && !is_replaced(job)
                   ? freed(job, FREEING_NONE)
                   : job_look_again(job, JOB_CONFIRM_FREE, job->holder_doubt_mono_ms);
    }
    user_facts_copy(&job->holder, user);
    job->holder_known = true;
    if (job->state == JOB_CONFIRM_FREE_BIN)
        return freed(job, FREEING_DONE);
    if (!text_equal_ignore_case(user->user_principal_name, job->intent.holder.from)) {
        bool ours = text_equal_ignore_case(user->user_principal_name, job->intent.holder.to);
        return freed(job, ours ? FREEING_DONE : FREEING_NONE);
    }
    if (!is_certain(job))
        return until_certain(job, JOB_CONFIRM_FREE);
    job->freeing = FREEING_NONE;
    return job_frees(job) ? job_free(job) : job_change(job, JOB_RESTORE);
}

struct job_action job_undo(struct job *job, enum reason refusal)
{
    job->intent.phase = INTENT_UNDO;
    job->intent.refusal = refusal;
    job->intent_stands = false;
    return job_change(job, job->freeing == FREEING_DONE ? JOB_UNDO : JOB_CONFIRM_UNDO);
}

static struct job_action undone(struct job *job)
{
    enum reason refusal = job->intent.refusal;
    job->freeing = FREEING_NONE;
    /* A resumed job knows the verdict, not with whom. */
    if (reason_verdict(refusal) == VERDICT_CONFLICT && job->outcome.n_conflicts == 0) {
        bool is_name = refusal == REASON_NAME_CONFLICT;
        (void)job_conflict_add(job,
                               is_name ? CONFLICT_USER_PRINCIPAL_NAME : CONFLICT_PROXY_ADDRESSES,
                               is_name ? job->before.user_principal_name : "");
    }
    return job_finish(job, refusal);
}

struct job_action job_undo_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_YES)
        return undone(job);
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, JOB_CONFIRM_UNDO, job->holder_doubt_mono_ms);
    return job_finish(job, REASON_NEEDS_HANDS); /* his name, or an address, is another's by now */
}

/* CONFIRM_UNDO and, of a deletion, CONFIRM_UNDO_BIN. A replica may show what was before the holder
 * gave way, so nothing is believed at once. */
struct job_action job_confirm_undo_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND)
        return is_replaced(job) && job->state == JOB_CONFIRM_UNDO
                   ? job_ask(job, JOB_CONFIRM_UNDO_BIN)
                   : job_look_again(job, JOB_CONFIRM_UNDO, job->holder_doubt_mono_ms);
    if (!is_certain(job))
        return until_certain(job, JOB_CONFIRM_UNDO);
    const char *name = answer->user.user_principal_name;
    bool gave_way = job->state == JOB_CONFIRM_UNDO_BIN ||
                    (!is_replaced(job) && text_equal_ignore_case(name, job->intent.holder.to));
    if (!gave_way)
        return text_equal_ignore_case(name, job->intent.holder.from)
                   ? undone(job)
                   : job_finish(job, REASON_NEEDS_HANDS); /* another's work is not undone */
    job->freeing = FREEING_DONE;
    return job_change(job, JOB_UNDO);
}

struct job_action job_holder_in_doubt(struct job *job, enum reason reason)
{
    (void)reason;
    return job_finish(job, REASON_NEEDS_HANDS);
}

/* The user is back; for the event, what became of the one who gave way. */
struct job_action job_gave_way_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND)
        return job_look_again(job, JOB_GAVE_WAY, job->restored_at_mono_ms);
    const struct user_facts *user = &answer->user;
    bool gave_way = is_replaced(job) ||
                    text_equal_ignore_case(user->user_principal_name, job->intent.holder.to);
    if (!gave_way && !is_certain(job))
        return until_certain(job, JOB_GAVE_WAY);
    user_facts_copy(&job->holder, user);
    job->holder_known = job->holder_told = true;
    if (job->freeing == FREEING_DOUBTFUL)
        job->freeing = gave_way ? FREEING_DONE : FREEING_NONE;
    return job_deliver(job);
}

struct job_action job_without_gave_way(struct job *job, enum reason reason)
{
    (void)reason;
    job->holder_told = true;
    return job_deliver(job);
}

void job_take_freed(struct job *job)
{
    struct freed_user *freed = &job->outcome.freed;
    const struct user_facts *holder = &job->holder;
    /* In doubt, and the user is back under the name: so it was free. */
    bool had_to = job->freeing == FREEING_DOUBTFUL &&
                  reason_verdict(job->outcome.reason) == VERDICT_SUCCEEDED &&
                  text_equal_ignore_case(job->outcome.user_principal_name, job->intent.holder.from);
    if (job->freeing != FREEING_DONE && !had_to)
        return;
    freed->how = is_replaced(job) ? FREED_REPLACED : FREED_RENAMED;
    memcpy(freed->id, job->intent.holder.id, sizeof freed->id);
    memcpy(freed->from, job->intent.holder.from, sizeof freed->from);
    memcpy(freed->to, job->intent.holder.to, sizeof freed->to);
    if (!job->holder_known)
        return;
    memcpy(freed->display_name, holder->display_name, sizeof freed->display_name);
    memcpy(freed->preferred_language, holder->preferred_language, sizeof freed->preferred_language);
    if (holder->deleted_at_ms != 0)
        freed->restorable_until_ms = restorable_until_ms(job->rules, holder);
    if (reason_verdict(job->outcome.reason) != VERDICT_SUCCEEDED ||
        !job->rules->notify_on_succeeded)
        return;
    if (holder->mail[0] != '\0')
        memcpy(freed->told.address[freed->told.n++], holder->mail, sizeof holder->mail);
    for (int i = 0; holder->mail[0] == '\0' && i < holder->n_other_mails; i++)
        memcpy(freed->told.address[freed->told.n++], holder->other_mails[i],
               sizeof holder->other_mails[i]);
}

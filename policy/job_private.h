/* What the files of the state machine share. For policy/job*.c only. */
#ifndef POLICY_JOB_PRIVATE_H
#define POLICY_JOB_PRIVATE_H

#include "policy/job.h"

/* One state: what it asks, and what the answers lead to. */
struct job_row {
    const char *name;
    enum directory_operation by_id, by_name; /* by_name until the user's id is known */
    bool of_holder; /* of him who gives way: by_id when he is renamed, by_name when replaced */
    enum job_state confirmed_by; /* changes: finds out whether a lost one was done; else QUEUED */
    /* YES, NOT_FOUND; RESTORE also the two clashes. */
    struct job_action (*answered)(struct job *job, const struct directory_answer *answer);
    /* Refused for good, or out of time: `reason` would be why the job fails, where it may fail. */
    struct job_action (*without)(struct job *job, enum reason reason);
};
extern const struct job_row job_rows[];

/* job.c */
struct job_action job_begin(struct job *job);
struct policy_facts job_facts(const struct job *job);
/* In the bin, as the rules see it. TOO_OLD when the deletion is newer than one that this job saw,
 * in an earlier incarnation too: restored since, and deleted again by somebody who knew more than
 * the request. Both dates are the directory's, so the five minutes of rule_request_age do not
 * apply. */
enum reason job_found_deleted(struct job *job, const struct user_facts *user);
bool job_next_name(struct job *job); /* into job->new_name; false: the policy has no other */

/* job_holder.c: the look-ups add to outcome.conflicts what they find held, by others than the user,
 * and then go on with job->after_look_up. */
void job_conflicts_clear(struct job *job);
/* NULL: no room. */
struct conflict *job_conflict_add(struct job *job, enum conflict_property property,
                                  const char *value);
bool job_has_conflict(const struct job *job, const char *value);
/* Fills job->sought: what the directory named, else (answer NULL too) all that the user has. */
void job_seek_addresses(struct job *job, const struct directory_answer *answer);
void job_holder_conflict(struct job *job, const struct user_facts *user); /* about the name */
struct job_action job_look_for_name(struct job *job, const char *name,
                                    struct job_action (*then)(struct job *job));
/* Of the addresses in job->sought. */
struct job_action job_look_for_addresses(struct job *job,
                                         struct job_action (*then)(struct job *job));
void job_ask_addresses(struct job *job); /* completes job->question */
struct job_action job_holder_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_addresses_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_without_holder(struct job *job, enum reason reason);

/* job_free.c: the active user gives way, and gets it back when the restore is refused for good. */
bool job_frees(const struct job *job);   /* by the plan */
void job_holder_choose(struct job *job); /* job->holder is the one */
bool job_holder_is_protected(struct job *job);
bool job_next_holder_name(struct job *job); /* into intent.holder.to; false: there is no other */
/* job->holder bears the name: by the rules, the journal, and only then the change. */
struct job_action job_free(struct job *job);
/* The rules said yes: the next change of the plan. */
struct job_action job_proceed(struct job *job);
struct job_action job_undo(struct job *job, enum reason refusal);
bool job_undoes(const struct job *job);
void job_ask_holder(struct job *job, enum job_state state); /* completes job->question */
void job_holder_lost(struct job *job);                      /* the reply to FREE or UNDO */
struct job_action job_holder_roles_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_free_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_without_free(struct job *job, enum reason reason);
struct job_action job_confirm_free_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_undo_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_confirm_undo_answered(struct job *job, const struct directory_answer *answer);
/* Whether he gave way, or got it back, could not be found out. */
struct job_action job_holder_in_doubt(struct job *job, enum reason reason);
struct job_action job_gave_way_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_without_gave_way(struct job *job, enum reason reason);
void job_take_freed(struct job *job); /* into the outcome */

/* job_deliver.c */
struct job_action job_restored(struct job *job);
struct job_action job_found_active(struct job *job, const struct user_facts *user);
struct job_action job_deliver(struct job *job); /* the next thing that is missing */
struct job_action job_manager_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_visible_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_without_manager(struct job *job, enum reason reason);
struct job_action job_password_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_confirm_password_answered(struct job *job,
                                                const struct directory_answer *answer);
struct job_action job_without_password(struct job *job, enum reason reason);
struct job_action job_read_back_answered(struct job *job, const struct directory_answer *answer);
struct job_action job_without_read_back(struct job *job, enum reason reason);

/* job_plan.c */
bool job_plans(const struct job *job); /* looks before it changes anything, or only looks */
/* A clash that came after the plan was compared, and a way out that it did not name: `holder_id`
 * gives way, or ("") the user comes back under another name. */
bool job_departs(const struct job *job, const char *holder_id);
struct job_action job_plan(struct job *job);        /* the rules said yes */
struct job_action job_plan_holder(struct job *job); /* job->holder is known, as are his roles */

/* job_list.c */
void job_list_wish(const struct job *job, struct list_wish *ret_wish);
struct job_action job_list_answered(struct job *job, const struct directory_answer *answer);

/* job_resume.c */
struct job_action job_resume(struct job *job, const struct job_event *event);
void job_doubt(struct job *job);
struct job_action job_active_looked(struct job *job, const struct directory_answer *answer);
struct job_action job_bin_looked(struct job *job, const struct directory_answer *answer);

/* job_act.c: every step but SETTLE and DONE goes through these; each checks the time left. RESTORE
 * and FREE become REQUESTER, or FIND, when the roles are older than JOB_ROLES_FRESH_MS. */
struct job_action job_ask(struct job *job, enum job_state state);
/* A change: through INTENT, unless this incarnation's stands. */
struct job_action job_change(struct job *job, enum job_state state);
struct job_action job_sleep(struct job *job, enum job_state then, int64_t until_mono_ms);
struct job_action job_put_off(struct job *job, enum job_state then, int64_t retry_after_ms);
/* Not there: perhaps replicas lag, so again, until JOB_LAG_MS after `since`. */
struct job_action job_look_again(struct job *job, enum job_state then, int64_t since_mono_ms);
struct job_action job_refused(struct job *job, const struct directory_answer *answer);
struct job_action job_fail(struct job *job, enum reason reason);
bool job_is_past(const struct job *job, int64_t mono_ms);
/* As it is now: it may move, but never back. */
int64_t job_deadline_mono_ms(const struct job *job);

/* job_outcome.c */
struct job_action job_finish(struct job *job, enum reason reason);
void job_record(struct job *job, const struct directory_answer *answer);
void job_take_user(struct job *job, const struct user_facts *user);
void job_take_read_back(struct job *job, const struct user_facts *user);
void job_resolve_recipients(struct job *job);

#endif

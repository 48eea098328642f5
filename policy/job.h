/* One restore as a state machine: job_step(job, event) -> action. No clock, no memory, no I/O: the
 * caller carries the action out and comes back with what happened. Design section 9 is its table.
 *
 *   START -> REQUESTER -> FIND -> TARGET -> INTENT -> RESTORE -> MANAGER -> PASSWORD -> READ_BACK
 *   list: START -> REQUESTER -> LIST
 *   plan, planHash: ... -> TARGET -> HOLDER -> HOLDER_ROLES -> ADDRESS_... -> planned, or INTENT
 *   RESUME -> (settle) -> active: INTENT -> PASSWORD; in the bin: REQUESTER -> ... -> RESTORE
 *   RESTORE -> name clash -> HOLDER -> HOLDER_ROLES -> INTENT -> FREE -> RESTORE -> ...
 *   RESTORE -> refused after FREE -> INTENT -> UNDO -> what it was refused with
 *
 * job.c is the table and what each answer means, job_holder.c asks who bears a name or an address,
 * job_free.c makes the active holder give way and gives him back what was his, job_resume.c finds
 * out what a lost call or an earlier incarnation did, job_act.c asks, waits and
 * gives up, job_outcome.c sums up. */
#ifndef POLICY_JOB_H
#define POLICY_JOB_H

#include "policy/directory.h"
#include "policy/instant.h"
#include "policy/intent.h"
#include "policy/outcome.h"
#include "policy/rules.h"

/* A change leaves only this soon after the commit of the intent that announces it (design 7). */
enum {
    PROOF_MS = 5 * SECOND_MS,
    JOB_LAST_MS = 120 * SECOND_MS,   /* after the deadline: a change in doubt ends as needs_hands */
    JOB_LAG_MS = 120 * SECOND_MS,    /* "not there" is replica lag this long (directory-api 7.5) */
    JOB_CERTAIN_MS = 10 * SECOND_MS, /* after a lost call, "not done" counts */
    JOB_SECOND_LOOK_MS = 5 * SECOND_MS,  /* a 404 on finding counts after this */
    JOB_ROLES_FRESH_MS = 60 * SECOND_MS, /* promise P4 */
};

enum job_state { /* what is being waited for */
                 JOB_QUEUED,
                 JOB_REQUESTER,
                 JOB_FIND,
                 JOB_FIND_ACTIVE,
                 JOB_LIST, /* mode `list` */
                 JOB_TARGET,
                 JOB_INTENT,
                 JOB_RESTORE,
                 JOB_CONFIRM,     /* a restore whose reply was lost: is the user active? */
                 JOB_CONFIRM_BIN, /* ... or still deleted? */
                 JOB_HOLDER,      /* who bears the name? */
                 JOB_ADDRESS_USERS,
                 JOB_ADDRESS_GROUPS,
                 JOB_ADDRESS_CONTACTS,
                 JOB_HOLDER_ROLES,
                 JOB_FREE,         /* rename or delete the holder, always by id */
                 JOB_CONFIRM_FREE, /* a lost one: what is the holder's name? */
                 JOB_CONFIRM_FREE_BIN,
                 JOB_UNDO,
                 JOB_CONFIRM_UNDO,
                 JOB_CONFIRM_UNDO_BIN,
                 JOB_GAVE_WAY, /* what the holder looks like afterwards */
                 JOB_MANAGER,
                 JOB_VISIBLE, /* no manager: or is the restored user not there yet? */
                 JOB_PASSWORD,
                 JOB_CONFIRM_PASSWORD,
                 JOB_READ_BACK,
                 JOB_SETTLE, /* an earlier incarnation's last call may still be under way */
                 JOB_RESUME, /* did the earlier incarnation restore the user? */
                 JOB_RESUME_BIN,
                 JOB_DONE,
};
const char *job_state_name(enum job_state state);

enum job_event_type {
    JOB_STARTED,   /* first in its lanes, nothing in the journal */
    JOB_RESUMED,   /* first in its lanes, the journal holds an intent of an earlier incarnation */
    JOB_ANSWERED,  /* the directory answered the question */
    JOB_COMMITTED, /* the intent stands in the journal */
    JOB_WOKEN,     /* the time of ACTION_SLEEP has come */
};

/* Time that does not count for the deadline (contract 3): sums since the caller's start, and what
 * is so now. A moment that is both is the pause's. */
struct standstill {
    int64_t paused_ms;
    int64_t unreachable_ms; /* the breaker of the job's tenant is open */
    bool paused, unreachable;
};

struct job_event {
    enum job_event_type type;
    struct instant now;
    struct standstill still;
    const struct directory_answer *answer; /* ANSWERED */
    bool is_duplicate; /* ANSWERED: it names whom another item of the batch resolved first */
    const struct intent *intent;   /* RESUMED; copied */
    int64_t settled_at_mono_ms;    /* RESUMED: no change before */
    struct recent_restores recent; /* as of now */
};

enum job_action_type {
    JOB_ASK,    /* ask job->question, answer with ANSWERED */
    JOB_COMMIT, /* commit job->intent, answer with COMMITTED */
    JOB_SLEEP,  /* answer with WOKEN at until_mono_ms */
    JOB_FINISH, /* publish job->outcome; the job takes no more events */
};

struct job;
struct job_action {
    enum job_action_type type;
    int64_t until_mono_ms; /* SLEEP */
};

/* What is certain about the holder of intent.holder. DONE: he gave way, and if the job fails he
 * gets it back first. */
enum job_freeing { FREEING_NONE, FREEING_DOUBTFUL, FREEING_DONE };

/* What is certain about the restore. Until RESTORED a job may fail, after it never. */
enum job_effect { EFFECT_NONE, EFFECT_DOUBTFUL, EFFECT_RESTORED };

struct job {
    const struct policy_rules *rules; /* borrowed, outlives the job */
    struct restore_request request;   /* filled by the decoder before job_init */

    struct directory_question question;
    struct intent intent;   /* the plan; what COMMIT commits */
    struct outcome outcome; /* complete once FINISH was answered */

    enum job_state state;
    enum job_state asleep_from; /* what WOKEN goes on with */
    enum job_state after_intent;
    struct instant now; /* of the event that is being handled */
    struct recent_restores recent;
    uint64_t random;
    char journal_key[GUID_CHARS + 1];
    char user_id[GUID_CHARS + 1]; /* "": named by name and not found yet */

    int64_t deadline_mono_ms;              /* from the take-up, as if time never stood still */
    struct standstill still_before, still; /* at the first event, and at this one */
    int64_t settled_at_mono_ms;            /* RESUMED: no change before; else 0 */
    enum job_effect effect;
    bool resumed;
    bool ours;      /* an active user is our work: a lost restore, or an earlier intent */
    bool announced; /* an intent was committed, by whichever incarnation: the limit let it pass */
    bool intent_stands; /* this incarnation committed one, and the caller did not doubt it */
    bool not_in_bin;    /* RESTORE said so, whatever the bin shows */
    bool unheard;       /* the last reply was BUSY or UNKNOWN */
    int64_t not_before_mono_ms; /* Retry-After: also when another question is next */
    int n_put_off;              /* BUSY, UNKNOWN or not there yet, in a row */
    int n_not_found;            /* looks that found nobody, deleted or active */
    int n_in_bin; /* looks that found the user still deleted after a change in doubt */
    int64_t doubt_since_mono_ms;
    int64_t restored_at_mono_ms;
    int64_t password_lost_at_mono_ms;
    int64_t password_changed_before_ms; /* lastPasswordChangeDateTime before ours; 0: not known */
    bool password_set;
    bool password_given_up;
    /* who bears what clashes */
    struct job_action (*after_look_up)(struct job *job);
    enum reason look_up_failed; /* REASON_OK: conflicts[] is all there is to know */
    char sought_name[NAME_BYTES + 1];
    bool planning;            /* job_plan.c goes on with what is found */
    bool name_resolved;       /* by the policy, as far as a plan can tell */
    const char *next_address; /* of `sought`, to be asked for next; NULL: none left */
    bool directory_named;     /* `sought` is what the directory named */
    /* the holder who gives way */
    enum job_freeing freeing;
    bool freeing_lost;            /* a reply was, or an earlier incarnation: 404 may be our work */
    int64_t holder_doubt_mono_ms; /* since the last change of the holder, sent or perhaps sent */
    int64_t not_freed_since_mono_ms;
    bool holder_known;                      /* `holder` is valid */
    char planned_holder_id[GUID_CHARS + 1]; /* of a planHash that held: who gives way, "": nobody */
    bool holder_is_of_batch;           /* another item's user, who may just have been restored */
    bool holder_protected;             /* by the rules, or by that */
    bool holder_told;                  /* GAVE_WAY was asked */
    int n_holder_roles;                /* -1: not read */
    int holder_number;                 /* of the template; -1: the request's own name was tried */
    bool reconcile;                    /* a proxy address clashed: restore without it */
    int rename_number;                 /* of the template, 0: the plain name */
    char new_name[NAME_BYTES + 1];     /* that RESTORE asks for, "": the old one */
    bool requester_known;              /* `requester` is valid */
    int64_t requester_read_at_mono_ms; /* by the directory client, which keeps it a while */
    int64_t found_at_mono_ms;          /* in the bin, before the rules were asked */
    bool manager_known;
    bool visible; /* a look found the restored user, so that "no manager" means it */
    char manager_mail[ADDRESS_BYTES + 1];
    int n_target_roles; /* -1: not read */
    int n_calls[DIRECTORY_OPERATION_COUNT];

    /* Not cleared by job_init: a page that no restore touches costs nothing. */
    struct operation operations[OPERATIONS_MAX];
    struct requester_facts requester;
    struct user_facts holder;
    struct user_facts before; /* as found in the bin, or in the earlier incarnation's intent */
    struct candidate candidates[CANDIDATES_MAX];
    struct conflict conflicts[CONFLICTS_MAX];
    struct string_list sought;  /* addresses that a look-up asks for */
    struct string_list removed; /* valid when outcome.removed_addresses says so */
};

/* The request must already stand in job->request. `seed` feeds the jitter and nothing else. */
void job_init(struct job *job, const struct policy_rules *rules, uint64_t seed);

/* SET_PASSWORD: the caller makes the password when it asks for the first time, keeps it for every
 * further time, and publishes it only when outcome.password is PASSWORD_GENERATED. */
struct job_action job_step(struct job *job, const struct job_event *event);
/* Ends a job that must not begin (unknown_tenant, request_id_reused): job->outcome is complete. */
void job_refuse(struct job *job, enum reason reason, const struct instant *now);

#endif

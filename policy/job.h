/* One restore as a state machine: job_step(job, event) -> action. No clock, no memory, no I/O: the
 * caller carries the action out and comes back with what happened. Design section 9 is its table.
 *
 *   START -> REQUESTER -> FIND -> TARGET -> INTENT -> RESTORE -> MANAGER -> PASSWORD -> READ_BACK
 *   RESUME -> (settle) -> active: INTENT -> PASSWORD; in the bin: REQUESTER -> ... -> RESTORE */
#ifndef POLICY_JOB_H
#define POLICY_JOB_H

#include "policy/directory.h"
#include "policy/instant.h"
#include "policy/intent.h"
#include "policy/outcome.h"
#include "policy/rules.h"

/* A change leaves only this soon after the commit of the intent that announces it (design 7). */
enum { PROOF_MS = 5 * SECOND_MS };

enum job_state { /* what is being waited for */
                 JOB_QUEUED,
                 JOB_REQUESTER,
                 JOB_FIND,
                 JOB_FIND_ACTIVE,
                 JOB_TARGET,
                 JOB_INTENT,
                 JOB_RESTORE,
                 JOB_CONFIRM,     /* a restore whose reply was lost: is the user active? */
                 JOB_CONFIRM_BIN, /* ... or still deleted? */
                 JOB_HOLDER,
                 JOB_MANAGER,
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

struct job_event {
    enum job_event_type type;
    struct instant now;
    const struct directory_answer *answer; /* ANSWERED */
    const struct intent *intent;           /* RESUMED; copied */
    int64_t settled_at_mono_ms;            /* RESUMED: no change before */
};

enum job_action_type {
    JOB_ASK,    /* ask job->question, answer with ANSWERED */
    JOB_COMMIT, /* commit job->intent, answer with COMMITTED */
    JOB_SLEEP,  /* answer with WOKEN at until_mono_ms */
    JOB_FINISH, /* publish job->outcome; the job takes no more events */
};

struct job_action {
    enum job_action_type type;
    int64_t until_mono_ms; /* SLEEP */
};

struct job {
    const struct policy_rules *rules; /* borrowed, outlives the job */
    struct restore_request request;   /* filled by the decoder before job_init */
    struct directory_question question;
    struct intent intent;
    struct outcome outcome;

    enum job_state state;
    enum job_state asleep_from; /* what WOKEN goes on with */
    enum job_state after_intent;
    /* ... to be completed by the author of job.c */
};

/* The request must already stand in job->request. `seed` feeds the jitter and nothing else. */
void job_init(struct job *job, const struct policy_rules *rules, uint64_t seed);
struct job_action job_step(struct job *job, const struct job_event *event);

#endif

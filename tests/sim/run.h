/* Drives one restore through the world, kills it where the script says, starts it again with what
 * the journal holds, and watches the promises of design section 4. */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "tests/sim/world.h"

enum { HELD_MS = 700 }; /* what an open breaker tells to wait */
enum { EVENTS_MAX = 8, TRACE_BYTES = 4096, INCARNATIONS_MAX = 4, RESTART_MS = 2 * SECOND_MS };

/* How the process dies at an action. */
enum crash {
    CRASH_NEVER,
    CRASH_BEFORE, /* the action was not carried out */
    CRASH_AFTER,  /* it was, but nobody heard of it */
    CRASH_LATE,   /* it is on the wire, and arrives at the last moment that settling waits for */
};

struct script {
    enum directory_operation from; /* the faults befall the calls from the first of these on */
    int n_faults;
    enum fault faults[EVENTS_MAX];
    int n_crashes;
    struct {
        int at_action; /* counted from 0 through all incarnations */
        enum crash crash;
    } crashes[INCARNATIONS_MAX - 1];
};

/* Protections that a negative control takes away, to see that the watching sees it. */
enum control {
    CONTROL_NONE,
    CONTROL_LOST_IS_BUSY,       /* a lost reply is told as "certainly not done" */
    CONTROL_JOURNAL_FORGETS,    /* after a crash the intent is gone */
    CONTROL_NO_SETTLING,        /* an earlier incarnation's call is not waited for */
    CONTROL_RETRY_AFTER_UNTOLD, /* the directory's Retry-After does not reach the job */
    CONTROL_HOLDER_BY_NAME,     /* whoever bears the name is taken for its holder */
    CONTROL_TIME_RUNS,          /* nobody tells the job that time stands still */
    CONTROL_AGE_UNTOLD,         /* roles from the client's cache pass for new ones */
    CONTROL_EVERYBODY_MAY,      /* whoever asks passes for an administrator */
};

struct run {
    /* filled by the caller */
    struct policy_rules rules;
    struct restore_request request;
    struct world world;
    struct script script;
    enum control control;
    uint64_t seed;
    bool traced;

    /* filled by run_restore */
    const char *broken; /* the first promise that was, NULL: none */
    struct job job;     /* of the last incarnation; outcome */
    int n_faults_used;
    bool says_nothing_new; /* a fault befell a call on which it means the same as another */
    int n_actions;
    int n_incarnations;
    int n_calls, n_held;
    bool changes[512]; /* per action: asks for a change */
    char trace[TRACE_BYTES];
};

/* The plain case. */
void run_given(struct run *run);
void run_restore(struct run *run);

#endif

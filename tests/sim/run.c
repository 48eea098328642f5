#include "tests/sim/run.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ACTIONS_MAX = 512 };

/* What a watcher knows; the job is not asked. */
struct watch {
    struct world *world;
    enum place place_at_start;
    bool intent_exists; /* in the journal */
    int64_t intent_started_at_ms;
    struct user_facts intent_user;
    struct intent intent;
    int64_t settled_at_ms;
    int64_t first_started_at_ms;
    int64_t requester_read_at_ms;
    /* of this incarnation */
    bool may_change; /* its intent stands */
    bool saw_requester, saw_bin, saw_target, saw_holder, saw_holder_roles;
    bool restore_lost, password_lost, holder_lost;
    int64_t restore_lost_at_ms, password_lost_at_ms;
    int n_in_bin_since;
    int64_t not_before_ms; /* Retry-After */
};

static void broke(struct run *run, const char *promise)
{
    if (run->broken == NULL)
        run->broken = promise;
}

static void expect(struct run *run, bool kept, const char *promise)
{
    if (!kept)
        broke(run, promise);
}

__attribute__((format(printf, 2, 3))) static void trace(struct run *run, const char *format, ...)
{
    if (!run->traced)
        return;
    size_t used = strlen(run->trace);
    va_list args;
    va_start(args, format);
    vsnprintf(run->trace + used, sizeof run->trace - used, format, args);
    va_end(args);
}

void run_given(struct run *run)
{
    memset(run, 0, offsetof(struct run, job));
    given_rules(&run->rules);
    given_request(&run->request);
    run->world.retry_after_ms = 7 * SECOND_MS;
}

/* The journal says of whom, and what for, before he is touched. */
static void watch_ask_holder(struct run *run, const struct watch *watch)
{
    const struct directory_question *question = &run->job.question;
    const struct intent *intent = &watch->intent;
    bool back = question->operation == DIRECTORY_RESTORE_HOLDER ||
                (question->operation == DIRECTORY_RENAME_USER &&
                 strcmp(question->new_user_principal_name, intent->holder.from) == 0);
    expect(run, strcmp(question->id, HOLDER_ID) == 0, "only the holder gives way, by his id");
    expect(run,
           strcmp(intent->holder.id, HOLDER_ID) == 0 &&
               intent->phase == (back ? INTENT_UNDO : INTENT_FREE),
           "the journal announces what is done to the holder");
    if (question->operation == DIRECTORY_RENAME_USER)
        expect(run,
               strcmp(question->new_user_principal_name,
                      back ? intent->holder.from : intent->holder.to) == 0,
               "the journal announces the holder's name");
    expect(run, !watch->holder_lost, "a lost change of the holder is confirmed, not repeated");
    if (back)
        return;
    expect(run,
           watch->saw_requester && watch->saw_bin && watch->saw_target && watch->saw_holder &&
               watch->saw_holder_roles,
           "no holder gives way on facts that this incarnation did not read");
    expect(run, watch->world->now_ms - watch->requester_read_at_ms <= JOB_ROLES_FRESH_MS,
           "roles are at most a minute old");
    bool administrator = watch->world->n_holder_roles > 0 && run->rules.reject_privileged_targets;
    expect(run, !administrator && !watch->world->holder_synced, "the rules protect the holder too");
}

static void watch_ask(struct run *run, struct watch *watch)
{
    const struct directory_question *question = &run->job.question;
    const struct world *world = watch->world;
    expect(run, world->now_ms >= watch->not_before_ms, "Retry-After is never undercut");
    if (!directory_operation_changes(question->operation))
        return;
    expect(run, run->request.mode == MODE_RESTORE, "who only asks changes nothing");
    expect(run, watch->may_change, "no change without an intent of this incarnation");
    expect(run, world->now_ms >= watch->settled_at_ms, "no change before the settling time");
    if (question->operation != DIRECTORY_RESTORE && question->operation != DIRECTORY_SET_PASSWORD) {
        watch_ask_holder(run, watch);
        return;
    }
    expect(run, strcmp(question->id, GIVEN_USER_ID) == 0, "changes name the user by id");
    if (question->operation == DIRECTORY_RESTORE) {
        expect(run, watch->saw_requester && watch->saw_bin && watch->saw_target,
               "no restore on facts that this incarnation did not read");
        expect(run, world->now_ms - watch->requester_read_at_ms <= JOB_ROLES_FRESH_MS,
               "roles are at most a minute old");
        expect(run, !world->requester_is_nobody || !run->rules.check_requester,
               "no restore for a stranger");
        expect(run, !watch->restore_lost, "a lost restore is confirmed, not repeated");
    } else {
        expect(run, watch->place_at_start != PLACE_ACTIVE, "who was active keeps his password");
        expect(run, !watch->password_lost, "a lost password is confirmed, not repeated");
    }
}

static void watch_answer_holder(struct watch *watch, const struct directory_answer *answer,
                                enum directory_operation operation)
{
    bool yes = answer->status == DIRECTORY_YES;
    bool heard = yes || answer->status == DIRECTORY_NOT_FOUND;
    if (operation == DIRECTORY_TARGET_ROLES && heard)
        watch->saw_holder_roles = true;
    if (operation == DIRECTORY_USER_BY_ID && yes)
        watch->saw_holder = true;
    if ((operation == DIRECTORY_USER_BY_ID || operation == DIRECTORY_DELETED_BY_ID) && heard &&
        watch->world->now_ms >= watch->world->holder.seen_until_ms) /* no stale replica's */
        watch->holder_lost = false;
    if (directory_operation_changes(operation) && answer->status == DIRECTORY_UNKNOWN)
        watch->holder_lost = true;
}

static void watch_answer(struct run *run, struct watch *watch,
                         const struct directory_answer *answer)
{
    enum directory_operation operation = run->job.question.operation;
    bool yes = answer->status == DIRECTORY_YES;
    bool heard = yes || answer->status == DIRECTORY_NOT_FOUND;
    watch->not_before_ms = watch->world->now_ms + answer->retry_after_ms;
    if (answer->status == DIRECTORY_UNPROVEN)
        watch->may_change = false;
    if (operation == DIRECTORY_USER_BY_NAME && yes && strcmp(answer->user.id, HOLDER_ID) == 0)
        watch->saw_holder = true;
    if (strcmp(run->job.question.id, HOLDER_ID) == 0) {
        watch_answer_holder(watch, answer, operation);
        return;
    }
    if (operation == DIRECTORY_REQUESTER && yes) {
        watch->saw_requester = true;
        watch->requester_read_at_ms = watch->world->requester_read_at_ms;
    }
    if ((operation == DIRECTORY_DELETED_BY_ID || operation == DIRECTORY_DELETED_BY_NAME) && yes) {
        watch->saw_bin = true;
        watch->n_in_bin_since++;
        if (watch->n_in_bin_since >= 2 &&
            watch->world->now_ms >= watch->restore_lost_at_ms + JOB_CERTAIN_MS)
            watch->restore_lost = false;
    }
    if (operation == DIRECTORY_TARGET_ROLES && heard)
        watch->saw_target = true;
    if (operation == DIRECTORY_USER_BY_ID && yes) {
        watch->restore_lost = false;
        if (watch->world->now_ms >= watch->password_lost_at_ms + JOB_CERTAIN_MS)
            watch->password_lost = false;
    }
    if (operation == DIRECTORY_RESTORE && answer->status == DIRECTORY_UNKNOWN) {
        watch->restore_lost = true;
        watch->restore_lost_at_ms = watch->world->now_ms;
        watch->n_in_bin_since = 0;
    }
    if (operation == DIRECTORY_SET_PASSWORD && answer->status == DIRECTORY_UNKNOWN) {
        watch->password_lost = true;
        watch->password_lost_at_ms = watch->world->now_ms;
    }
}

static void watch_commit(struct run *run, struct watch *watch)
{
    const struct intent *intent = &run->job.intent;
    expect(run, run->request.mode == MODE_RESTORE, "who only asks announces nothing");
    if (watch->intent_exists)
        expect(run, intent->started_at_ms == watch->intent_started_at_ms,
               "the take-up is the first incarnation's");
    expect(run, intent->user != NULL && strcmp(intent->user->id, GIVEN_USER_ID) == 0,
           "an intent holds the user");
}

/* The journal keeps a copy, as it does when it is read again. */
static void commit(struct run *run, struct watch *watch)
{
    watch->intent = run->job.intent;
    user_facts_copy(&watch->intent_user, run->job.intent.user);
    watch->intent.user = &watch->intent_user;
    watch->intent_started_at_ms = watch->intent.started_at_ms;
    watch->intent_exists = true;
    world_wait_until(watch->world, watch->world->now_ms + COMMIT_MS);
}

static void watch_success(struct run *run, const struct watch *watch)
{
    const struct outcome *outcome = &run->job.outcome;
    const struct world *world = watch->world;
    expect(run, world->place == PLACE_ACTIVE || world->deleted_again, "succeeded means active");
    if (outcome->reason == REASON_ALREADY_ACTIVE) {
        expect(run, world->n_restored == 0, "what we restored is not called already active");
        expect(run, world->password == 0, "already-active never touches a password");
        expect(run, outcome->to.n == 0, "already-active tells nobody");
        expect(run, outcome->password == PASSWORD_UNTOUCHED, "already-active says so");
        return;
    }
    expect(run, world->n_restored == 1 || world->restored_at_ms != 0, "restored by somebody");
    bool visible = (outcome->todo & TODO_NOT_YET_VISIBLE) == 0;
    expect(run,
           !visible || strcmp(outcome->user_principal_name, world->user.user_principal_name) == 0,
           "the event names the user as he is");
    bool generated = outcome->password == PASSWORD_GENERATED;
    expect(run, generated == ((outcome->todo & TODO_PASSWORD_NOT_SET) == 0),
           "a password is set, or to do");
    if (generated) {
        expect(run, world->password == run->n_incarnations, "the password that is told works");
        expect(run, outcome->to.n > 0, "a password is told to somebody");
    }
}

/* He gave way for a success, or is what he was: an undo is complete. */
static void watch_holder(struct run *run)
{
    const struct outcome *outcome = &run->job.outcome;
    const struct world *world = &run->world;
    bool gave_way = world->holder.n_freed > world->holder.n_undone;
    expect(run, !world->user_deleted, "the restored user is never deleted");
    expect(run, world->holder.n_freed <= 1, "the holder gives way at most once");
    expect(run, world->holder.n_undone <= 1, "and gets it back at most once");
    if (outcome->reason == REASON_NEEDS_HANDS) {
        expect(run, gave_way || outcome->freed.how == FREED_NOBODY, "what was done was done");
        return;
    }
    expect(run, gave_way == (outcome->freed.how != FREED_NOBODY), "the event says who gave way");
    if (reason_verdict(outcome->reason) != VERDICT_SUCCEEDED)
        expect(run, !gave_way, "a failure gives the holder back what was his");
    bool renamed = run->job.request.name_policy == NAME_POLICY_RENAME_ACTIVE;
    if (gave_way)
        expect(run, outcome->freed.how == (renamed ? FREED_RENAMED : FREED_REPLACED),
               "by the policy asked for");
}

static void watch_finish(struct run *run, const struct watch *watch)
{
    const struct outcome *outcome = &run->job.outcome;
    const struct world *world = watch->world;
    bool another = run->world.restored_at_ms != 0 && world->n_restored == 0;
    int64_t length_ms = run->rules.request_deadline_ms;
    struct standstill still = world_still(world);
    int64_t unreachable_ms = still.unreachable_ms < length_ms ? still.unreachable_ms : length_ms;
    int64_t until_ms = watch->first_started_at_ms + length_ms + unreachable_ms + still.paused_ms;
    if (watch->settled_at_ms > until_ms)
        until_ms = watch->settled_at_ms;
    expect(run, world->now_ms <= until_ms + JOB_LAST_MS + REQUEST_TIMEOUT_MS + SECOND_MS,
           "it ends two minutes after the deadline");
    expect(run, world->n_restored <= 1, "restored at most once");
    expect(run, !world->has_late, "nothing is on the wire");
    if (run->request.mode != MODE_RESTORE) {
        expect(run, world->holder.n_freed == 0, "an answer frees no name");
        expect(run, outcome->to.n == 0, "who only asks has nobody mailed");
        expect(run, world->n_restored == 0 && world->password == 0, "an answer changes nothing");
        return;
    }
    watch_holder(run);

    if (reason_verdict(outcome->reason) == VERDICT_SUCCEEDED) {
        watch_success(run, watch);
        return;
    }
    expect(run, !outcome->restored, "what was restored succeeded");
    expect(run, outcome->password == PASSWORD_UNTOUCHED, "a failure has no password");
    if (outcome->reason == REASON_NEEDS_HANDS)
        expect(run, watch->intent_exists, "who changed nothing needs no hands");
    else
        expect(run,
               world->deleted_again || (world->n_restored == 0 && world->password == 0 &&
                                        (world->place == watch->place_at_start || another)),
               "a failure leaves the directory as it was");
    if (reason_verdict(outcome->reason) == VERDICT_CONFLICT)
        expect(run, outcome->n_conflicts > 0, "a conflict says with what");
}

static const char *status_name(enum directory_status status)
{
    static const char *const names[] = {"yes",           "not found", "name taken",
                                        "address taken", "denied",    "rejected",
                                        "busy",          "unknown",   "unproven"};
    return names[status];
}

static enum crash crash_at(const struct run *run, int action)
{
    for (int i = 0; i < run->script.n_crashes; i++)
        if (run->script.crashes[i].at_action == action)
            return run->script.crashes[i].crash;
    return CRASH_NEVER;
}

static bool fault_is_another(enum fault fault, enum directory_operation operation)
{
    bool changes = directory_operation_changes(operation);
    return (fault == FAULT_LOST_AFTER && !changes) ||                     /* BUSY */
           (fault == FAULT_UNPROVEN && !changes) ||                       /* NONE */
           (fault == FAULT_STALE && operation != DIRECTORY_USER_BY_ID) || /* NONE */
           (fault == FAULT_NOT_FOUND && !world_may_not_know(operation));
}

static enum fault next_fault(struct run *run)
{
    const struct script *script = &run->script;
    enum directory_operation operation = run->job.question.operation;
    bool not_begun = run->n_faults_used == 0 && script->from != DIRECTORY_OPERATION_COUNT &&
                     operation != script->from;
    if (not_begun || run->n_faults_used == script->n_faults)
        return FAULT_NONE;
    enum fault fault = script->faults[run->n_faults_used++];
    run->says_nothing_new |= fault_is_another(fault, operation);
    return fault;
}

/* The worst that design section 9 warns of: after our restore the name is the restored user's. */
static void ask_by_name(struct run *run, struct world *world, struct directory_answer *answer)
{
    struct directory_question question = run->job.question;
    if (strcmp(question.id, HOLDER_ID) != 0 || world->place != PLACE_ACTIVE ||
        strcmp(world->user.user_principal_name, GIVEN_USER_NAME) != 0)
        return;
    given_user(&answer->user);
    text_copy(answer->user.id, sizeof answer->user.id, HOLDER_ID); /* nor does it compare ids */
    answer->user.deleted_at_ms = 0;
    answer->status = DIRECTORY_YES;
    world->user_deleted |= question.operation == DIRECTORY_DELETE_USER;
}

static struct job_action step(struct run *run, const struct watch *watch, struct job_event event)
{
    event.now = world_now(watch->world);
    if (run->control != CONTROL_TIME_RUNS)
        event.still = world_still(watch->world);
    return job_step(&run->job, &event);
}

/* The call did not leave, and is no news of the directory. */
static struct job_action hold(struct run *run, struct watch *watch)
{
    static struct directory_answer answer;
    answer = (struct directory_answer){.status = DIRECTORY_BUSY, .retry_after_ms = HELD_MS};
    run->n_held++;
    return step(run, watch, (struct job_event){.type = JOB_ANSWERED, .answer = &answer});
}

static struct job_action ask(struct run *run, struct watch *watch)
{
    static struct directory_answer answer;
    if (world_still(watch->world).unreachable)
        return hold(run, watch);
    enum fault fault = next_fault(run);
    run->n_calls++;
    world_ask(watch->world, &run->job.question, fault, run->n_incarnations, &answer);
    if (run->control == CONTROL_HOLDER_BY_NAME)
        ask_by_name(run, watch->world, &answer);
    watch_answer(run, watch, &answer);
    trace(run, "%s: %s\n", job_state_name(run->job.state), status_name(answer.status));
    if (run->control == CONTROL_LOST_IS_BUSY && answer.status == DIRECTORY_UNKNOWN)
        answer.status = DIRECTORY_BUSY;
    if (run->control == CONTROL_RETRY_AFTER_UNTOLD)
        answer.retry_after_ms = 0;
    if (run->control == CONTROL_AGE_UNTOLD)
        answer.requester_age_ms = 0;
    if (run->control == CONTROL_EVERYBODY_MAY && run->job.question.operation == DIRECTORY_REQUESTER)
        given_requester(&answer.requester);
    return step(run, watch, (struct job_event){.type = JOB_ANSWERED, .answer = &answer});
}

/* One action, up to the next. */
static struct job_action carry_out(struct run *run, struct watch *watch, struct job_action action)
{
    struct world *world = watch->world;
    switch (action.type) {
    case JOB_ASK: watch_ask(run, watch); return ask(run, watch);
    case JOB_COMMIT:
        watch_commit(run, watch);
        commit(run, watch);
        watch->may_change = true;
        trace(run, "intent: committed\n");
        return step(run, watch, (struct job_event){.type = JOB_COMMITTED});
    case JOB_SLEEP:
        expect(run, action.until_mono_ms >= world->now_ms, "nobody sleeps backwards");
        if (action.until_mono_ms > world->now_ms)
            world_wait_until(world, action.until_mono_ms);
        trace(run, "sleep\n");
        return step(run, watch, (struct job_event){.type = JOB_WOKEN});
    case JOB_FINISH: break;
    }
    assert(false && "finished");
    return action;
}

static struct job_action take_up(struct run *run, struct watch *watch)
{
    struct world *world = watch->world;
    watch->may_change = watch->saw_requester = watch->saw_bin = watch->saw_target = false;
    watch->restore_lost = watch->password_lost = watch->holder_lost = false;
    watch->saw_holder = watch->saw_holder_roles = false;
    watch->not_before_ms = 0;
    if (!run->rules.check_requester) {
        watch->saw_requester = true;
        watch->requester_read_at_ms = INT64_MAX / 2;
    }
    if (!run->rules.reject_privileged_targets)
        watch->saw_target = watch->saw_holder_roles = true;

    run->n_incarnations++;
    run->job.request = run->request;
    job_init(&run->job, &run->rules, run->seed + (uint64_t)run->n_incarnations);
    struct job_event event = {.type = JOB_STARTED};
    if (watch->intent_exists && run->control != CONTROL_JOURNAL_FORGETS) {
        watch->settled_at_ms = world->now_ms + PROOF_MS + REQUEST_TIMEOUT_MS;
        event.type = JOB_RESUMED;
        event.intent = &watch->intent;
        event.settled_at_mono_ms =
            run->control == CONTROL_NO_SETTLING ? world->now_ms : watch->settled_at_ms;
    } else {
        watch->first_started_at_ms = world->now_ms;
    }
    return step(run, watch, event);
}

/* The process dies at this action; another takes the job up. */
static struct job_action die(struct run *run, struct watch *watch, struct job_action action,
                             enum crash crash)
{
    struct world *world = watch->world;
    bool change =
        action.type == JOB_ASK && directory_operation_changes(run->job.question.operation);
    trace(run, "crash\n");
    if (crash == CRASH_AFTER && action.type == JOB_COMMIT)
        commit(run, watch);
    if (change && crash != CRASH_BEFORE) {
        watch_ask(run, watch);
        int64_t settled_at_ms = world->now_ms + RESTART_MS + PROOF_MS + REQUEST_TIMEOUT_MS;
        world_ask_late(world, &run->job.question, run->n_incarnations,
                       crash == CRASH_LATE ? settled_at_ms - 1 : world->now_ms + 1);
    }
    world_wait_until(world, world->now_ms + RESTART_MS);
    return take_up(run, watch);
}

void run_restore(struct run *run)
{
    static struct watch watch;
    memset(&watch, 0, offsetof(struct watch, intent_user));
    watch.settled_at_ms = 0;
    watch.world = &run->world;
    world_start(&run->world);
    watch.place_at_start = run->world.place;
    run->broken = NULL;
    run->says_nothing_new = false;
    run->n_faults_used = run->n_actions = run->n_incarnations = run->n_calls = run->n_held = 0;
    run->trace[0] = '\0';

    struct job_action action = take_up(run, &watch);
    for (int n = 0; n < ACTIONS_MAX; n++) {
        run->n_actions = n + 1;
        run->changes[n] =
            action.type == JOB_ASK && directory_operation_changes(run->job.question.operation);
        enum crash crash = crash_at(run, n);
        if (crash != CRASH_NEVER)
            action = die(run, &watch, action, crash);
        else if (action.type == JOB_FINISH)
            break;
        else
            action = carry_out(run, &watch, action);
    }
    expect(run, action.type == JOB_FINISH, "every restore ends");
    if (action.type != JOB_FINISH)
        return;
    trace(run, "finish: %s\n", reason_code(run->job.outcome.reason));
    watch_finish(run, &watch);
}

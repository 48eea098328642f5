#include "policy/job_private.h"

#include <assert.h>
#include <string.h>

struct policy_facts job_facts(const struct job *job)
{
    return (struct policy_facts){
        .rules = job->rules,
        .request = &job->request,
        .requester = job->requester_known ? &job->requester : NULL,
        .target = job->outcome.before,
        .n_target_roles = job->n_target_roles,
        .recent = job->recent,
        .now = job->now,
    };
}

static enum reason decide(const struct job *job)
{
    struct policy_facts facts = job_facts(job);
    return policy_decide(&facts);
}

/* After each discovery the rules are asked again. */
static struct job_action pass_to(struct job *job, enum job_state next)
{
    enum reason reason = decide(job);
    return reason == REASON_OK ? job_ask(job, next) : job_finish(job, reason);
}

static void plan_restore(struct job *job)
{
    const struct restore_request *request = &job->request;
    struct intent *intent = &job->intent;
    intent->name_policy = name_policy_in_force(job->rules, request);
    intent->address_policy = address_policy_in_force(job->rules, request);
    intent->generate_password = password_generate_in_force(job->rules, request);
    memcpy(intent->new_user_principal_name, request->new_user_principal_name,
           sizeof intent->new_user_principal_name);
    memcpy(intent->rename_template, job->rules->rename_template, sizeof intent->rename_template);
    intent->phase = job->freeing == FREEING_NONE ? INTENT_RESTORE : INTENT_FREE;
}

static enum job_state first_look(const struct job *job)
{
    return job->request.mode == MODE_LIST ? JOB_LIST : JOB_FIND;
}

/* A stranger learns nothing: the requester comes before any look-up of the user. */
struct job_action job_begin(struct job *job)
{
    plan_restore(job);
    bool read = requester_is_read(job->rules, &job->request);
    return pass_to(job, read ? JOB_REQUESTER : first_look(job));
}

static struct job_action requester_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_YES)
        requester_facts_copy(&job->requester, &answer->requester);
    else
        memset(&job->requester, 0, sizeof job->requester);
    job->requester_known = true;
    job->requester_read_at_mono_ms = job->now.mono_ms - answer->requester_age_ms;
    return job->effect == EFFECT_RESTORED ? job_deliver(job) : pass_to(job, first_look(job));
}

static struct job_action without_requester(struct job *job, enum reason reason)
{
    if (job->effect != EFFECT_RESTORED)
        return job_fail(job, reason);
    memset(&job->requester, 0, sizeof job->requester);
    job->requester_known = true;
    return job_deliver(job);
}

static struct job_action ambiguous(struct job *job, const struct directory_answer *answer)
{
    int n = answer->n_candidates < CANDIDATES_MAX ? answer->n_candidates : CANDIDATES_MAX;
    memcpy(job->candidates, answer->candidates, (size_t)n * sizeof job->candidates[0]);
    job->outcome.n_candidates = n;
    return job_finish(job, REASON_AMBIGUOUS_USER);
}

enum reason job_found_deleted(struct job *job, const struct user_facts *user)
{
    const struct user_facts *before = job->outcome.before;
    bool again = before != NULL && user->deleted_at_ms > before->deleted_at_ms;
    job->effect = EFFECT_NONE;
    user_facts_copy(&job->before, user);
    job->outcome.before = &job->before;
    job->intent.user = &job->before;
    job->password_changed_before_ms = job->before.last_password_change_at_ms;
    memcpy(job->user_id, job->before.id, sizeof job->user_id);
    job_take_user(job, &job->before);
    return again ? REASON_TOO_OLD : decide(job);
}

static struct job_action find_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND) {
        if (job->ours)
            job_doubt(job);
        return job_ask(job, JOB_FIND_ACTIVE);
    }
    if (job->question.operation == DIRECTORY_DELETED_BY_NAME && answer->n_candidates > 1)
        return ambiguous(job, answer);

    job->found_at_mono_ms = job->now.mono_ms;
    enum reason reason = job_found_deleted(job, &answer->user);
    if (reason != REASON_OK)
        return job_finish(job, reason);
    return job->rules->reject_privileged_targets ? job_ask(job, JOB_TARGET) : job_proceed(job);
}

static struct job_action find_active_answered(struct job *job,
                                              const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND) {
        enum job_state again = job->not_in_bin ? JOB_FIND_ACTIVE : JOB_FIND;
        if (job->ours)
            return job_look_again(job, again, job->doubt_since_mono_ms);
        if (job->n_not_found++ == 0)
            return job_sleep(job, again, job->now.mono_ms + JOB_SECOND_LOOK_MS);
        return job_finish(job, REASON_NOT_FOUND);
    }
    if (job->ours)
        return job_found_active(job, &answer->user);
    if (job->user_id[0] != '\0') {
        job_take_user(job, &answer->user);
        /* By another, who needed the name that was freed, or did not. */
        bool in_vain =
            job->freeing == FREEING_DONE &&
            !text_equal_ignore_case(answer->user.user_principal_name, job->intent.holder.from);
        return in_vain ? job_undo(job, REASON_ALREADY_ACTIVE)
                       : job_finish(job, REASON_ALREADY_ACTIVE);
    }
    /* Somebody bears the name, but nothing says that it is who was meant. */
    struct candidate *namesake = &job->candidates[0];
    memcpy(namesake->id, answer->user.id, sizeof namesake->id);
    memcpy(namesake->user_principal_name, answer->user.user_principal_name,
           sizeof namesake->user_principal_name);
    memcpy(namesake->display_name, answer->user.display_name, sizeof namesake->display_name);
    namesake->deleted_at_ms = 0;
    job->outcome.n_candidates = 1;
    return job_finish(job, REASON_NOT_FOUND);
}

static struct job_action target_answered(struct job *job, const struct directory_answer *answer)
{
    job->n_target_roles = answer->status == DIRECTORY_YES ? answer->n_roles : 0;
    enum reason reason = decide(job);
    return reason == REASON_OK ? job_proceed(job) : job_finish(job, reason);
}

/* The name to try after a clash. Each is tried by restoring: the restore is the arbiter. */
bool job_next_name(struct job *job)
{
    const struct intent *plan = &job->intent;
    if (plan->name_policy != NAME_POLICY_RENAME_RESTORED)
        return false;
    if (plan->new_user_principal_name[0] != '\0') {
        if (job->new_name[0] != '\0')
            return false;
        memcpy(job->new_name, plan->new_user_principal_name, sizeof job->new_name);
        return true;
    }
    job->rename_number = job->rename_number == 0 ? RENAME_NUMBER_FIRST : job->rename_number + 1;
    return job->rename_number <= RENAME_NUMBER_LAST &&
           rename_from_template(plan->rename_template, job->before.user_principal_name,
                                job->rename_number, job->new_name);
}

/* A clash that the restore reported is one, also when nobody is found: an object that Graph does
 * not show, or a deleted one that still reserves its address (directory-api 3). */
static struct job_action name_looked_up(struct job *job)
{
    if (job->outcome.n_conflicts == 0)
        (void)job_conflict_add(job, CONFLICT_USER_PRINCIPAL_NAME, job->sought_name);
    else if (job_frees(job) && job->freeing == FREEING_NONE)
        return job_departs(job, job->holder.id) ? job_fail(job, REASON_PLAN_STALE) : job_free(job);
    return job_finish(job, REASON_NAME_CONFLICT);
}

static struct job_action name_taken(struct job *job)
{
    if (job_next_name(job))
        return job_departs(job, "") ? job_fail(job, REASON_PLAN_STALE)
                                    : job_change(job, JOB_RESTORE);
    /* Freed, and taken still: not every replica has heard of it, or another was faster. */
    if (job->freeing == FREEING_DONE && !job_is_past(job, job->holder_doubt_mono_ms + JOB_LAG_MS))
        return job_look_again(job, JOB_RESTORE, job->holder_doubt_mono_ms);
    bool chosen = job->new_name[0] != '\0' && job->rename_number == 0;
    job_conflicts_clear(job);
    return job_look_for_name(job, chosen ? job->new_name : job->before.user_principal_name,
                             name_looked_up);
}

static struct job_action addresses_looked_up(struct job *job)
{
    const char *address = NULL;
    while (job->directory_named && (address = string_list_next(&job->sought, address)) != NULL)
        if (!job_has_conflict(job, address))
            (void)job_conflict_add(job, CONFLICT_PROXY_ADDRESSES, address);
    if (job->outcome.n_conflicts == 0)
        (void)job_conflict_add(job, CONFLICT_PROXY_ADDRESSES, "");
    return job_finish(job, REASON_ADDRESS_CONFLICT);
}

static struct job_action address_taken(struct job *job, const struct directory_answer *answer)
{
    if (job->intent.address_policy == ADDRESS_POLICY_REMOVE && !job->reconcile) {
        job->reconcile = true;
        return job_change(job, JOB_RESTORE);
    }
    job_conflicts_clear(job);
    job_seek_addresses(job, answer);
    return job_look_for_addresses(job, addresses_looked_up);
}

static struct job_action restore_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NAME_TAKEN)
        return name_taken(job);
    if (answer->status == DIRECTORY_ADDRESS_TAKEN)
        return address_taken(job, answer);
    if (answer->status == DIRECTORY_NOT_FOUND) { /* purged, or restored: by us, or by another */
        job->not_in_bin = true;
        if (job->ours)
            job_doubt(job);
        return job_ask(job, JOB_FIND_ACTIVE);
    }
    if (answer->user.user_principal_name[0] != '\0')
        memcpy(job->outcome.user_principal_name, answer->user.user_principal_name,
               sizeof job->outcome.user_principal_name);
    return job_restored(job);
}

/* Design section 9. */
#define HOLDERS(renamed, replaced)                                                                 \
    .by_id = DIRECTORY_##renamed, .by_name = DIRECTORY_##replaced, .of_holder = true
#define READS(operation) .by_id = DIRECTORY_##operation, .by_name = DIRECTORY_##operation
#define CHANGES(operation, confirm) READS(operation), .confirmed_by = JOB_##confirm
/* clang-format off */
const struct job_row job_rows[] = {
    [JOB_QUEUED]    = {.name = "queued"},
    [JOB_REQUESTER] = {.name = "requester", READS(REQUESTER),
                       .answered = requester_answered, .without = without_requester},
    [JOB_FIND]      = {.name = "find", .by_id = DIRECTORY_DELETED_BY_ID, .by_name = DIRECTORY_DELETED_BY_NAME,
                       .answered = find_answered, .without = job_fail},
    [JOB_FIND_ACTIVE] = {.name = "find_active", .by_id = DIRECTORY_USER_BY_ID, .by_name = DIRECTORY_USER_BY_NAME,
                       .answered = find_active_answered, .without = job_fail},
    [JOB_LIST]      = {.name = "list", READS(LIST_DELETED),
                       .answered = job_list_answered, .without = job_fail},
    [JOB_TARGET]    = {.name = "target", READS(TARGET_ROLES),
                       .answered = target_answered, .without = job_fail},
    [JOB_INTENT]    = {.name = "intent"},
    [JOB_RESTORE]   = {.name = "restore", CHANGES(RESTORE, CONFIRM),
                       .answered = restore_answered, .without = job_fail},
    [JOB_CONFIRM]   = {.name = "confirm", READS(USER_BY_ID),
                       .answered = job_active_looked, .without = job_fail},
    [JOB_CONFIRM_BIN] = {.name = "confirm_bin", READS(DELETED_BY_ID),
                       .answered = job_bin_looked, .without = job_fail},
    [JOB_HOLDER]    = {.name = "holder", READS(USER_BY_NAME),
                       .answered = job_holder_answered, .without = job_without_holder},
    [JOB_ADDRESS_USERS] = {.name = "address_users", READS(USERS_BY_ADDRESS),
                       .answered = job_addresses_answered, .without = job_without_holder},
    [JOB_ADDRESS_GROUPS] = {.name = "address_groups", READS(GROUPS_BY_ADDRESS),
                       .answered = job_addresses_answered, .without = job_without_holder},
    [JOB_ADDRESS_CONTACTS] = {.name = "address_contacts", READS(CONTACTS_BY_ADDRESS),
                       .answered = job_addresses_answered, .without = job_without_holder},
    [JOB_HOLDER_ROLES] = {.name = "holder_roles", HOLDERS(TARGET_ROLES, TARGET_ROLES),
                       .answered = job_holder_roles_answered, .without = job_fail},
    [JOB_FREE]      = {.name = "free", HOLDERS(RENAME_USER, DELETE_USER), .confirmed_by = JOB_CONFIRM_FREE,
                       .answered = job_free_answered, .without = job_without_free},
    [JOB_CONFIRM_FREE] = {.name = "confirm_free", HOLDERS(USER_BY_ID, USER_BY_ID),
                       .answered = job_confirm_free_answered, .without = job_holder_in_doubt},
    [JOB_CONFIRM_FREE_BIN] = {.name = "confirm_free_bin", HOLDERS(DELETED_BY_ID, DELETED_BY_ID),
                       .answered = job_confirm_free_answered, .without = job_holder_in_doubt},
    [JOB_UNDO]      = {.name = "undo", HOLDERS(RENAME_USER, RESTORE_HOLDER), .confirmed_by = JOB_CONFIRM_UNDO,
                       .answered = job_undo_answered, .without = job_holder_in_doubt},
    [JOB_CONFIRM_UNDO] = {.name = "confirm_undo", HOLDERS(USER_BY_ID, USER_BY_ID),
                       .answered = job_confirm_undo_answered, .without = job_holder_in_doubt},
    [JOB_CONFIRM_UNDO_BIN] = {.name = "confirm_undo_bin", HOLDERS(DELETED_BY_ID, DELETED_BY_ID),
                       .answered = job_confirm_undo_answered, .without = job_holder_in_doubt},
    [JOB_GAVE_WAY]  = {.name = "gave_way", HOLDERS(USER_BY_ID, DELETED_BY_ID),
                       .answered = job_gave_way_answered, .without = job_without_gave_way},
    [JOB_MANAGER]   = {.name = "manager", READS(MANAGER),
                       .answered = job_manager_answered, .without = job_without_manager},
    [JOB_VISIBLE]   = {.name = "visible", READS(USER_BY_ID),
                       .answered = job_visible_answered, .without = job_without_manager},
    [JOB_PASSWORD]  = {.name = "password", CHANGES(SET_PASSWORD, CONFIRM_PASSWORD),
                       .answered = job_password_answered, .without = job_without_password},
    [JOB_CONFIRM_PASSWORD] = {.name = "confirm_password", READS(USER_BY_ID),
                       .answered = job_confirm_password_answered, .without = job_without_password},
    [JOB_READ_BACK] = {.name = "read_back", READS(USER_BY_ID),
                       .answered = job_read_back_answered, .without = job_without_read_back},
    [JOB_SETTLE]    = {.name = "settle"},
    [JOB_RESUME]    = {.name = "resume", READS(USER_BY_ID),
                       .answered = job_active_looked, .without = job_fail},
    [JOB_RESUME_BIN] = {.name = "resume_bin", READS(DELETED_BY_ID),
                       .answered = job_bin_looked, .without = job_fail},
    [JOB_DONE]      = {.name = "done"},
};
/* clang-format on */

static struct job_action answered(struct job *job, const struct directory_answer *answer)
{
    const struct job_row *row = &job_rows[job->state];
    assert(row->answered != NULL);
    job_record(job, answer);
    job->unheard = answer->status == DIRECTORY_BUSY || answer->status == DIRECTORY_UNKNOWN;
    if (answer->status == DIRECTORY_YES)
        job->n_put_off = 0;

    switch (answer->status) {
    case DIRECTORY_UNKNOWN:
        if (job->state == JOB_RESTORE)
            job_doubt(job);
        if (job->state == JOB_PASSWORD)
            job->password_lost_at_mono_ms = job->now.mono_ms;
        if (job->state == JOB_FREE || job->state == JOB_UNDO)
            job_holder_lost(job);
        return job_put_off(job, row->confirmed_by != JOB_QUEUED ? row->confirmed_by : job->state,
                           answer->retry_after_ms);
    case DIRECTORY_BUSY: return job_put_off(job, job->state, answer->retry_after_ms);
    case DIRECTORY_UNPROVEN: job->intent_stands = false; return job_change(job, job->state);
    case DIRECTORY_DENIED:
    case DIRECTORY_REJECTED: return job_refused(job, answer);
    case DIRECTORY_NAME_TAKEN:
    case DIRECTORY_ADDRESS_TAKEN:
        assert(job->state == JOB_RESTORE || job->state == JOB_FREE || job->state == JOB_UNDO);
        break;
    case DIRECTORY_YES:
    case DIRECTORY_NOT_FOUND: break;
    }
    return row->answered(job, answer);
}

const char *job_state_name(enum job_state state)
{
    assert(state <= JOB_DONE);
    return job_rows[state].name;
}

void job_init(struct job *job, const struct policy_rules *rules, uint64_t seed)
{
    size_t from = offsetof(struct job, question);
    memset((char *)job + from, 0, offsetof(struct job, operations) - from);
    user_facts_clear(&job->before);
    job->rules = rules;
    job->random = seed;
    job->n_target_roles = job->n_holder_roles = -1;
    job->outcome.request = &job->request;
    job->outcome.candidates = job->candidates;
    job->outcome.conflicts = job->conflicts;
    job->outcome.operations = job->operations;
    request_uuid(&job->request, "journal", job->journal_key);
    if (job->request.user.by == NAMED_BY_ID)
        text_copy(job->user_id, sizeof job->user_id, job->request.user.text);
    text_lower(job->user_id);
}

struct job_action job_step(struct job *job, const struct job_event *event)
{
    assert(job->state != JOB_DONE);
    job->now = event->now;
    job->recent = event->recent;
    job->still = event->still;
    assert((job->state == JOB_QUEUED) ==
           (event->type == JOB_STARTED || event->type == JOB_RESUMED));
    if (job->state == JOB_QUEUED)
        job->still_before = event->still;
    switch (event->type) {
    case JOB_STARTED:
        job->intent.started_at_ms = job->now.wall_ms;
        job->deadline_mono_ms = job->now.mono_ms + job->rules->request_deadline_ms;
        return job_begin(job);
    case JOB_RESUMED: return job_resume(job, event);
    case JOB_COMMITTED:
        assert(job->state == JOB_INTENT);
        job->intent_stands = true;
        return job_ask(job, job->after_intent);
    case JOB_WOKEN: return job_ask(job, job->asleep_from);
    case JOB_ANSWERED:
        if (job->state == JOB_HOLDER)
            job->holder_is_of_batch = event->is_duplicate;
        else if (event->is_duplicate)
            return job_fail(job, REASON_DUPLICATE_USER);
        return answered(job, event->answer);
    }
    assert(false && "unknown event");
    return (struct job_action){0};
}

void job_refuse(struct job *job, enum reason reason, const struct instant *now)
{
    assert(job->state == JOB_QUEUED);
    job->now = *now;
    job->intent.started_at_ms = now->wall_ms;
    (void)job_finish(job, reason);
}

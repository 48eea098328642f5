/* The directory as the worker's client would show it: one tenant, users in the bin or active, one
 * latency a user, no faults (those are the job's own simulation). */
#include "tests/sim/worker/played.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct world_user *find_user(struct world *world, const struct directory_question *question)
{
    for (int i = 0; i < world->n_users; i++)
        if (text_equal_ignore_case(world->users[i].id, question->id) ||
            text_equal_ignore_case(world->users[i].name, question->name))
            return &world->users[i];
    return NULL;
}

void directory_ask(struct directory *directory, struct directory_call *call)
{
    struct world *world = directory->world;
    struct world_call *asked = calloc(1, sizeof *asked);
    assert(asked != NULL);
    asked->worker = directory->worker;
    asked->call = call;
    asked->question = *call->question;
    if (call->password != NULL)
        (void)text_copy(asked->password, sizeof asked->password, call->password);
    asked->proven_until_ms = call->proven_until_mono_ms;
    asked->sent_at_ms = world->now_ms + SEND_MS;
    asked->status = DIRECTORY_YES;
    struct world_call **end = &world->calls;
    while (*end != NULL)
        end = &(*end)->next;
    *end = asked;
    if (++world->n_calls > world->n_calls_most)
        world->n_calls_most = world->n_calls;
}

bool directory_reaches_nobody(const struct directory *directory)
{
    (void)directory;
    return false;
}

static void leave(struct world *world, struct world_call *call)
{
    bool changes = directory_operation_changes(call->question.operation);
    struct world_user *user = find_user(world, &call->question);
    call->sent = true;
    if (changes && !world->controls.ignore_proof && world->now_ms > call->proven_until_ms) {
        call->status = DIRECTORY_UNPROVEN;
        call->took_effect = true; /* nothing left the process */
        call->done_at_ms = world->now_ms;
        return;
    }
    int64_t call_ms = user != NULL && user->call_ms != 0 ? user->call_ms : CALL_MS;
    call->effect_at_ms = world->now_ms + call_ms / 2;
    call->done_at_ms = world->now_ms + call_ms;
    if (changes)
        user->overlaps += user->open_changes++ > 0;
}

static struct world_call **find_call(struct world *world, const struct directory_call *call)
{
    struct world_call **at = &world->calls;
    while (*at != NULL && ((*at)->call != call || (*at)->worker == NULL))
        at = &(*at)->next;
    return at;
}

bool directory_abandon(struct directory *directory, struct directory_call *call)
{
    struct world *world = directory->world;
    struct world_call **at = find_call(world, call);
    assert(*at != NULL);
    if ((*at)->sent && directory_operation_changes((*at)->question.operation))
        return false;
    struct world_call *gone = *at;
    *at = gone->next;
    world->n_calls--;
    free(gone);
    return true;
}

void played_directory_forget(struct world *world, struct world_worker *worker)
{
    for (struct world_call **at = &world->calls; *at != NULL;) {
        struct world_call *call = *at;
        if (call->worker == worker && !call->sent) {
            *at = call->next;
            world->n_calls--;
            free(call);
            continue;
        }
        if (call->worker == worker)
            call->worker = NULL;
        at = &call->next;
    }
}

static void take_effect(struct world *world, struct world_call *call)
{
    call->took_effect = true;
    struct world_user *user = find_user(world, &call->question);
    if (user == NULL)
        return; /* a requester */
    if (directory_operation_changes(call->question.operation))
        user->open_changes--;
    if (call->question.operation == DIRECTORY_RESTORE) {
        if (user->active)
            call->status = DIRECTORY_NOT_FOUND;
        else
            user->restores++;
        user->active = true;
    } else if (call->question.operation == DIRECTORY_SET_PASSWORD) {
        user->passwords++;
        user->password_changed_at_ms = world->now_ms;
        (void)text_copy(user->password, sizeof user->password, call->password);
    }
    call->active = user->active;
    call->password_changed_at_ms = user->password_changed_at_ms;
    bool in_bin = call->question.operation == DIRECTORY_DELETED_BY_ID ||
                  call->question.operation == DIRECTORY_DELETED_BY_NAME;
    bool among_users = call->question.operation == DIRECTORY_USER_BY_ID ||
                       call->question.operation == DIRECTORY_USER_BY_NAME;
    if ((in_bin && user->active) || (among_users && !user->active))
        call->status = DIRECTORY_NOT_FOUND;
}

static void answer(struct world *world, const struct world_call *call)
{
    struct directory_answer *answer = &world->answer;
    memset(answer, 0, offsetof(struct directory_answer, user.proxy_addresses.bytes));
    answer->status = call->status;
    answer->list = call->call->list;
    if (answer->list != NULL)
        user_list_clear(answer->list);
    answer->http_status = call->status == DIRECTORY_YES ? 200 : 404;
    const struct world_user *user = find_user(world, &call->question);
    if (user != NULL) {
        (void)text_copy(answer->user.id, sizeof answer->user.id, user->id);
        (void)text_copy(answer->user.user_principal_name, sizeof answer->user.user_principal_name,
                        user->name);
    }
    answer->user.enabled = answer->user.has_licence = true;
    answer->user.last_password_change_at_ms = call->password_changed_at_ms;
    answer->user.deleted_at_ms = call->active ? 0 : WORLD_START_MS - DAY_MS;
    call->call->on_answer(call->call->context, answer);
}

/* When the next thing happens to this call. */
static int64_t next_ms_of(const struct world_call *call)
{
    bool frozen = call->worker != NULL && call->worker->frozen;
    if (call->sent && !call->took_effect)
        return call->effect_at_ms;
    if (frozen)
        return INT64_MAX;
    return call->sent ? call->done_at_ms : call->sent_at_ms;
}

int64_t played_directory_next_ms(const struct world *world)
{
    int64_t next = INT64_MAX;
    for (const struct world_call *call = world->calls; call != NULL; call = call->next)
        if (next_ms_of(call) < next)
            next = next_ms_of(call);
    return next;
}

/* One thing at a time, so that a run can be stopped between any two. */
void played_directory_step(struct world *world)
{
    for (struct world_call **at = &world->calls; *at != NULL; at = &(*at)->next) {
        struct world_call *call = *at;
        if (next_ms_of(call) > world->now_ms)
            continue;
        if (!call->sent) {
            leave(world, call);
        } else if (!call->took_effect) {
            take_effect(world, call);
        } else {
            *at = call->next;
            world->n_calls--;
            if (call->worker != NULL)
                answer(world, call);
            free(call);
        }
        return;
    }
}

#include "tests/sim/world.h"

#include <assert.h>
#include <string.h>

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULTS] = {"none",       "busy",      "lost before",
                                              "lost after", "not found", "unproven",
                                              "denied",     "rejected",  "stale"};
    return names[fault];
}

void world_start(struct world *world)
{
    world->now_ms = HOUR_MS;
    world->requester_read_at_ms = world->requester_read_ago_ms != 0
                                      ? world->now_ms - world->requester_read_ago_ms
                                      : INT64_MIN / 2;
    given_user(&world->user);
    world->deleted_at_ms = GIVEN_DELETED_AT_MS;
    world->first_password_at_ms = world->user.last_password_change_at_ms;
    if (world->place == PLACE_ACTIVE)
        world->user.deleted_at_ms = 0;
    world->holder.place = world->name_taken ? PLACE_ACTIVE : PLACE_PURGED;
    text_copy(world->holder.name, sizeof world->holder.name, GIVEN_USER_NAME);
}

struct instant world_now(const struct world *world)
{
    int64_t wall_ms = GIVEN_NOW_MS + world->now_ms - HOUR_MS;
    return (struct instant){
        .wall_ms = wall_ms, .directory_ms = wall_ms + DIRECTORY_AHEAD_MS, .mono_ms = world->now_ms};
}

/* Of the time so far, that between the two. */
static int64_t passed_between_ms(const struct world *world, int64_t from_ms, int64_t until_ms)
{
    int64_t passed_ms = world->now_ms - HOUR_MS;
    int64_t end_ms = passed_ms < until_ms ? passed_ms : until_ms;
    return end_ms > from_ms ? end_ms - from_ms : 0;
}

static bool is_between(const struct world *world, int64_t from_ms, int64_t until_ms)
{
    int64_t passed_ms = world->now_ms - HOUR_MS;
    return passed_ms >= from_ms && passed_ms < until_ms;
}

struct standstill world_still(const struct world *world)
{
    return (struct standstill){
        .paused_ms = passed_between_ms(world, world->paused_from_ms, world->paused_until_ms),
        .unreachable_ms = passed_between_ms(world, world->open_from_ms, world->open_until_ms),
        .paused = is_between(world, world->paused_from_ms, world->paused_until_ms),
        .unreachable = is_between(world, world->open_from_ms, world->open_until_ms),
    };
}

static bool bears(enum place place, const char *own_name, const char *name)
{
    return place == PLACE_ACTIVE && text_equal_ignore_case(own_name, name);
}

/* By anybody but the one who asks for it: the user, or the holder. */
static bool name_is_taken(const struct world *world, const char *name, bool by_holder_too)
{
    if (by_holder_too ? bears(world->holder.place, world->holder.name, name)
                      : bears(world->place, world->user.user_principal_name, name))
        return true;
    if (world->name_taken_again && world->holder.n_freed > 0 && strcmp(name, GIVEN_USER_NAME) == 0)
        return true;
    for (int n = 0; n < world->n_template_names_taken; n++) {
        char taken[NAME_BYTES + 1];
        rename_from_template("{local}.{n}@{domain}", GIVEN_USER_NAME, RENAME_NUMBER_FIRST + n,
                             taken);
        if (strcmp(name, taken) == 0)
            return true;
    }
    return world->new_name_taken && strcmp(name, "ola.n@contoso.com") == 0;
}

static enum directory_status restore(struct world *world, const struct directory_question *question)
{
    if (world->place != PLACE_BIN)
        return DIRECTORY_NOT_FOUND;
    const char *name = question->new_user_principal_name[0] != '\0'
                           ? question->new_user_principal_name
                           : GIVEN_USER_NAME;
    if (name_is_taken(world, name, true))
        return DIRECTORY_NAME_TAKEN;
    if (world->restore_refused)
        return DIRECTORY_REJECTED;
    if (world->address_taken && !question->reconcile_proxy_addresses)
        return DIRECTORY_ADDRESS_TAKEN;
    world->place = PLACE_ACTIVE;
    world->n_restored++;
    world->restored_at_ms = world->now_ms;
    world->user.deleted_at_ms = 0;
    text_copy(world->user.user_principal_name, sizeof world->user.user_principal_name, name);
    if (question->reconcile_proxy_addresses) {
        string_list_clear(&world->user.proxy_addresses);
        string_list_add(&world->user.proxy_addresses, "SMTP:ola@contoso.com");
    }
    return DIRECTORY_YES;
}

/* What the holder was until now is what replicas show for a while. */
static void holder_changes(struct world *world)
{
    world->holder.seen_place = world->holder.place;
    memcpy(world->holder.seen_name, world->holder.name, sizeof world->holder.seen_name);
    world->holder.seen_until_ms = world->now_ms + world->holder_lag_ms;
}

static enum directory_status rename_holder(struct world *world, const char *name)
{
    if (world->holder.place != PLACE_ACTIVE)
        return DIRECTORY_NOT_FOUND;
    if (name_is_taken(world, name, false))
        return DIRECTORY_NAME_TAKEN;
    holder_changes(world);
    bool back = strcmp(name, GIVEN_USER_NAME) == 0;
    world->holder.n_undone += back;
    world->holder.n_freed += !back;
    text_copy(world->holder.name, sizeof world->holder.name, name);
    return DIRECTORY_YES;
}

static enum directory_status delete_user(struct world *world, const char *id)
{
    if (strcmp(id, HOLDER_ID) != 0) {
        world->user_deleted = true;
        return DIRECTORY_YES;
    }
    if (world->holder.place != PLACE_ACTIVE)
        return DIRECTORY_NOT_FOUND;
    holder_changes(world);
    world->holder.place = PLACE_BIN;
    world->holder.n_freed++;
    return DIRECTORY_YES;
}

static enum directory_status restore_holder(struct world *world)
{
    if (world->holder.place != PLACE_BIN)
        return DIRECTORY_NOT_FOUND;
    if (name_is_taken(world, world->holder.name, false))
        return DIRECTORY_NAME_TAKEN;
    holder_changes(world);
    world->holder.place = PLACE_ACTIVE;
    world->holder.n_undone++;
    return DIRECTORY_YES;
}

static bool user_is_visible(const struct world *world)
{
    return world->place == PLACE_ACTIVE &&
           (world->restored_at_ms == 0 || world->now_ms >= world->restored_at_ms + world->lag_ms);
}

static bool bin_shows_user(const struct world *world)
{
    return world->place == PLACE_BIN ||
           (world->place == PLACE_ACTIVE && world->restored_at_ms != 0 &&
            world->now_ms < world->restored_at_ms + world->bin_lag_ms);
}

static enum directory_status set_password(struct world *world, int password)
{
    if (!user_is_visible(world))
        return DIRECTORY_NOT_FOUND;
    if (world->password_refused)
        return DIRECTORY_REJECTED;
    world->password = password;
    world->n_password_writes++;
    world->user.last_password_change_at_ms = world_now(world).directory_ms / SECOND_MS * SECOND_MS;
    return DIRECTORY_YES;
}

static enum directory_status change(struct world *world, const struct directory_question *question,
                                    int password)
{
    if (question->operation == DIRECTORY_RENAME_USER)
        return rename_holder(world, question->new_user_principal_name);
    if (question->operation == DIRECTORY_DELETE_USER)
        return delete_user(world, question->id);
    if (question->operation == DIRECTORY_RESTORE_HOLDER)
        return restore_holder(world);
    return question->operation == DIRECTORY_RESTORE ? restore(world, question)
                                                    : set_password(world, password);
}

static void another_restores(struct world *world)
{
    if (world->place != PLACE_BIN)
        return;
    world->place = PLACE_ACTIVE;
    world->restored_at_ms = world->another_restores_at_ms;
    world->user.deleted_at_ms = 0;
    if (name_is_taken(world, GIVEN_USER_NAME, true))
        text_copy(world->user.user_principal_name, sizeof world->user.user_principal_name,
                  "ola.another@contoso.com");
}

static void another_deletes(struct world *world, int64_t at_ms)
{
    if (at_ms > world->now_ms)
        world->now_ms = at_ms;
    world->place = PLACE_BIN;
    world->deleted_again = true;
    world->deleted_at_ms = world_now(world).directory_ms;
    text_copy(world->user.user_principal_name, sizeof world->user.user_principal_name,
              GIVEN_USER_NAME);
}

void world_wait_until(struct world *world, int64_t now_ms)
{
    assert(now_ms >= world->now_ms);
    if (world->another_restores_at_ms != 0 && now_ms >= world->another_restores_at_ms) {
        another_restores(world);
        world->another_restores_at_ms = 0;
    }
    if (world->has_late && now_ms >= world->late_at_ms) {
        if (world->late_at_ms > world->now_ms)
            world->now_ms = world->late_at_ms;
        world->has_late = false;
        change(world, &world->late, world->late_password);
    }
    int64_t deleted_at_ms = world->restored_at_ms + world->deleted_again_after_ms;
    if (world->deleted_again_after_ms != 0 && world->n_restored == 1 && !world->deleted_again &&
        now_ms >= deleted_at_ms)
        another_deletes(world, deleted_at_ms);
    if (now_ms > world->now_ms)
        world->now_ms = now_ms;
}

void world_ask_late(struct world *world, const struct directory_question *question, int password,
                    int64_t at_ms)
{
    assert(!world->has_late);
    world->has_late = true;
    world->late = *question;
    world->late_password = password;
    world->late_at_ms = at_ms;
}

static void answer_holder(const struct world *world, const char *name,
                          struct directory_answer *answer)
{
    given_user(&answer->user);
    answer->user.deleted_at_ms = 0;
    answer->user.synced = world->holder_synced;
    text_copy(answer->user.id, sizeof answer->user.id, HOLDER_ID);
    text_copy(answer->user.user_principal_name, sizeof answer->user.user_principal_name, name);
}

static bool is_holder(const struct directory_question *question)
{
    return strcmp(question->id, HOLDER_ID) == 0;
}

static enum directory_status read_holder(const struct world *world, enum place place,
                                         struct directory_answer *answer)
{
    bool lags = world->now_ms < world->holder.seen_until_ms;
    if ((lags ? world->holder.seen_place : world->holder.place) != place)
        return DIRECTORY_NOT_FOUND;
    answer_holder(world, lags ? world->holder.seen_name : world->holder.name, answer);
    answer->user.deleted_at_ms = place == PLACE_BIN ? GIVEN_NOW_MS : 0;
    return DIRECTORY_YES;
}

static enum directory_status read_bin(struct world *world,
                                      const struct directory_question *question,
                                      struct directory_answer *answer)
{
    if (is_holder(question))
        return read_holder(world, PLACE_BIN, answer);
    if (!bin_shows_user(world))
        return DIRECTORY_NOT_FOUND;
    user_facts_copy(&answer->user, &world->user);
    answer->user.deleted_at_ms = world->deleted_at_ms;
    text_copy(answer->user.user_principal_name, sizeof answer->user.user_principal_name,
              GIVEN_USER_NAME);
    answer->n_candidates = 1;
    return DIRECTORY_YES;
}

static enum directory_status read_user(struct world *world,
                                       const struct directory_question *question,
                                       struct directory_answer *answer)
{
    if (is_holder(question))
        return read_holder(world, PLACE_ACTIVE, answer);
    if (!user_is_visible(world))
        return DIRECTORY_NOT_FOUND;
    user_facts_copy(&answer->user, &world->user);
    answer->n_roles = question->with_roles ? world->n_user_roles : 0;
    return DIRECTORY_YES;
}

static enum directory_status read_by_name(struct world *world,
                                          const struct directory_question *question,
                                          struct directory_answer *answer)
{
    const char *name = question->name;
    if (bears(world->place, world->user.user_principal_name, name))
        return read_user(world, question, answer);
    if (bears(world->holder.place, world->holder.name, name)) {
        answer_holder(world, name, answer);
        return DIRECTORY_YES;
    }
    if (!name_is_taken(world, name, true))
        return DIRECTORY_NOT_FOUND;
    answer_holder(world, name, answer);
    text_copy(answer->user.id, sizeof answer->user.id, "88888888-0000-0000-0000-000000000000");
    return DIRECTORY_YES;
}

static void read_holding_groups(const struct world *world,
                                const struct directory_question *question,
                                struct directory_answer *answer)
{
    const char *address = question->addresses;
    for (int i = 0; i < question->n_addresses; i++, address += strlen(address) + 1)
        if (world->address_taken && strcmp(address, "smtp:ola.nordmann@contoso.com") == 0)
            answer->held[answer->n_held++] =
                (struct held_address){i, {.type = HOLDER_GROUP, .display_name = "Project Ola"}};
}

static enum directory_status read_list(struct world *world,
                                       const struct directory_question *question,
                                       struct directory_answer *answer)
{
    static struct user_list list;
    user_list_clear(&list);
    struct listed_user user = {.id = world->user.id,
                               .user_principal_name = world->user.user_principal_name,
                               .display_name = world->user.display_name,
                               .deleted_at_ms = world->deleted_at_ms};
    if (world->place == PLACE_BIN)
        user_list_take(&list, &question->wish, &user);
    answer->list = &list;
    return DIRECTORY_YES;
}

/* As the directory client does, who asks for the same person once a minute. */
static void read_requester(struct world *world, struct directory_answer *answer)
{
    given_requester(&answer->requester);
    if (world->requester_is_nobody)
        answer->requester.n_roles = 0;
    if (world->now_ms - world->requester_read_at_ms >= MINUTE_MS)
        world->requester_read_at_ms = world->now_ms;
    answer->requester_age_ms = world->now_ms - world->requester_read_at_ms;
}

static enum directory_status carry_out(struct world *world,
                                       const struct directory_question *question, int password,
                                       struct directory_answer *answer)
{
    switch (question->operation) {
    case DIRECTORY_REQUESTER_APP:
    case DIRECTORY_REQUESTER: read_requester(world, answer); return DIRECTORY_YES;
    case DIRECTORY_DELETED_BY_ID:
    case DIRECTORY_DELETED_BY_NAME: return read_bin(world, question, answer);
    case DIRECTORY_LIST_DELETED: return read_list(world, question, answer);
    case DIRECTORY_USER_BY_ID: return read_user(world, question, answer);
    case DIRECTORY_USER_BY_NAME: return read_by_name(world, question, answer);
    case DIRECTORY_TARGET_ROLES:
        answer->n_roles = is_holder(question) ? world->n_holder_roles : world->n_user_roles;
        return answer->n_roles > 0 ? DIRECTORY_YES : DIRECTORY_NOT_FOUND;
    case DIRECTORY_USERS_BY_ADDRESS:
    case DIRECTORY_CONTACTS_BY_ADDRESS: return DIRECTORY_YES;
    case DIRECTORY_GROUPS_BY_ADDRESS:
        read_holding_groups(world, question, answer);
        return DIRECTORY_YES;
    case DIRECTORY_MANAGER:
        if (!user_is_visible(world) || world->manager_is_nobody)
            return DIRECTORY_NOT_FOUND;
        text_copy(answer->manager_mail, sizeof answer->manager_mail, GIVEN_MANAGER);
        return DIRECTORY_YES;
    case DIRECTORY_RESTORE:
        user_facts_clear(&answer->user);
        return change(world, question, password);
    case DIRECTORY_RENAME_USER:
    case DIRECTORY_DELETE_USER:
    case DIRECTORY_RESTORE_HOLDER:
    case DIRECTORY_SET_PASSWORD: return change(world, question, password);
    case DIRECTORY_OPERATION_COUNT: break;
    }
    assert(false && "unknown operation");
    return DIRECTORY_REJECTED;
}

bool world_may_not_know(enum directory_operation operation)
{
    return operation != DIRECTORY_REQUESTER && operation != DIRECTORY_TARGET_ROLES &&
           (!directory_operation_changes(operation) || operation == DIRECTORY_SET_PASSWORD);
}

void world_ask(struct world *world, const struct directory_question *question, enum fault fault,
               int password, struct directory_answer *answer)
{
    bool changes = directory_operation_changes(question->operation);
    answer->retry_after_ms = 0;
    answer->http_status = 200;
    answer->requester_age_ms = 0;
    answer->error_code[0] = '\0';
    answer->n_candidates = answer->n_held = answer->n_named_addresses = answer->n_roles = 0;
    text_copy(answer->request_id, sizeof answer->request_id, "request-id");

    world_wait_until(world, world->now_ms + CALL_MS);
    switch (fault) {
    case FAULT_BUSY:
        answer->status = DIRECTORY_BUSY;
        answer->retry_after_ms = world->retry_after_ms;
        break;
    case FAULT_LOST_BEFORE:
        world_wait_until(world, world->now_ms + REQUEST_TIMEOUT_MS - CALL_MS);
        answer->status = DIRECTORY_UNKNOWN;
        answer->request_id[0] = '\0';
        break;
    case FAULT_LOST_AFTER:
        answer->status = DIRECTORY_BUSY;
        if (changes) {
            carry_out(world, question, password, answer);
            answer->status = DIRECTORY_UNKNOWN;
        }
        answer->retry_after_ms = 3 * SECOND_MS;
        break;
    case FAULT_NOT_FOUND:
        answer->status = world_may_not_know(question->operation)
                             ? DIRECTORY_NOT_FOUND
                             : carry_out(world, question, password, answer);
        break;
    case FAULT_UNPROVEN:
        answer->status =
            changes ? DIRECTORY_UNPROVEN : carry_out(world, question, password, answer);
        break;
    case FAULT_DENIED:
    case FAULT_REJECTED:
        answer->status = fault == FAULT_DENIED ? DIRECTORY_DENIED : DIRECTORY_REJECTED;
        answer->http_status = fault == FAULT_DENIED ? 403 : 400;
        text_copy(answer->error_code, sizeof answer->error_code, "Request_BadRequest");
        break;
    case FAULT_STALE:
        answer->status = carry_out(world, question, password, answer);
        if (question->operation == DIRECTORY_USER_BY_ID && !is_holder(question))
            answer->user.last_password_change_at_ms = world->first_password_at_ms;
        break;
    case FAULT_NONE:
    case FAULTS: answer->status = carry_out(world, question, password, answer); break;
    }
}

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
}

struct instant world_now(const struct world *world)
{
    int64_t wall_ms = GIVEN_NOW_MS + world->now_ms - HOUR_MS;
    return (struct instant){
        .wall_ms = wall_ms, .directory_ms = wall_ms + DIRECTORY_AHEAD_MS, .mono_ms = world->now_ms};
}

static bool name_is_taken(const struct world *world, const char *name)
{
    if (strcmp(name, GIVEN_USER_NAME) == 0)
        return world->name_taken;
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
    if (name_is_taken(world, name))
        return DIRECTORY_NAME_TAKEN;
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

static enum directory_status read_bin(struct world *world, struct directory_answer *answer)
{
    if (!bin_shows_user(world))
        return DIRECTORY_NOT_FOUND;
    user_facts_copy(&answer->user, &world->user);
    answer->user.deleted_at_ms = world->deleted_at_ms;
    text_copy(answer->user.user_principal_name, sizeof answer->user.user_principal_name,
              GIVEN_USER_NAME);
    answer->n_candidates = 1;
    return DIRECTORY_YES;
}

static enum directory_status read_user(struct world *world, struct directory_answer *answer)
{
    if (!user_is_visible(world))
        return DIRECTORY_NOT_FOUND;
    user_facts_copy(&answer->user, &world->user);
    return DIRECTORY_YES;
}

static enum directory_status read_holder(struct world *world, const char *name,
                                         struct directory_answer *answer)
{
    if (!name_is_taken(world, name))
        return strcmp(name, world->user.user_principal_name) == 0 ? read_user(world, answer)
                                                                  : DIRECTORY_NOT_FOUND;
    given_user(&answer->user);
    answer->user.deleted_at_ms = 0;
    text_copy(answer->user.id, sizeof answer->user.id, "77777777-0000-0000-0000-000000000000");
    text_copy(answer->user.user_principal_name, sizeof answer->user.user_principal_name, name);
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
    case DIRECTORY_DELETED_BY_NAME: return read_bin(world, answer);
    case DIRECTORY_USER_BY_ID: return read_user(world, answer);
    case DIRECTORY_USER_BY_NAME: return read_holder(world, question->name, answer);
    case DIRECTORY_TARGET_ROLES: answer->n_roles = 0; return DIRECTORY_NOT_FOUND;
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
    case DIRECTORY_SET_PASSWORD: return change(world, question, password);
    case DIRECTORY_OPERATION_COUNT: break;
    }
    assert(false && "unknown operation");
    return DIRECTORY_REJECTED;
}

bool world_may_not_know(enum directory_operation operation)
{
    return operation != DIRECTORY_REQUESTER && operation != DIRECTORY_RESTORE &&
           operation != DIRECTORY_TARGET_ROLES;
}

void world_ask(struct world *world, const struct directory_question *question, enum fault fault,
               int password, struct directory_answer *answer)
{
    bool changes = directory_operation_changes(question->operation);
    answer->retry_after_ms = 0;
    answer->http_status = 200;
    answer->requester_age_ms = 0;
    answer->error_code[0] = '\0';
    answer->n_candidates = answer->n_held = answer->n_named_addresses = 0;
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
        if (question->operation == DIRECTORY_USER_BY_ID)
            answer->user.last_password_change_at_ms = world->first_password_at_ms;
        break;
    case FAULT_NONE:
    case FAULTS: answer->status = carry_out(world, question, password, answer); break;
    }
}

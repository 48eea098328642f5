/* The users and the bin: reading them and changing them. */
#include "tests/directory_sim/graph.h"

#include <string.h>

void bin_list(struct sim *sim, struct call *call)
{
    (void)sim;
    reply_collection(call, KIND_USER, true);
}

/* The deleted user of that id as readers see it; NULL: answered. */
static struct entry *bin_find(struct sim *sim, struct call *call)
{
    if (!text_is_id(call->capture)) {
        reply_error(call, 400, "Request_BadRequest", "Invalid object identifier '%s'.",
                    call->capture);
        return NULL;
    }
    struct entry *entry = tenant_find(call->tenant, call->capture);
    if (entry && entry_is_in_bin(entry, sim->mono_ms))
        return entry;
    reply_not_found(call, call->capture);
    return NULL;
}

static void bin_reply(struct sim *sim, struct call *call, bool as_object)
{
    property_mask mask;
    const struct entry *entry = bin_find(sim, call);
    if (!entry || !reply_selection(call, KIND_USER, &mask))
        return;
    struct entry view = entry_bin_view(entry);
    reply_entry(call, &view, mask, as_object);
}

void bin_get(struct sim *sim, struct call *call)
{
    bin_reply(sim, call, false);
}

void bin_get_object(struct sim *sim, struct call *call)
{
    bin_reply(sim, call, true);
}

void bin_purge(struct sim *sim, struct call *call)
{
    struct entry *user = bin_find(sim, call);
    if (user && user->state != STATE_DELETED)
        reply_not_found(call, call->capture);
    else if (user) {
        user_purge(user);
        call->status = 204;
    }
}

/* The body as an object (to be released), {} when there is none; NULL: answered with 400. */
static json_t *body_read(struct call *call)
{
    json_t *body =
        call->body.n ? json_loadb(call->body.bytes, call->body.n, 0, NULL) : json_object();
    if (!json_is_object(body)) {
        json_decref(body);
        body = NULL;
        reply_error(call, 400, "BadRequest",
                    "Unable to read JSON request payload. Please ensure "
                    "Content-Type header is set and payload is of valid "
                    "JSON format.");
    }
    return body;
}

static void reply_verdict(struct call *call, enum store_verdict verdict)
{
    switch (verdict) {
    case STORE_DONE: call->status = 204; break;
    case STORE_NAME_TAKEN: reply_clash(call, "userPrincipalName"); break;
    case STORE_ADDRESS_TAKEN: reply_clash(call, "proxyAddresses"); break;
    case STORE_NAME_INVALID:
        reply_error(call, 400, "Request_BadRequest", "Property userPrincipalName is invalid.");
        break;
    }
}

/* The two optional parameters of restore (directory-api 1.2) and nothing else. */
static bool wish_read(const json_t *body, struct restore_wish *wish)
{
    const json_t *reconcile = json_object_get(body, "autoReconcileProxyConflict");
    const json_t *name = json_object_get(body, "newUserPrincipalName");
    size_t known = (size_t)(reconcile != NULL) + (size_t)(name != NULL);
    wish->reconcile = json_is_true(reconcile);
    wish->new_name = json_string_value(name);
    return known == json_object_size(body) && (!reconcile || json_is_boolean(reconcile)) &&
           (!name || json_is_string(name));
}

void bin_restore(struct sim *sim, struct call *call)
{
    struct entry *user = bin_find(sim, call);
    json_t *body = user ? body_read(call) : NULL;
    if (!body)
        return;
    struct restore_wish wish = {.visible_lag_ms = sim->options.visible_lag_ms,
                                .bin_lag_ms = sim->options.bin_lag_ms};
    struct store_clock clock = sim_clock(sim);
    if (!wish_read(body, &wish)) {
        reply_error(call, 400, "Request_BadRequest", "Invalid parameters of action restore.");
    } else if (user->state != STATE_DELETED) { /* restored already, the bin only lags */
        reply_not_found(call, call->capture);
    } else {
        enum store_verdict verdict = user_restore(user, &wish, &clock);
        if (verdict == STORE_DONE)
            reply_entry(call, user, property_unasked(KIND_USER), true);
        else
            reply_verdict(call, verdict);
    }
    json_decref(body);
}

void users_list(struct sim *sim, struct call *call)
{
    (void)sim;
    reply_collection(call, KIND_USER, false);
}

/* NULL: answered with 404. */
static struct entry *user_find(struct sim *sim, struct call *call)
{
    struct entry *user = tenant_find_user(call->tenant, call->capture, sim->mono_ms);
    if (!user)
        reply_not_found(call, call->capture);
    return user;
}

void user_get(struct sim *sim, struct call *call)
{
    property_mask mask;
    const struct entry *user = user_find(sim, call);
    if (!user || !reply_selection(call, KIND_USER, &mask))
        return;
    reply_context(call, "users", true);
    property_write(&call->reply, user, mask);
    if (call_query(call, "$expand"))
        user_memberships_write(call, user);
    buffer_text(&call->reply, "}");
}

void user_remove(struct sim *sim, struct call *call)
{
    struct entry *user = user_find(sim, call);
    if (!user)
        return;
    struct store_clock clock = sim_clock(sim);
    user_delete(user, &clock);
    call->status = 204;
}

struct patch {
    const char *name, *password;
    bool must_change;
    int enable; /* -1: not in the body */
};

/* What is understood of a PATCH body; false: something else is in it. */
static bool patch_read(const json_t *body, struct patch *patch)
{
    const json_t *name = json_object_get(body, "userPrincipalName");
    const json_t *enable = json_object_get(body, "accountEnabled");
    const json_t *profile = json_object_get(body, "passwordProfile");
    const json_t *password = json_object_get(profile, "password");
    size_t known = (size_t)(name != NULL) + (size_t)(enable != NULL) + (size_t)(profile != NULL);
    patch->name = json_string_value(name);
    patch->password = json_string_value(password);
    patch->must_change = json_is_true(json_object_get(profile, "forceChangePasswordNextSignIn"));
    patch->enable = enable ? json_is_true(enable) : -1;
    return known == json_object_size(body) && known > 0 && (!name || json_is_string(name)) &&
           (!enable || json_is_boolean(enable)) && (!profile || json_is_string(password));
}

static void patch_apply(struct sim *sim, struct call *call, struct entry *user,
                        const struct patch *patch)
{
    struct store_clock clock = sim_clock(sim);
    if (user->synced == 1) {
        reply_error(call, 400, "Request_BadRequest",
                    "Unable to update the specified properties for on-premises mastered Directory "
                    "Sync objects or objects currently undergoing migration.");
        return;
    }
    if (patch->password && !password_is_strong(patch->password)) {
        reply_error(call, 400, "Request_BadRequest",
                    "The specified password does not comply with password complexity requirements. "
                    "Please provide a different password.");
        return;
    }
    enum store_verdict verdict = patch->name ? user_rename(user, patch->name) : STORE_DONE;
    reply_verdict(call, verdict);
    if (verdict != STORE_DONE)
        return;
    if (patch->password)
        user_set_password(user, patch->password, patch->must_change, &clock);
    if (patch->enable >= 0) {
        user->account_enabled = patch->enable;
        user->effects.enables++;
    }
}

void user_patch(struct sim *sim, struct call *call)
{
    struct entry *user = user_find(sim, call);
    json_t *body = user ? body_read(call) : NULL;
    if (!body)
        return;
    struct patch patch;
    if (patch_read(body, &patch))
        patch_apply(sim, call, user, &patch);
    else
        reply_error(call, 400, "Request_BadRequest",
                    "A property of the body is unknown, read-only or of the wrong type.");
    json_decref(body);
}

void user_manager(struct sim *sim, struct call *call)
{
    property_mask mask;
    const struct entry *user = user_find(sim, call);
    if (!user)
        return;
    const struct entry *manager =
        user->manager ? tenant_find_user(call->tenant, user->manager, sim->mono_ms) : NULL;
    if (!manager)
        reply_not_found(call, "manager");
    else if (reply_selection(call, KIND_USER, &mask))
        reply_entry(call, manager, mask, true);
}

#include "tests/directory_sim/load.h"

#include "tests/directory_sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double DAY_MS = 86400e3;

static struct entry *entry_new(enum entry_kind kind)
{
    struct entry *entry = memory_zeroed(sizeof *entry);
    entry->kind = kind;
    entry->account_enabled = kind == KIND_USER || kind == KIND_SERVICE_PRINCIPAL ? 1 : -1;
    entry->synced = -1;
    entry->created_ms = entry->deleted_ms = entry->password_changed_ms = TIME_NONE;
    return entry;
}

static void role_add(struct entry *user, enum role_way way, const char *template_id,
                     const char *scope)
{
    user->roles = realloc(user->roles, (user->n_roles + 1) * sizeof *user->roles);
    assert(user->roles);
    user->roles[user->n_roles++] = (struct role){way, text_dup(template_id), text_dup(scope)};
}

/* An array of template ids, or for scoped roles of {roleTemplateId, directoryScopeId}. */
static bool roles_load(struct entry *user, enum role_way way, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const json_t *id = way == ROLE_SCOPED ? json_object_get(item, "roleTemplateId") : item;
        const char *scope = json_string_value(json_object_get(item, "directoryScopeId"));
        if (!json_is_string(id) || (way == ROLE_SCOPED) != (scope != NULL))
            return false;
        role_add(user, way, json_string_value(id), scope);
    }
    return json_is_array(list);
}

static bool user_extra_load(const struct sim *sim, struct entry *user, const char *key,
                            const json_t *value)
{
    if (strcmp(key, "deletedDaysAgo") == 0) {
        double ago_ms = json_number_value(value) * DAY_MS;
        user->deleted_ms = sim_clock(sim).wall_ms - (int64_t)ago_ms;
        return json_is_number(value);
    }
    if (strcmp(key, "manager") == 0) {
        user->manager = text_dup(json_string_value(value));
        return user->manager != NULL;
    }
    if (strcmp(key, "roles") == 0)
        return roles_load(user, ROLE_DIRECT, value);
    if (strcmp(key, "roleGroups") == 0)
        return roles_load(user, ROLE_VIA_GROUP, value);
    if (strcmp(key, "scopedRoles") == 0)
        return roles_load(user, ROLE_SCOPED, value);
    return false;
}

static bool entries_load(struct sim *sim, struct tenant *tenant, enum entry_kind kind,
                         const json_t *list, char error[LOAD_ERROR_BYTES])
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        struct entry *entry = entry_new(kind);
        const char *key, *wrong = NULL;
        json_t *value;
        json_object_foreach(item, key, value)
        {
            bool good = property_load(entry, key, value) ||
                        (kind == KIND_USER && user_extra_load(sim, entry, key, value));
            wrong = good || wrong ? wrong : key;
        }
        if (!wrong && tenant_add(tenant, entry))
            continue;
        snprintf(error, LOAD_ERROR_BYTES, "%s, %s number %zu (%s): %s %s", tenant->id,
                 kind_type(kind) + 1, i, entry->id ? entry->id : "no id",
                 wrong ? "unknown or mistyped" : "no GUID, no name, or a known id",
                 wrong ? wrong : "");
        entry_free(entry);
        return false;
    }
    return true;
}

/* {"deleted": N, "prefix", "domain", "manager"}: users 0..N-1, in the bin since a day. */
static bool generate(struct sim *sim, struct tenant *tenant, const json_t *order)
{
    const char *prefix = json_string_value(json_object_get(order, "prefix"));
    const char *domain = json_string_value(json_object_get(order, "domain"));
    json_int_t n = json_integer_value(json_object_get(order, "deleted"));
    for (json_int_t i = 0; i < n; i++) {
        struct entry *user = entry_new(KIND_USER);
        struct buffer text[4] = {0};
        buffer_format(&text[0], "00000000-0000-4000-8000-%012llx", (unsigned long long)i);
        buffer_format(&text[1], "%s%06lld@%s", prefix ? prefix : "user", (long long)i,
                      domain ? domain : "contoso.com");
        buffer_format(&text[2], "User %06lld", (long long)i);
        buffer_format(&text[3], "SMTP:%s", text[1].bytes);
        user->id = text[0].bytes;
        user->name = text[1].bytes;
        user->mail = text_dup(user->name);
        user->display_name = text[2].bytes;
        text_list_add(&user->proxy_addresses, text[3].bytes);
        buffer_clear(&text[3]);
        user->manager = text_dup(json_string_value(json_object_get(order, "manager")));
        user->licences = 1;
        user->deleted_ms = sim_clock(sim).wall_ms - (int64_t)DAY_MS;
        user->created_ms = user->password_changed_ms = user->deleted_ms - 300 * (int64_t)DAY_MS;
        if (!tenant_add(tenant, user)) {
            entry_free(user);
            return false;
        }
    }
    return true;
}

bool load_objects(struct sim *sim, struct tenant *tenant, const json_t *from,
                  char error[LOAD_ERROR_BYTES])
{
    static const struct {
        const char *key;
        enum entry_kind kind;
    } lists[] = {{"users", KIND_USER},
                 {"groups", KIND_GROUP},
                 {"contacts", KIND_CONTACT},
                 {"servicePrincipals", KIND_SERVICE_PRINCIPAL}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (!entries_load(sim, tenant, lists[i].kind, json_object_get(from, lists[i].key), error))
            return false;
    }
    if (!generate(sim, tenant, json_object_get(from, "generate"))) {
        snprintf(error, LOAD_ERROR_BYTES, "%s: generate meets a known id", tenant->id);
        return false;
    }
    return true;
}

static void texts_load(struct text_list *list, const json_t *from)
{
    size_t i;
    json_t *item;
    json_array_foreach(from, i, item)
    {
        if (json_is_string(item))
            text_list_add(list, json_string_value(item));
    }
}

static struct tenant *tenant_load(const json_t *from)
{
    struct tenant *tenant = memory_zeroed(sizeof *tenant);
    tenant->id = text_dup(json_string_value(json_object_get(from, "id")));
    tenant->client_id = text_dup(json_string_value(json_object_get(from, "client_id")));
    tenant->client_secret = text_dup(json_string_value(json_object_get(from, "client_secret")));
    tenant->display_name = text_dup(json_string_value(json_object_get(from, "displayName")));
    texts_load(&tenant->domains, json_object_get(from, "domains"));
    texts_load(&tenant->permissions, json_object_get(from, "permissions"));
    return tenant;
}

bool load_directory(struct sim *sim, const json_t *root, char error[LOAD_ERROR_BYTES])
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(root, "tenants"), i, item)
    {
        if (sim->n_tenants == TENANTS_MAX) {
            snprintf(error, LOAD_ERROR_BYTES, "more than %d tenants", TENANTS_MAX);
            return false;
        }
        struct tenant *tenant = tenant_load(item);
        sim->tenants[sim->n_tenants++] = tenant;
        if (!tenant->id || !tenant->client_id) {
            snprintf(error, LOAD_ERROR_BYTES, "tenant number %zu: no id or no client_id", i);
            return false;
        }
        if (!load_objects(sim, tenant, item, error))
            return false;
    }
    json_t *latency = json_object_get(root, "latency_ms");
    sim->options.latency_ms = json_integer_value(latency);
    return true;
}

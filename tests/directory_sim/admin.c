#include "tests/directory_sim/admin.h"

#include "tests/directory_sim/graph.h"
#include "tests/directory_sim/load.h"

#include <stdlib.h>
#include <string.h>

static void reply_done(struct call *call, const char *key, int64_t value)
{
    buffer_text(&call->reply, "{");
    json_number_pair(&call->reply, key, value);
    buffer_text(&call->reply, "}");
}

static void reply_wrong(struct call *call, int status, const char *text)
{
    buffer_clear(&call->reply);
    call->status = status;
    buffer_text(&call->reply, "{");
    json_pair(&call->reply, "error", text);
    buffer_text(&call->reply, "}");
}

static void faults_post(struct sim *sim, struct call *call, const json_t *body)
{
    const char *wrong = fault_add(sim, body);
    if (wrong)
        reply_wrong(call, 400, wrong);
    else
        reply_done(call, "id", sim->faults.last_id);
}

static void faults_get(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    faults_write(&sim->faults, call);
}

static void faults_delete(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    reply_done(call, "cleared", sim->faults.n);
    faults_clear(&sim->faults);
}

static void latency_put(struct sim *sim, struct call *call, const json_t *body)
{
    sim->options.latency_ms = json_integer_value(json_object_get(body, "ms"));
    reply_done(call, "ms", sim->options.latency_ms);
}

static void options_put(struct sim *sim, struct call *call, const json_t *body)
{
    const struct {
        const char *name;
        int64_t *value;
    } options[] = {{"clash_status", &sim->options.clash_status},
                   {"visible_lag_ms", &sim->options.visible_lag_ms},
                   {"bin_lag_ms", &sim->options.bin_lag_ms},
                   {"token_lifetime_s", &sim->options.token_lifetime_s},
                   {"clock_offset_ms", &sim->options.clock_offset_ms}};
    size_t known = 0;
    buffer_text(&call->reply, "{");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const json_t *value = json_object_get(body, options[i].name);
        if (json_is_integer(value)) {
            *options[i].value = json_integer_value(value);
            known++;
        }
        json_number_pair(&call->reply, options[i].name, *options[i].value);
    }
    buffer_text(&call->reply, "}");
    if (known != json_object_size(body))
        reply_wrong(call, 400, "an option is unknown or no integer");
}

static void tokens_delete(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    reply_done(call, "expired", (int64_t)sim->tokens.by_text.n);
    tokens_expire(&sim->tokens);
}

static const struct {
    const char *name;
    size_t offset;
} effect_counts[] = {{"restores", offsetof(struct effects, restores)},
                     {"passwords", offsetof(struct effects, passwords)},
                     {"renames", offsetof(struct effects, renames)},
                     {"enables", offsetof(struct effects, enables)},
                     {"deletes", offsetof(struct effects, deletes)},
                     {"purges", offsetof(struct effects, purges)}};
enum { EFFECT_COUNTS = sizeof effect_counts / sizeof *effect_counts };

static int64_t effect_count(const struct entry *entry, size_t i)
{
    return *(const int64_t *)((const char *)&entry->effects + effect_counts[i].offset);
}

static void effects_write(struct buffer *reply, const struct entry *entry)
{
    buffer_text(reply, "{");
    for (size_t i = 0; i < EFFECT_COUNTS; i++)
        json_number_pair(reply, effect_counts[i].name, effect_count(entry, i));
    if (entry->effects.password) {
        json_pair(reply, "password", entry->effects.password);
        json_key(reply, "mustChange");
        buffer_text(reply, entry->effects.must_change ? "true" : "false");
    }
    json_pair(reply, "userPrincipalName", entry->name);
    buffer_text(reply, "}");
}

static void effects_get(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    struct buffer *reply = &call->reply;
    int64_t totals[EFFECT_COUNTS] = {0};
    buffer_text(reply, "{\"users\":{");
    for (size_t t = 0; t < sim->n_tenants; t++) {
        for (size_t i = 0; i < sim->tenants[t]->n_entries; i++) {
            const struct entry *entry = sim->tenants[t]->entries[i];
            int64_t any = 0;
            for (size_t e = 0; e < EFFECT_COUNTS; e++) {
                totals[e] += effect_count(entry, e);
                any += effect_count(entry, e);
            }
            if (any) {
                json_key(reply, entry->id);
                effects_write(reply, entry);
            }
        }
    }
    buffer_text(reply, "},\"totals\":{");
    for (size_t e = 0; e < EFFECT_COUNTS; e++)
        json_number_pair(reply, effect_counts[e].name, totals[e]);
    buffer_text(reply, "}}");
}

static void effects_get_one(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    for (size_t t = 0; t < sim->n_tenants; t++) {
        const struct entry *entry = tenant_find(sim->tenants[t], call->capture);
        if (entry) {
            effects_write(&call->reply, entry);
            return;
        }
    }
    reply_wrong(call, 404, "no object has this id");
}

static void calls_get(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    calls_list(sim, call);
}

static void counts_get(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    calls_count(sim, call);
}

static void counts_delete(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    calls_forget(sim);
    reply_done(call, "since", (int64_t)sim->calls.n);
}

static void users_post(struct sim *sim, struct call *call, const json_t *body)
{
    char error[LOAD_ERROR_BYTES];
    const char *id = json_string_value(json_object_get(body, "tenant"));
    struct tenant *tenant = id ? sim_tenant(sim, id) : sim->tenants[0];
    if (!tenant)
        reply_wrong(call, 400, "no such tenant");
    else if (!load_objects(sim, tenant, body, error))
        reply_wrong(call, 400, error);
    else
        reply_done(call, "objects", (int64_t)tenant->n_entries);
}

static int id_compare(const void *left, const void *right)
{
    const struct entry *const *a = left, *const *b = right;
    return strcmp((*a)->id, (*b)->id);
}

static void state_write_tenant(struct buffer *reply, const struct tenant *tenant)
{
    struct entry **sorted = memory_zeroed((tenant->n_entries + 1) * sizeof *sorted);
    for (size_t i = 0; i < tenant->n_entries; i++)
        sorted[i] = tenant->entries[i];
    qsort(sorted, tenant->n_entries, sizeof *sorted, id_compare);
    json_comma(reply);
    buffer_text(reply, "{");
    json_pair(reply, "id", tenant->id);
    json_key(reply, "objects");
    buffer_text(reply, "[");
    for (size_t i = 0; i < tenant->n_entries; i++) {
        if (sorted[i]->state == STATE_GONE)
            continue;
        json_comma(reply);
        buffer_text(reply, "\n{");
        json_pair(reply, "@odata.type", kind_type(sorted[i]->kind));
        property_write(reply, sorted[i], property_every(sorted[i]->kind));
        buffer_text(reply, "}");
    }
    buffer_text(reply, "]}");
    free(sorted);
}

static void state_get(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    buffer_text(&call->reply, "{\"tenants\":[");
    for (size_t t = 0; t < sim->n_tenants; t++)
        state_write_tenant(&call->reply, sim->tenants[t]);
    buffer_text(&call->reply, "]}\n");
}

static void release_post(struct sim *sim, struct call *call, const json_t *body)
{
    (void)body;
    reply_done(call, "released", calls_release(sim));
}

static const struct {
    const char *method, *pattern;
    void (*serve)(struct sim *sim, struct call *call, const json_t *body);
} routes[] = {
    {"POST", "/admin/faults", faults_post},     {"GET", "/admin/faults", faults_get},
    {"DELETE", "/admin/faults", faults_delete}, {"PUT", "/admin/latency", latency_put},
    {"PUT", "/admin/options", options_put},     {"DELETE", "/admin/tokens", tokens_delete},
    {"GET", "/admin/effects", effects_get},     {"GET", "/admin/effects/{}", effects_get_one},
    {"GET", "/admin/calls", calls_get},         {"GET", "/admin/calls/counts", counts_get},
    {"DELETE", "/admin/calls", counts_delete},  {"POST", "/admin/users", users_post},
    {"GET", "/admin/state", state_get},         {"POST", "/admin/release", release_post},
};

void admin_serve(struct sim *sim, struct call *call)
{
    json_t *body = call->body.n
                       ? json_loadb(call->body.bytes, call->body.n, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    call->status = 200;
    size_t i = 0;
    for (; i < sizeof routes / sizeof *routes && !call->capture; i++) {
        if (strcmp(routes[i].method, call->method) == 0)
            call->capture = pattern_match(routes[i].pattern, call->path);
    }
    if (!call->capture)
        reply_wrong(call, 404, "no such admin path and method");
    else if (call->body.n && !json_is_object(body))
        reply_wrong(call, 400, "the body is no JSON object");
    else
        routes[i - 1].serve(sim, call, body);
    call_add_header(call, "Content-Type", "application/json");
    json_decref(body);
}

#include "tests/directory_sim/calls.h"

#include "tests/directory_sim/graph.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A Retry-After given to a client, for one call path or for its tenant: it may not come again
 * inside it. */
struct hold {
    int64_t from_mono_ms, until_mono_ms;
};

static struct call_record *record_of(const struct calls *calls, uint64_t n)
{
    return &calls->ring[n % CALLS_KEPT];
}

enum hold_scope { HOLD_PATH, HOLD_TENANT };

static struct hold *hold_find(const struct calls *calls, const struct call *call,
                              enum hold_scope scope, bool make)
{
    struct buffer key = {0};
    if (scope == HOLD_PATH)
        buffer_format(&key, "%s %s %s", call->client, call->method, call->target);
    else
        buffer_format(&key, "%s tenant %s", call->client, call->tenant->id);
    struct index_node *node = index_first(&calls->holds, key.bytes);
    struct hold *hold = node ? node->value : NULL;
    if (!hold && make && calls->holds.n < HOLDS_MAX) {
        hold = memory_zeroed(sizeof *hold);
        index_add((struct index *)&calls->holds, key.bytes, hold);
    }
    buffer_clear(&key);
    return hold;
}

static bool is_undercut(const struct hold *hold, int64_t mono_ms)
{
    return hold && mono_ms >= hold->from_mono_ms + UNDER_WAY_MS && mono_ms < hold->until_mono_ms;
}

void calls_arrive(struct sim *sim, struct call *call)
{
    struct calls *calls = &sim->calls;
    if (!calls->ring)
        calls->ring = memory_zeroed(CALLS_KEPT * sizeof *calls->ring);
    const char *user = call->user ? call->user : "";
    size_t target_n = strlen(call->target) + 1, user_n = strlen(user) + 1;
    struct call_record *record = record_of(calls, ++calls->n);
    free(record->texts);
    *record = (struct call_record){.at_ms = sim->wall_ms,
                                   .tenant = call->tenant ? call->tenant->id : NULL,
                                   .authorised = call->authorised};
    size_t id_n = strlen(call->client_request_id) + 1;
    record->texts = memory_zeroed(target_n + user_n + id_n + sizeof call->client);
    memcpy(record->texts, call->target, target_n);
    memcpy(record->texts + target_n, user, user_n);
    memcpy(record->texts + target_n + user_n, call->client_request_id, id_n);
    memcpy(record->texts + target_n + user_n + id_n, call->client, sizeof call->client);
    memcpy(record->method, call->method, sizeof record->method);
    call->n = calls->n;
    calls->per_route[route_number(call->route)]++;
    if (++calls->in_flight > calls->in_flight_max)
        calls->in_flight_max = calls->in_flight;
    if (calls->holds.n == 0)
        return;
    calls->undercut_path += is_undercut(hold_find(calls, call, HOLD_PATH, false), sim->mono_ms);
    if (call->tenant)
        calls->undercut_tenant +=
            is_undercut(hold_find(calls, call, HOLD_TENANT, false), sim->mono_ms);
}

/* Retry-After as seconds, whole or not, or as an HTTP date; 0 when it says nothing. */
static int64_t retry_after_ms(const struct sim *sim, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end != text && !*end)
        return seconds > 0 && seconds < 1e9 ? (int64_t)(seconds * 1000) : 0;
    struct tm tm = {0};
    if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return 0;
    return (int64_t)timegm(&tm) * 1000 - sim_clock(sim).wall_ms;
}

static const char *reply_header_value(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->n_headers; i++) {
        if (text_same(call->header[i].name, name))
            return call->header[i].value;
    }
    return NULL;
}

void calls_answer(struct sim *sim, struct call *call)
{
    struct calls *calls = &sim->calls;
    if (calls->n - call->n < CALLS_KEPT)
        record_of(calls, call->n)->status = call->status;
    const char *text = reply_header_value(call, "Retry-After");
    int64_t wait_ms = text && !call->drop ? retry_after_ms(sim, text) : 0;
    if (wait_ms <= 0)
        return;
    /* For the whole tenant when the scope says so (directory-api 7.2), else for this call. */
    const char *scope = reply_header_value(call, "x-ms-throttle-scope");
    bool for_all =
        call->tenant && scope &&
        (strncasecmp(scope, "Tenant", 6) == 0 || strncasecmp(scope, "Application", 11) == 0);
    struct hold *hold = hold_find(calls, call, for_all ? HOLD_TENANT : HOLD_PATH, true);
    if (hold)
        *hold = (struct hold){sim->mono_ms, sim->mono_ms + wait_ms};
}

void calls_leave(struct sim *sim, struct call *call)
{
    if (call->n)
        sim->calls.in_flight--;
}

void calls_list(struct sim *sim, struct call *call)
{
    const struct calls *calls = &sim->calls;
    struct buffer *reply = &call->reply;
    const char *since = call_query(call, "since");
    uint64_t dropped = calls->n > CALLS_KEPT ? calls->n - CALLS_KEPT : 0;
    uint64_t n = since ? strtoull(since, NULL, 10) : 0;
    buffer_text(reply, "{");
    json_number_pair(reply, "dropped", (int64_t)dropped);
    json_key(reply, "calls");
    buffer_text(reply, "[");
    for (n = (n > dropped ? n : dropped) + 1; n <= calls->n; n++) {
        const struct call_record *record = record_of(calls, n);
        const char *user = record->texts + strlen(record->texts) + 1;
        json_comma(reply);
        buffer_text(reply, "{");
        json_number_pair(reply, "n", (int64_t)n);
        json_number_pair(reply, "at_ms", record->at_ms);
        json_pair(reply, "tenant", record->tenant);
        json_pair(reply, "method", record->method);
        json_pair(reply, "path", record->texts);
        json_number_pair(reply, "status", record->status);
        json_pair(reply, "user", *user ? user : NULL);
        const char *id = user + strlen(user) + 1;
        json_pair(reply, "client_request_id", id);
        json_pair(reply, "client", id + strlen(id) + 1);
        json_key(reply, "authorization");
        buffer_text(reply, record->authorised ? "true}" : "false}");
    }
    buffer_text(reply, "]}");
}

void calls_count(struct sim *sim, struct call *call)
{
    const struct calls *calls = &sim->calls;
    struct buffer *reply = &call->reply;
    buffer_text(reply, "{\"calls\":{");
    for (size_t i = 0; route_at(i); i++) {
        if (!calls->per_route[i])
            continue;
        struct buffer name = {0};
        buffer_format(&name, "%s %s", route_at(i)->method, route_at(i)->pattern);
        json_number_pair(reply, name.bytes, (int64_t)calls->per_route[i]);
        buffer_clear(&name);
    }
    json_number_pair(reply, "other", (int64_t)calls->per_route[ROUTES_MAX]);
    buffer_text(reply, "}");
    json_number_pair(reply, "total", (int64_t)calls->n);
    json_number_pair(reply, "in_flight", calls->in_flight);
    json_number_pair(reply, "in_flight_max", calls->in_flight_max);
    json_key(reply, "retry_after_undercut");
    buffer_text(reply, "{");
    json_number_pair(reply, "path", (int64_t)calls->undercut_path);
    json_number_pair(reply, "tenant", (int64_t)calls->undercut_tenant);
    buffer_text(reply, "}}");
}

void calls_forget(struct sim *sim)
{
    struct calls *calls = &sim->calls;
    memset(calls->per_route, 0, sizeof calls->per_route);
    calls->in_flight_max = calls->in_flight;
    calls->undercut_path = calls->undercut_tenant = 0;
    index_clear(&calls->holds, free);
}

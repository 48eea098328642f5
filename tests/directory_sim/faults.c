#include "tests/directory_sim/faults.h"

#include "tests/directory_sim/graph.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {[FAULT_ANSWER] = "answer",
                                    [FAULT_RESET] = "reset",
                                    [FAULT_HANG] = "hang",
                                    [FAULT_DELAY] = "delay"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void fault_free(struct fault *fault)
{
    free(fault->method);
    free(fault->path);
    free(fault->target);
    free(fault->user);
    free(fault->tenant);
    free(fault->code);
    json_decref(fault->headers);
    json_decref(fault->body);
    free(fault);
}

void faults_clear(struct faults *faults)
{
    for (struct fault *fault = faults->first, *next; fault; fault = next) {
        next = fault->next;
        fault_free(fault);
    }
    faults->first = NULL;
    faults->n = 0;
}

/* The code that Graph gives with a status, when the order names none. */
static const char *status_code(int status)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {{400, "Request_BadRequest"},
                 {401, "InvalidAuthenticationToken"},
                 {403, "Authorization_RequestDenied"},
                 {404, "Request_ResourceNotFound"},
                 {409, "Directory_ConcurrencyViolation"},
                 {429, "TooManyRequests"},
                 {500, "Service_InternalServerError"},
                 {503, "serviceNotAvailable"}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].status == status)
            return codes[i].code;
    }
    return "UnknownError";
}

static const char *order_check(const struct sim *sim, const json_t *order, size_t *kind)
{
    static const char *const known[] = {"method",     "path",     "user",   "tenant", "when",
                                        "target",     "kind",     "status", "code",   "body",
                                        "fill_bytes", "delay_ms", "times",  "for_ms", "headers"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)order, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= strcmp(known[i], key) == 0;
        if (!found)
            return "unknown key in the fault";
    }
    const char *name = json_string_value(json_object_get(order, "kind"));
    for (*kind = 0; *kind < KINDS && !(name && strcmp(kinds[*kind], name) == 0);)
        ++*kind;
    const char *when = json_string_value(json_object_get(order, "when"));
    if (*kind == KINDS)
        return "kind is one of answer, reset, hang, delay";
    if (when && strcmp(when, "before") != 0 && strcmp(when, "after") != 0)
        return "when is before or after";
    return sim->faults.n >= FAULTS_MAX ? "too many faults" : NULL;
}

static char *order_text(const json_t *order, const char *key)
{
    return text_dup(json_string_value(json_object_get(order, key)));
}

const char *fault_add(struct sim *sim, const json_t *order)
{
    size_t kind;
    const char *wrong = order_check(sim, order, &kind);
    if (wrong)
        return wrong;
    struct fault *fault = memory_zeroed(sizeof *fault);
    const json_t *status = json_object_get(order, "status"),
                 *times = json_object_get(order, "times");
    const json_t *for_ms = json_object_get(order, "for_ms");
    const char *when = json_string_value(json_object_get(order, "when"));
    fault->id = ++sim->faults.last_id;
    fault->kind = (enum fault_kind)kind;
    fault->method = order_text(order, "method");
    fault->path = order_text(order, "path");
    fault->target = order_text(order, "target");
    fault->user = order_text(order, "user");
    fault->tenant = order_text(order, "tenant");
    fault->code = order_text(order, "code");
    fault->after = when && strcmp(when, "after") == 0;
    fault->status = status ? (int)json_integer_value(status) : 503;
    fault->headers = json_incref(json_object_get(order, "headers"));
    fault->body = json_incref(json_object_get(order, "body"));
    fault->fill_bytes = json_integer_value(json_object_get(order, "fill_bytes"));
    fault->delay_ms = json_integer_value(json_object_get(order, "delay_ms"));
    fault->times_left = times ? json_integer_value(times) : for_ms ? -1 : 1;
    fault->until_mono_ms = for_ms ? sim->mono_ms + json_integer_value(for_ms) : INT64_MAX;
    struct fault **end = &sim->faults.first;
    while (*end)
        end = &(*end)->next;
    *end = fault;
    sim->faults.n++;
    return NULL;
}

static bool fault_fits(const struct fault *fault, const struct call *call)
{
    return (!fault->method || strcmp(fault->method, call->method) == 0) &&
           (!fault->path || strstr(call->path, fault->path)) &&
           (!fault->target || strstr(call->target, fault->target)) &&
           (!fault->user || text_same(fault->user, call->user)) &&
           (!fault->tenant || (call->tenant && text_same(fault->tenant, call->tenant->id)));
}

const struct fault *faults_take(struct sim *sim, const struct call *call)
{
    for (struct fault *fault = sim->faults.first; fault; fault = fault->next) {
        if (!fault->times_left || sim->mono_ms >= fault->until_mono_ms || !fault_fits(fault, call))
            continue;
        fault->hits++;
        if (fault->times_left > 0)
            fault->times_left--;
        return fault;
    }
    return NULL;
}

void fault_answer(const struct fault *fault, struct call *call)
{
    static const char blanks[] = "                                                                ";
    const char *name, *raw = json_string_value(fault->body);
    json_t *value;
    if (raw || fault->body) {
        char *text = raw ? text_dup(raw) : json_dumps(fault->body, JSON_COMPACT);
        buffer_clear(&call->reply);
        buffer_text(&call->reply, text);
        call->status = fault->status;
        free(text);
    } else {
        reply_error(call, fault->status, fault->code ? fault->code : status_code(fault->status),
                    "Ordered by a test.");
    }
    for (int64_t n = fault->fill_bytes; n > 0; n -= (int64_t)sizeof blanks - 1)
        buffer_add(&call->reply, blanks,
                   n < (int64_t)sizeof blanks ? (size_t)n : sizeof blanks - 1);
    reply_standard_headers(call->sim, call);
    json_object_foreach(fault->headers, name, value)
    {
        if (json_is_string(value))
            call_add_header(call, name, json_string_value(value));
    }
}

void faults_write(const struct faults *faults, struct call *call)
{
    struct buffer *reply = &call->reply;
    buffer_text(reply, "{\"faults\":[");
    for (const struct fault *fault = faults->first; fault; fault = fault->next) {
        json_comma(reply);
        buffer_text(reply, "{");
        json_number_pair(reply, "id", fault->id);
        json_pair(reply, "kind", kinds[fault->kind]);
        json_pair(reply, "method", fault->method);
        json_pair(reply, "path", fault->path);
        json_pair(reply, "target", fault->target);
        json_pair(reply, "user", fault->user);
        json_pair(reply, "tenant", fault->tenant);
        json_number_pair(reply, "times_left", fault->times_left);
        json_number_pair(reply, "hits", fault->hits);
        buffer_text(reply, "}");
    }
    buffer_text(reply, "]}");
}

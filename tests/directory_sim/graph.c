#include "tests/directory_sim/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* First match wins, so the exact paths stand before those with a variable part. */
static const struct route routes[] = {
    {"POST", "/{}/oauth2/v2.0/token", token_issue, true},
    {"GET", "/metadata/identity/oauth2/token", token_identity, true},
    {"GET", "/v1.0/directory/deletedItems/microsoft.graph.user", bin_list, false},
    {"GET", "/v1.0/directory/deletedItems/{}/microsoft.graph.user", bin_get, false},
    {"GET", "/v1.0/directory/deletedItems/{}", bin_get_object, false},
    {"POST", "/v1.0/directory/deletedItems/{}/restore", bin_restore, false},
    {"DELETE", "/v1.0/directory/deletedItems/{}", bin_purge, false},
    {"GET", "/v1.0/users", users_list, false},
    {"GET", "/v1.0/users/{}", user_get, false},
    {"PATCH", "/v1.0/users/{}", user_patch, false},
    {"DELETE", "/v1.0/users/{}", user_remove, false},
    {"GET", "/v1.0/users/{}/manager", user_manager, false},
    {"GET", "/v1.0/users/{}/memberOf/microsoft.graph.directoryRole", user_roles, false},
    {"GET", "/v1.0/users/{}/transitiveMemberOf/microsoft.graph.directoryRole",
     user_roles_transitive, false},
    {"GET", "/v1.0/roleManagement/directory/roleAssignments", assignments_list, false},
    {"GET", "/v1.0/groups", groups_list, false},
    {"GET", "/v1.0/contacts", contacts_list, false},
    {"GET", "/v1.0/servicePrincipals(appId='{}')", principal_get, false},
    {"GET", "/v1.0/servicePrincipals", principals_list, false},
    {"GET", "/v1.0/organization", organization_list, false},
};
enum { ROUTES = sizeof routes / sizeof *routes };
_Static_assert((int)ROUTES <= (int)ROUTES_MAX, "struct calls counts per route");

size_t route_number(const struct route *route)
{
    return route ? (size_t)(route - routes) : ROUTES_MAX;
}

const struct route *route_at(size_t number)
{
    return number < ROUTES ? &routes[number] : NULL;
}

char *pattern_match(const char *pattern, const char *path)
{
    const char *hole = strstr(pattern, "{}");
    if (!hole)
        return strcmp(pattern, path) == 0 ? text_dup("") : NULL;
    size_t before = (size_t)(hole - pattern), after = strlen(hole + 2), n = strlen(path);
    if (n <= before + after || strncmp(path, pattern, before) != 0 ||
        strcmp(path + n - after, hole + 2) != 0)
        return NULL;
    char *part = strndup(path + before, n - before - after);
    if (part && strchr(part, '/')) {
        free(part);
        return NULL;
    }
    return part;
}

/* /users('o''neil@x')/… means /users/o'neil@x/… (OData keys; needed for names that begin with
 * "$", directory-api 2.3). */
static void path_plain_key(char *path)
{
    static const char open[] = "/v1.0/users('";
    if (strncmp(path, open, sizeof open - 1) != 0)
        return;
    char *to = path + sizeof open - 3;
    const char *from = path + sizeof open - 1;
    *to++ = '/';
    for (; *from && strncmp(from, "')", 2) != 0; from++) {
        *to++ = *from;
        from += strncmp(from, "''", 2) == 0;
    }
    from += *from ? 2 : 0;
    memmove(to, from, strlen(from) + 1);
}

static void route_find(struct call *call)
{
    for (size_t i = 0; i < ROUTES; i++) {
        char *part = pattern_match(routes[i].pattern, call->path);
        if (!part)
            continue;
        call->path_known = true;
        if (strcmp(routes[i].method, call->method) == 0) {
            call->route = &routes[i];
            call->capture = part;
            return;
        }
        free(part);
    }
}

void graph_identify(struct sim *sim, struct call *call)
{
    const char *authorization = call_header(call, "Authorization");
    const char *id = call_header(call, "client-request-id");
    call->authorised = authorization != NULL;
    call->tenant = token_tenant(sim, authorization);
    sim_guid(sim, call->request_id);
    snprintf(call->client_request_id, sizeof call->client_request_id, "%s",
             id ? id : call->request_id);
    path_plain_key(call->path);
    route_find(call);
    if (!call->route)
        return;
    if (call->route->open) {
        call->tenant = sim_tenant(sim, call->capture);
    } else if (*call->capture) {
        const struct entry *user =
            call->tenant ? tenant_find_user(call->tenant, call->capture, sim->mono_ms) : NULL;
        call->user = text_dup(user ? user->id : call->capture);
    }
}

void reply_standard_headers(struct sim *sim, struct call *call)
{
    static const char json[] = "application/json;odata.metadata=minimal;odata.streaming=true;"
                               "IEEE754Compatible=false;charset=utf-8";
    time_t wall_s = (time_t)(sim_clock(sim).wall_ms / 1000);
    struct tm tm;
    char date[40];
    gmtime_r(&wall_s, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    call_add_header(call, "Date", date);
    call_add_header(call, "request-id", call->request_id);
    call_add_header(call, "client-request-id", call->client_request_id);
    if (call->reply.n)
        call_add_header(call, "Content-Type", json);
}

void graph_serve(struct sim *sim, struct call *call)
{
    if (!call->route && call->path_known)
        reply_error(call, 405, "Request_BadRequest",
                    "Specified HTTP method is not allowed for the request target.");
    else if (!call->route)
        reply_error(call, 404, "BadRequest", "Resource not found for the segment '%s'.",
                    strrchr(call->path, '/') ? strrchr(call->path, '/') + 1 : call->path);
    else if (!call->route->open && !call->tenant)
        reply_error(call, 401, "InvalidAuthenticationToken", "%s",
                    call->authorised ? "Access token has expired or is not yet valid."
                                     : "Access token is empty.");
    else
        call->route->serve(sim, call);
    if (call->status == 401)
        call_add_header(call, "WWW-Authenticate",
                        "Bearer realm=\"\", authorization_uri=\"/common/oauth2/authorize\"");
    reply_standard_headers(sim, call);
}

#include "tests/directory_sim/token.h"

#include "tests/directory_sim/graph.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct token {
    char *text;
    struct tenant *tenant;
    int64_t expires_mono_ms;
};

static void token_free(void *value)
{
    struct token *token = value;
    free(token->text);
    free(token);
}

void tokens_expire(struct tokens *tokens)
{
    index_clear(&tokens->by_text, token_free);
}

struct tenant *token_tenant(const struct sim *sim, const char *authorization)
{
    if (!authorization || strncmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    const char *text = authorization + 7;
    struct index_node *node = index_first(&sim->tokens.by_text, text);
    const struct token *token = node ? node->value : NULL;
    bool good = token && strcmp(token->text, text) == 0 && sim->mono_ms < token->expires_mono_ms;
    return good ? token->tenant : NULL;
}

/* The decoded value of one field of a form, to be freed; NULL if absent. */
static char *form_field(const char *form, const char *name)
{
    size_t name_n = strlen(name);
    for (; form && *form; form = strchr(form, '&') ? strchr(form, '&') + 1 : NULL) {
        if (strncmp(form, name, name_n) != 0 || form[name_n] != '=')
            continue;
        const char *value = form + name_n + 1;
        char *text = memory_zeroed(strcspn(value, "&") + 1);
        memcpy(text, value, strcspn(value, "&"));
        for (char *p = text; *p; p++) {
            if (*p == '+')
                *p = ' ';
        }
        MHD_http_unescape(text);
        return text;
    }
    return NULL;
}

static void base64url(struct buffer *to, const struct buffer *from)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = (const unsigned char *)from->bytes;
    for (size_t i = 0; i < from->n; i += 3) {
        size_t left = from->n - i;
        unsigned v = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
        char text[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
        buffer_add(to, text, left > 2 ? 4 : left + 1);
    }
}

/* A JWT in shape, because clients read the `roles` claim of their own token; its signature is the
 * random part by which it is known. */
static void token_print(struct sim *sim, const struct tenant *tenant, struct buffer *text)
{
    struct buffer header = {0}, claims = {0};
    int64_t wall_s = sim_clock(sim).wall_ms / 1000;
    buffer_text(&header, "{\"typ\":\"JWT\",\"alg\":\"RS256\"}");
    buffer_text(&claims, "{");
    json_pair(&claims, "aud", "https://graph.microsoft.com");
    json_pair(&claims, "tid", tenant->id);
    json_pair(&claims, "appid", tenant->client_id);
    json_number_pair(&claims, "nbf", wall_s);
    json_number_pair(&claims, "exp", wall_s + sim->options.token_lifetime_s);
    json_key(&claims, "roles");
    buffer_text(&claims, "[");
    for (size_t i = 0; i < tenant->permissions.n; i++)
        json_text(&claims, tenant->permissions.at[i]);
    buffer_text(&claims, "]}");
    base64url(text, &header);
    buffer_text(text, ".");
    base64url(text, &claims);
    buffer_format(text, ".%016llx%016llx", (unsigned long long)sim_random(sim),
                  (unsigned long long)sim_random(sim));
    buffer_clear(&header);
    buffer_clear(&claims);
}

/* A number, or for the metadata service the same as a string. */
static void seconds_pair(struct call *call, bool as_text, const char *key, int64_t seconds)
{
    json_key(&call->reply, key);
    buffer_format(&call->reply, as_text ? "\"%lld\"" : "%lld", (long long)seconds);
}

static void token_grant(struct sim *sim, struct call *call, struct tenant *tenant, bool as_text)
{
    if (sim->tokens.by_text.n >= TOKENS_MAX)
        tokens_expire(&sim->tokens);
    struct buffer text = {0};
    token_print(sim, tenant, &text);
    struct token *token = memory_zeroed(sizeof *token);
    token->text = text.bytes;
    token->tenant = tenant;
    token->expires_mono_ms = sim->mono_ms + sim->options.token_lifetime_s * 1000;
    index_add(&sim->tokens.by_text, token->text, token);
    call->status = 200;
    buffer_text(&call->reply, "{");
    json_pair(&call->reply, "token_type", "Bearer");
    seconds_pair(call, as_text, "expires_in", sim->options.token_lifetime_s);
    seconds_pair(call, as_text, "ext_expires_in", sim->options.token_lifetime_s);
    json_pair(&call->reply, "access_token", token->text);
    buffer_text(&call->reply, "}");
}

enum refusal { GRANTED, NO_TENANT, NO_CLIENT, WRONG_GRANT, WRONG_SCOPE, WRONG_SECRET, NO_PROOF };

static void token_refuse(struct sim *sim, struct call *call, enum refusal refusal)
{
    static const struct {
        int status, number;
        const char *error, *text;
    } refusals[] = {
        [NO_TENANT] = {400, 90002, "invalid_request", "Tenant not found."},
        [NO_CLIENT] = {400, 700016, "unauthorized_client",
                       "Application was not found in the directory."},
        [WRONG_GRANT] = {400, 70003, "unsupported_grant_type", "The grant type is not supported."},
        [WRONG_SCOPE] = {400, 70011, "invalid_scope", "The provided scope is not valid."},
        [WRONG_SECRET] = {401, 7000215, "invalid_client", "Invalid client secret provided."},
        [NO_PROOF] = {401, 7000216, "invalid_client",
                      "'client_assertion', 'client_secret' or 'request' is required."},
    };
    struct buffer *reply = &call->reply;
    struct buffer text = {0};
    char correlation[REQUEST_ID_BYTES];
    sim_guid(sim, correlation);
    buffer_format(&text, "AADSTS%d: %s Trace ID: %s Correlation ID: %s", refusals[refusal].number,
                  refusals[refusal].text, call->request_id, correlation);
    call->status = refusals[refusal].status;
    buffer_text(reply, "{");
    json_pair(reply, "error", refusals[refusal].error);
    json_pair(reply, "error_description", text.bytes);
    json_key(reply, "error_codes");
    buffer_format(reply, "[%d]", refusals[refusal].number);
    json_key(reply, "timestamp");
    json_time(reply, sim_clock(sim).wall_ms);
    json_pair(reply, "trace_id", call->request_id);
    json_pair(reply, "correlation_id", correlation);
    buffer_text(reply, "}");
    buffer_clear(&text);
}

/* Three non-empty parts of base64url: the signature is not looked at. */
static bool assertion_is_well_formed(const char *text)
{
    int dots = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '.' && (p == text || !p[1] || p[1] == '.'))
            return false;
        dots += *p == '.';
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            return false;
    }
    return dots == 2;
}

static bool proof_is_good(const struct tenant *tenant, const char *form, bool *present)
{
    char *secret = form_field(form, "client_secret");
    char *assertion = form_field(form, "client_assertion");
    char *type = form_field(form, "client_assertion_type");
    bool good = secret && tenant->client_secret && strcmp(secret, tenant->client_secret) == 0;
    if (assertion)
        good = assertion_is_well_formed(assertion) && type &&
               strcmp(type, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") == 0;
    *present = secret || assertion;
    free(secret);
    free(assertion);
    free(type);
    return good;
}

void token_issue(struct sim *sim, struct call *call)
{
    const char *form = call->body.bytes ? call->body.bytes : "";
    struct tenant *tenant = sim_tenant(sim, call->capture);
    char *grant = form_field(form, "grant_type");
    char *client = form_field(form, "client_id");
    char *scope = form_field(form, "scope");
    const char *end = "/.default";
    size_t scope_n = scope ? strlen(scope) : 0;
    bool proof = false;
    enum refusal refusal = GRANTED;
    if (!tenant)
        refusal = NO_TENANT;
    else if (!grant || strcmp(grant, "client_credentials") != 0)
        refusal = WRONG_GRANT;
    else if (!text_same(client, tenant->client_id))
        refusal = NO_CLIENT;
    else if (scope_n < strlen(end) || strcmp(scope + scope_n - strlen(end), end) != 0)
        refusal = WRONG_SCOPE;
    else if (!proof_is_good(tenant, form, &proof))
        refusal = proof ? WRONG_SECRET : NO_PROOF;
    if (refusal == GRANTED)
        token_grant(sim, call, tenant, false);
    else
        token_refuse(sim, call, refusal);
    free(grant);
    free(client);
    free(scope);
}

void token_identity(struct sim *sim, struct call *call)
{
    const char *metadata = call_header(call, "Metadata");
    const char *resource = call_query(call, "resource");
    const char *client = call_query(call, "client_id");
    struct tenant *tenant = sim->tenants[0];
    for (size_t i = 0; client && i < sim->n_tenants; i++) {
        if (text_same(sim->tenants[i]->client_id, client))
            tenant = sim->tenants[i];
    }
    if (text_same(metadata, "true") && resource && call_query(call, "api-version") &&
        (!client || text_same(tenant->client_id, client))) {
        token_grant(sim, call, tenant, true);
        return;
    }
    call->status = 400;
    buffer_text(&call->reply, "{");
    json_pair(&call->reply, "error", "invalid_request");
    json_pair(&call->reply, "error_description", "Identity not found, or a parameter is missing");
    buffer_text(&call->reply, "}");
}

#include "worker/directory/token_request.h"

#include "worker/directory/assertion.h"
#include "worker/directory/calls.h"
#include "worker/secret_file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The next free place in a text of bounded length. */
struct place {
    char *at, *end;
};

/* Writes `name` as it is and `value` encoded. */
static bool put_field(struct place *place, const char *name, const char *value)
{
    size_t room = (size_t)(place->end - place->at);
    int n = snprintf(place->at, room, "%s", name);
    if (n < 0 || (size_t)n >= room || !percent_encode(value, place->at + n, room - (size_t)n))
        return false;
    place->at += n + (int)strlen(place->at + n);
    return true;
}

/* The token endpoint, and the form up to the credential itself, which `name` begins. */
static int write_form(struct token_request *request, const struct tenant_settings *settings,
                      const char *name, const char *value)
{
    struct place place = {request->form, request->form + sizeof request->form};
    request->method = "POST";
    int n = snprintf(request->url, sizeof request->url, "%s/%s/oauth2/v2.0/token",
                     settings->login_url, settings->id);
    bool fits =
        n > 0 && (size_t)n < sizeof request->url &&
        put_field(&place, "grant_type=client_credentials&client_id=", settings->client_id) &&
        put_field(&place, "&scope=", settings->graph_url) && put_field(&place, "%2F.default", "") &&
        put_field(&place, name, value);
    request->form_bytes = (size_t)(place.at - request->form);
    return fits ? 0 : -EMSGSIZE;
}

static const char assertion_name[] =
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    "&client_assertion=";

static int write_secret(struct token_request *request, const struct tenant_settings *settings,
                        int64_t now_ms, char reterr[TOKEN_REQUEST_ERROR_BYTES])
{
    (void)now_ms, (void)reterr;
    return write_form(request, settings, "&client_secret=", settings->client_secret);
}

static int write_assertion(struct token_request *request, const struct tenant_settings *settings,
                           int64_t now_ms, char reterr[TOKEN_REQUEST_ERROR_BYTES])
{
    char assertion[ASSERTION_BYTES];
    int rc = write_form(request, settings, assertion_name, ""); /* for the URL, its audience */
    if (rc < 0)
        return rc;
    if (!assertion_write(settings->certificate, request->url, settings->client_id, now_ms,
                         assertion)) {
        (void)snprintf(reterr, TOKEN_REQUEST_ERROR_BYTES, "the assertion cannot be signed");
        return -EIO;
    }
    rc = write_form(request, settings, assertion_name, assertion);
    explicit_bzero(assertion, sizeof assertion);
    return rc;
}

/* The file is read each time: its issuer replaces it when it likes. */
static int write_federated(struct token_request *request, const struct tenant_settings *settings,
                           int64_t now_ms, char reterr[TOKEN_REQUEST_ERROR_BYTES])
{
    static_assert((int)TOKEN_REQUEST_ERROR_BYTES == (int)SECRET_ERROR_BYTES, "one buffer");
    (void)now_ms;
    char *token;
    if (!token_file_read(settings->token_file, &token, reterr))
        return -EIO;
    const char *begin = token + strspn(token, " \t\r\n");
    size_t n = strcspn(begin, " \t\r\n");
    bool one = n > 0 && begin[n + strspn(begin + n, " \t\r\n")] == '\0';
    token[(size_t)(begin - token) + n] = '\0';
    int rc = one ? write_form(request, settings, assertion_name, begin) : -EIO;
    if (rc < 0)
        (void)snprintf(reterr, TOKEN_REQUEST_ERROR_BYTES, "%.180s has no token in it",
                       settings->token_file);
    secret_free(token);
    return rc < 0 ? -EIO : 0; /* another token may fit */
}

static int write_identity(struct token_request *request, const struct tenant_settings *settings,
                          int64_t now_ms, char reterr[TOKEN_REQUEST_ERROR_BYTES])
{
    (void)now_ms, (void)reterr;
    struct place place = {request->url, request->url + sizeof request->url};
    request->method = "GET";
    request->metadata = true;
    bool fits = put_field(&place, settings->identity_endpoint, "") &&
                put_field(&place, "?api-version=2018-02-01&resource=", settings->graph_url) &&
                put_field(&place, "%2F", "");
    if (settings->client_id[0] != '\0')
        fits = fits && put_field(&place, "&client_id=", settings->client_id);
    return fits ? 0 : -EMSGSIZE;
}

int token_request_write(struct token_request *request, const struct tenant_settings *settings,
                        int64_t now_ms, char reterr[TOKEN_REQUEST_ERROR_BYTES])
{
    static int (*const writers[CREDENTIAL_TYPES])(
        struct token_request *, const struct tenant_settings *, int64_t, char *) = {
        [CREDENTIAL_SECRET] = write_secret,
        [CREDENTIAL_CERTIFICATE] = write_assertion,
        [CREDENTIAL_FEDERATED] = write_federated,
        [CREDENTIAL_MANAGED_IDENTITY] = write_identity,
    };
    token_request_clear(request);
    return writers[settings->credential_type](request, settings, now_ms, reterr);
}

void token_request_clear(struct token_request *request)
{
    explicit_bzero(request, sizeof *request);
}

/* A metadata service that starts or is updated says 404 or 410 for a while (directory-api.md 6). */
bool token_status_refuses(const struct tenant_settings *settings, int http_status)
{
    bool may_come = settings->credential_type == CREDENTIAL_MANAGED_IDENTITY &&
                    (http_status == 404 || http_status == 410);
    return http_status >= 400 && http_status < 500 && http_status != 408 && http_status != 429 &&
           !may_come;
}

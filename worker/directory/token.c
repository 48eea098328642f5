#include "worker/directory/token.h"

#include "worker/directory/retry_after.h"
#include "worker/directory/throttle.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Renewed 5 minutes ahead, of a short life a fifth. Failed attempts: 1 s, 2 s apart, so that a
 * login service that is back is found at once; a credential that was refused is tried 1 s, 2 s, ...
 * 60 s apart. The later half of it at random, never sooner than Retry-After. */
enum {
    RENEW_AHEAD_MS = 5 * MINUTE_MS,
    RENEW_AHEAD_PART = 5,
    RETRY_FIRST_MS = SECOND_MS,
    RETRY_LAST_MS = 2 * SECOND_MS,
    RETRY_REFUSED_LAST_MS = MINUTE_MS,
    LIFE_MAX_S = 24 * 60 * 60, /* claims beyond this only save a renewal a day */
};

static const char bearer[] = "Authorization: Bearer ";

struct token *token_hold(struct token *token)
{
    token->n_holders++;
    return token;
}

void token_release(struct token *token)
{
    if (token == NULL || --token->n_holders > 0)
        return;
    explicit_bzero(token->header, token->bytes);
    free(token);
}

/* NULL: nothing that may stand in a header, or no memory. */
static struct token *token_new(const char *text)
{
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes > TOKEN_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return NULL;
    struct token *token = malloc(sizeof *token + sizeof bearer + bytes);
    if (token == NULL)
        return NULL;
    *token = (struct token){.n_holders = 1, .bytes = sizeof bearer + bytes};
    memcpy(mempcpy(token->header, bearer, sizeof bearer - 1), text, bytes + 1);
    return token;
}

static void replace(struct token_source *source, struct token *token)
{
    token_release(source->current);
    source->current = token;
}

static int64_t now_mono_ms(const struct token_source *source)
{
    return loop_now(source->loop)->mono_ms;
}

struct token *token_current(const struct token_source *source)
{
    return now_mono_ms(source) < source->ends_at_mono_ms ? source->current : NULL;
}

bool token_refused(const struct token_source *source)
{
    return token_current(source) == NULL && source->refused;
}

/* "expires_in" comes as a number, from some endpoints as a string. 0: not there. */
static int64_t read_life_ms(const json_t *root)
{
    const json_t *life = json_object_get(root, "expires_in");
    const char *text = json_string_value(life);
    long long seconds = text != NULL ? strtoll(text, NULL, 10) : json_integer_value(life);
    if (seconds <= 0)
        return 0;
    return (seconds < LIFE_MAX_S ? seconds : LIFE_MAX_S) * (int64_t)SECOND_MS;
}

/* True: a new token is in force. The copies in the reply are cleared. */
static bool take_token(struct token_source *source, const struct reply *reply)
{
    json_t *root = json_loadb(reply->body, reply->body_bytes, 0, NULL);
    json_t *text = json_object_get(root, "access_token");
    int64_t life_ms = read_life_ms(root);
    struct token *token =
        json_is_string(text) && life_ms > 0 ? token_new(json_string_value(text)) : NULL;
    if (token != NULL) {
        replace(source, token);
        int64_t ahead_ms = life_ms / RENEW_AHEAD_PART;
        source->ends_at_mono_ms = now_mono_ms(source) + life_ms;
        loop_set_timer(source->loop, &source->timer,
                       source->ends_at_mono_ms -
                           (ahead_ms < RENEW_AHEAD_MS ? ahead_ms : RENEW_AHEAD_MS));
    }
    if (json_is_string(text))
        explicit_bzero((char *)json_string_value(text), json_string_length(text));
    json_decref(root);
    return token != NULL;
}

static void retry_later(struct token_source *source)
{
    const struct reply *reply = &source->transfer.reply;
    int64_t wait_ms = RETRY_FIRST_MS;
    int64_t last_ms = source->refused ? RETRY_REFUSED_LAST_MS : RETRY_LAST_MS;
    for (int i = 0; i < source->n_failures && wait_ms < last_ms; i++)
        wait_ms *= 2;
    source->n_failures++;
    if (wait_ms > last_ms)
        wait_ms = last_ms;
    wait_ms = wait_ms / 2 + throttle_jitter_ms(wait_ms / 2);
    int64_t floor_ms = retry_after_parse(reply->retry_after, loop_now(source->loop)->directory_ms);
    if (reply->fate == REPLY_WHOLE && floor_ms > wait_ms)
        wait_ms = floor_ms;
    loop_set_timer(source->loop, &source->timer, loop_read_mono_ms() + wait_ms);
}

static void read_error(const struct transfer *transfer, char *ret_error, size_t bytes)
{
    const struct reply *reply = &transfer->reply;
    if (reply->fate != REPLY_WHOLE) {
        (void)text_copy(ret_error, bytes, transfer->fault);
        return;
    }
    json_t *root = json_loadb(reply->body, reply->body_bytes, 0, NULL);
    const char *word = json_string_value(json_object_get(root, "error"));
    long long code = json_integer_value(json_array_get(json_object_get(root, "error_codes"), 0));
    int n = snprintf(ret_error, bytes, "HTTP %d %.80s", reply->http_status,
                     word != NULL ? word : "unreadable reply");
    if (code != 0) /* a metadata service names none */
        (void)snprintf(ret_error + n, bytes - (size_t)n, " AADSTS%lld", code);
    json_decref(root);
}

static void on_fetched(void *context)
{
    struct token_source *source = context;
    struct reply *reply = &source->transfer.reply;
    char error[128] = "";
    token_request_clear(&source->request);
    bool whole = reply->fate == REPLY_WHOLE && reply->body_bytes > 0;
    if (whole && reply->http_status == 200 && take_token(source, reply)) {
        source->refused = false;
        source->n_failures = 0;
    } else {
        read_error(&source->transfer, error, sizeof error);
        source->refused = reply->fate == REPLY_WHOLE &&
                          token_status_refuses(source->settings, reply->http_status);
        retry_later(source);
    }
    reply_clear(reply, true);
    source->on_change(source->context, error);
}

static void fetch(void *context)
{
    struct token_source *source = context;
    struct token_request *request = &source->request;
    struct transfer *transfer = &source->transfer;
    char error[TOKEN_REQUEST_ERROR_BYTES] = "a setting is too long";
    if (transfer->running)
        return;
    int rc =
        token_request_write(request, source->settings, loop_now(source->loop)->directory_ms, error);
    if (rc < 0) {
        token_request_clear(request);
        source->refused = false;
        retry_later(source);
        source->on_change(source->context, error);
        return;
    }
    transfer->method = request->method;
    transfer->url = request->url;
    transfer->headers = request->metadata ? &source->metadata_header : NULL;
    transfer->no_proxy = request->metadata;
    transfer->body = request->form_bytes > 0 ? request->form : NULL;
    transfer->body_bytes = request->form_bytes;
    transfer_start(transfer);
}

int token_source_init(struct token_source *source, struct http *http)
{
    char error[TOKEN_REQUEST_ERROR_BYTES];
    source->timer = (struct timer){.on_due = fetch, .context = source};
    source->metadata_header = (struct curl_slist){.data = "Metadata: true"};
    int rc = token_request_write(&source->request, source->settings, 0, error);
    token_request_clear(&source->request);
    if (rc == -EMSGSIZE)
        return rc;
    source->transfer.on_done = on_fetched;
    source->transfer.context = source;
    rc = transfer_init(&source->transfer, http);
    if (rc < 0)
        return rc;
    loop_set_timer(source->loop, &source->timer, now_mono_ms(source));
    return 0;
}

void token_source_deinit(struct token_source *source)
{
    loop_cancel_timer(source->loop, &source->timer);
    reply_clear(&source->transfer.reply, true);
    transfer_deinit(&source->transfer);
    token_request_clear(&source->request);
    replace(source, NULL);
}

void token_reject(struct token_source *source, const struct token *used)
{
    if (source->current != used)
        return;
    replace(source, NULL);
    if (source->n_failures == 0) /* else the next attempt's time is set */
        loop_set_timer(source->loop, &source->timer, now_mono_ms(source));
}

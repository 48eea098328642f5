/* A tenant's access token: fetched with its credential, renewed ahead of its end, and at once when
 * the directory refuses it. Loop thread only. */
#ifndef WORKER_DIRECTORY_TOKEN_H
#define WORKER_DIRECTORY_TOKEN_H

#include "worker/directory/http.h"
#include "worker/directory/token_request.h"

enum { TOKEN_BYTES_MAX = 16 * 1024 };

/* Shared by the calls under way with it; cleared when the last one lets it go. */
struct token {
    int n_holders;
    size_t bytes;
    char header[]; /* "Authorization: Bearer ..." */
};

struct token_source {
    struct loop *loop;
    const struct tenant_settings *settings; /* borrowed */
    /* A token came, the credential was refused, or an attempt failed; `error` is "" for a token,
     * else AADSTS's word, or why there was no request or no reply. */
    void (*on_change)(void *context, const char *error);
    void *context;

    /* private */
    struct token *current; /* NULL: none */
    int64_t ends_at_mono_ms;
    bool refused; /* the last attempt was: wrong secret, unknown app */
    int n_failures;
    struct timer timer; /* the next attempt */
    struct transfer transfer;
    struct curl_slist metadata_header;
    struct token_request request; /* holds the credential while a transfer runs */
};

/* loop, settings, on_change and context stand. Begins to fetch. -errno; -EMSGSIZE: a setting is
 * longer than a URL or form takes. */
int token_source_init(struct token_source *source, struct http *http);
void token_source_deinit(struct token_source *source);

/* The token in force, NULL when there is none; hold it while it is in use. */
struct token *token_current(const struct token_source *source);
/* No token is there, and the login service said that none will be given for this credential. */
bool token_refused(const struct token_source *source);
/* The directory answered 401 to `used`: unless another one is there already, fetch one. */
void token_reject(struct token_source *source, const struct token *used);

struct token *token_hold(struct token *token);
void token_release(struct token *token); /* NULL is fine */

#endif

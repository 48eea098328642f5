/* What is sent for a token: one builder per type of credential (directory-api.md 6). */
#ifndef WORKER_DIRECTORY_TOKEN_REQUEST_H
#define WORKER_DIRECTORY_TOKEN_REQUEST_H

#include "worker/directory/directory.h"

enum {
    TOKEN_FORM_BYTES = 20 * 1024, /* the longest token file and what stands beside it */
    TOKEN_URL_BYTES = 4 * URL_BYTES,
    TOKEN_REQUEST_ERROR_BYTES = 256,
};

struct token_request {
    const char *method;
    bool metadata; /* to the machine's metadata service: its header, and never through a proxy */
    char url[TOKEN_URL_BYTES];
    char form[TOKEN_FORM_BYTES]; /* holds the credential; "": no body */
    size_t form_bytes;
};

/* `now_ms` is the directory's time. 0; -EMSGSIZE: a setting is longer than a URL or form takes;
 * another -errno with a sentence in reterr: not now. Never a secret in reterr. */
int token_request_write(struct token_request *request, const struct tenant_settings *settings,
                        int64_t now_ms, char reterr[TOKEN_REQUEST_ERROR_BYTES]);
void token_request_clear(struct token_request *request);

/* Whether the status says that no token will be given for this credential. */
bool token_status_refuses(const struct tenant_settings *settings, int http_status);

#endif

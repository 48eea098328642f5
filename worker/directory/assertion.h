/* A certificate as credential: a JWT that says who we are, signed with its key (RFC 7523 2.2;
 * directory-api.md 6). Knows no file and no clock. */
#ifndef WORKER_DIRECTORY_ASSERTION_H
#define WORKER_DIRECTORY_ASSERTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ASSERTION_BYTES = 4096, THUMBPRINT_CHARS = 43 };

struct evp_pkey_st;

struct certificate {
    struct evp_pkey_st *key;
    int64_t expires_at_ms;                 /* wall clock: its notAfter; 0: not readable */
    char thumbprint[THUMBPRINT_CHARS + 1]; /* base64url of SHA-256 of the DER, "x5t#S256" */
};

/* NULL, and *ret_certificate to be freed; or what is wrong, static text, and whether with the key.
 * The texts are PEM; of several certificates the first one counts. */
const char *certificate_new(const char *certificate_pem, const char *key_pem,
                            struct certificate **ret_certificate, bool *ret_wrong_is_key);
/* Clears the key. NULL is fine. */
void certificate_free(struct certificate *certificate);

/* Valid for 10 minutes from `now_ms`. `audience` and `client_id` are of characters that stand for
 * themselves in JSON. False: it does not fit, or libcrypto fails. Signing takes about 1 ms (RSA
 * 2048), once an hour. */
bool assertion_write(const struct certificate *certificate, const char *audience,
                     const char *client_id, int64_t now_ms, char ret_assertion[ASSERTION_BYTES]);

#endif

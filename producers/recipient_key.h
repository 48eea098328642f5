/* The mail service's public key: read once, checked once, then only encrypted for. */
#ifndef PRODUCERS_RECIPIENT_KEY_H
#define PRODUCERS_RECIPIENT_KEY_H

#include <stddef.h>

enum { RECIPIENT_KEYS_BYTES_MAX = 64 * 1024 };
enum {
    COORDINATE_BYTES = 32, /* of a point on P-256 */
    POINT_BYTES = 1 + 2 * COORDINATE_BYTES,
    THUMBPRINT_CHARS = 43, /* SHA-256 in base64url */
};

#define JWE_ALG "ECDH-ES+A256KW"

struct recipient_key {
    struct evp_pkey_st *point;     /* on the curve: checked when it was read */
    struct evp_pkey_ctx_st *maker; /* of the ephemeral keys */
    char id[THUMBPRINT_CHARS + 1]; /* RFC 7638 thumbprint, SHA-256 */
};

/* Reads a JWK Set file and takes its first key with `use` = `enc`. -errno when the file cannot be
 * read; -EINVAL, with a sentence, when it is no set, holds private parts, or that key is not P-256.
 */
int recipient_key_load(const char *path, struct recipient_key **ret_key, char *reterr,
                       size_t reterr_bytes);
void recipient_key_free(struct recipient_key *key);

#endif

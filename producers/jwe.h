/* The one-time password on its way to the mail service: compact JWE, ECDH-ES+A256KW with A256GCM,
 * for a P-256 key (contract 4, RFC 7516). */
#ifndef PRODUCERS_JWE_H
#define PRODUCERS_JWE_H

#include <stddef.h>

struct recipient_key;

enum { RECIPIENT_KEYS_BYTES_MAX = 64 * 1024, JWE_PLAINTEXT_BYTES_MAX = 16 * 1024 };

/* Reads a JWK Set file and takes its first key with `use` = `enc`. -errno when the file cannot be
 * read; -EINVAL, with a sentence, when it is no set, holds private parts, or that key is not P-256.
 */
int recipient_key_load(const char *path, struct recipient_key **ret_key, char *reterr,
                       size_t reterr_bytes);
void recipient_key_free(struct recipient_key *key);
/* RFC 7638 thumbprint, SHA-256. */
const char *recipient_key_id(const struct recipient_key *key);

/* 0 and a text for the caller to free, else -ENOMEM or -EINVAL (the libraries do not say which).
 * One thread at a time per key: it holds the maker of ephemeral keys. */
int jwe_encrypt(const struct recipient_key *key, const void *plaintext, size_t bytes,
                char **ret_compact);

/* Makes jansson clear memory before it frees it, for the whole process: libjose keeps keys in
 * jansson strings. To be called once, before other threads are started. */
void jwe_clear_freed_json(void);

#endif

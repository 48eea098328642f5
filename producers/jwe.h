/* The one-time password on its way to the mail service: compact JWE, ECDH-ES+A256KW with A256GCM,
 * for a P-256 key (contract 4, RFC 7516). */
#ifndef PRODUCERS_JWE_H
#define PRODUCERS_JWE_H

#include "producers/recipient_key.h"

enum { JWE_PLAINTEXT_BYTES_MAX = 16 * 1024 };

/* 0 and a text for the caller to free, else -ENOMEM or -EINVAL (the libraries do not say which).
 * One thread at a time per key: it holds the maker of ephemeral keys. */
int jwe_encrypt(const struct recipient_key *key, const void *plaintext, size_t bytes,
                char **ret_compact);

/* Makes jansson clear memory before it frees it, for the whole process: keys and tokens pass
 * through its strings. To be called once, before other threads are started. */
void jwe_clear_freed_json(void);

#endif

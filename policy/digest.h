/* SHA-1, SHA-256 and the name-based UUIDs made of them (FIPS 180-4, RFC 9562 5.5). The policy's
 * own, because it links nothing: identity of events is a decision, not a library's business. */
#ifndef POLICY_DIGEST_H
#define POLICY_DIGEST_H

#include "policy/text.h"

enum { SHA1_BYTES = 20, SHA256_BYTES = 32, UUID_BYTES = 16 };

void digest_sha1(const void *data, size_t bytes, uint8_t ret_digest[SHA1_BYTES]);
void digest_sha256(const void *data, size_t bytes, uint8_t ret_digest[SHA256_BYTES]);
void digest_hex(const uint8_t *data, size_t bytes, char *ret_hex /* 2 * bytes + 1 */);

/* UUIDv5 in the project's namespace (contract 2) over `parts`, joined by LF; the part with index
 * `lower_part` is taken in ASCII lower case (-1: none). */
void digest_uuid5(const char *const *parts, int n_parts, int lower_part,
                  char ret_uuid[GUID_CHARS + 1]);

#endif

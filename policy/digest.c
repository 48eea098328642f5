#include "policy/digest.h"

#include <string.h>

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8, SHA1_WORDS = 5, SHA256_WORDS = 8 };

/* Both functions cut their input into the same blocks and pad it the same way (FIPS 180-4, 5.1.1);
 * they differ in the compression. */
struct sha {
    void (*compress)(uint32_t *state, const uint8_t *block);
    uint32_t state[SHA256_WORDS];
    uint64_t bytes;
    uint8_t block[BLOCK_BYTES];
};

static uint32_t rotate_left(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static uint32_t rotate_right(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static uint32_t word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* FIPS 180-4, 6.1.2 */
static void sha1_compress(uint32_t *state, const uint8_t *block)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80];
    for (int t = 0; t < 16; t++)
        w[t] = word_at(block + 4 * t);
    for (int t = 16; t < 80; t++)
        w[t] = rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 80; t++) {
        uint32_t f = t < 20   ? (b & c) ^ (~b & d)
                     : t < 40 ? b ^ c ^ d
                     : t < 60 ? (b & c) ^ (b & d) ^ (c & d)
                              : b ^ c ^ d;
        uint32_t next = rotate_left(a, 5) + f + e + constants[t / 20] + w[t];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* FIPS 180-4, 6.2.2 */
static void sha256_compress(uint32_t *state, const uint8_t *block)
{
    static const uint32_t constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64];
    for (int t = 0; t < 16; t++)
        w[t] = word_at(block + 4 * t);
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; t++) {
        uint32_t sum1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + constants[t] + w[t];
        uint32_t sum0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void sha_add(struct sha *sha, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        size_t used = sha->bytes % BLOCK_BYTES;
        size_t taken = bytes < BLOCK_BYTES - used ? bytes : BLOCK_BYTES - used;
        memcpy(sha->block + used, from, taken);
        sha->bytes += taken;
        from += taken;
        bytes -= taken;
        if (used + taken == BLOCK_BYTES)
            sha->compress(sha->state, sha->block);
    }
}

static void sha_end(struct sha *sha, int words, uint8_t *ret_digest)
{
    static const uint8_t padding[BLOCK_BYTES] = {0x80};
    uint64_t bits = sha->bytes * 8;
    size_t used = sha->bytes % BLOCK_BYTES;
    size_t room = BLOCK_BYTES - LENGTH_BYTES;
    sha_add(sha, padding, used < room ? room - used : BLOCK_BYTES + room - used);
    uint8_t length[LENGTH_BYTES];
    for (int i = 0; i < LENGTH_BYTES; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha_add(sha, length, sizeof length);
    for (int i = 0; i < 4 * words; i++)
        ret_digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}

static struct sha sha1_start(void)
{
    return (struct sha){.compress = sha1_compress,
                        .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void digest_sha1(const void *data, size_t bytes, uint8_t ret_digest[SHA1_BYTES])
{
    struct sha sha = sha1_start();
    sha_add(&sha, data, bytes);
    sha_end(&sha, SHA1_WORDS, ret_digest);
}

void digest_sha256(const void *data, size_t bytes, uint8_t ret_digest[SHA256_BYTES])
{
    struct sha sha = {.compress = sha256_compress,
                      .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    sha_add(&sha, data, bytes);
    sha_end(&sha, SHA256_WORDS, ret_digest);
}

void digest_hex(const uint8_t *data, size_t bytes, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        ret_hex[2 * i] = digits[data[i] >> 4];
        ret_hex[2 * i + 1] = digits[data[i] & 0xf];
    }
    ret_hex[2 * bytes] = '\0';
}

void digest_uuid5(const char *const *parts, int n_parts, int lower_part,
                  char ret_uuid[GUID_CHARS + 1])
{
    /* 291238c8-7d25-502e-8722-8fac02bb81b1, contract 2 */
    static const uint8_t name_space[UUID_BYTES] = {0x29, 0x12, 0x38, 0xc8, 0x7d, 0x25, 0x50, 0x2e,
                                                   0x87, 0x22, 0x8f, 0xac, 0x02, 0xbb, 0x81, 0xb1};
    struct sha sha = sha1_start();
    sha_add(&sha, name_space, sizeof name_space);
    for (int i = 0; i < n_parts; i++) {
        if (i > 0)
            sha_add(&sha, "\n", 1);
        if (i != lower_part) {
            sha_add(&sha, parts[i], strlen(parts[i]));
            continue;
        }
        for (const char *from = parts[i]; *from != '\0'; from++) {
            char c = text_lower_char(*from);
            sha_add(&sha, &c, 1);
        }
    }
    uint8_t uuid[SHA1_BYTES];
    sha_end(&sha, SHA1_WORDS, uuid);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x50); /* version 5 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80); /* variant 10xx */

    char hex[2 * UUID_BYTES + 1];
    digest_hex(uuid, UUID_BYTES, hex);
    static const int groups[] = {8, 4, 4, 4, 12};
    const char *from = hex;
    char *to = ret_uuid;
    for (int i = 0; i < 5; i++) {
        memcpy(to, from, (size_t)groups[i]);
        to += groups[i];
        from += groups[i];
        *to++ = i < 4 ? '-' : '\0';
    }
}

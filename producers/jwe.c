#include "producers/jwe.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <jose/jose.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JWE_ENC "A256GCM"

enum {
    KEY_BYTES = 32,
    WRAPPED_BYTES = KEY_BYTES + 8, /* RFC 3394 */
    IV_BYTES = 12,
    TAG_BYTES = 16,
    HEADER_BYTES = 384,
};

static void clear_and_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void jwe_clear_freed_json(void)
{
    json_set_alloc_funcs(malloc, clear_and_free);
}

/* A new key pair for this one message, and what it shares with the recipient (RFC 7518 4.6). */
static bool agree(const struct recipient_key *key, unsigned char ret_point[POINT_BYTES],
                  unsigned char ret_shared[COORDINATE_BYTES])
{
    EVP_PKEY *pair = NULL;
    size_t point_bytes = 0, shared_bytes = COORDINATE_BYTES;
    bool done = EVP_PKEY_keygen(key->maker, &pair) == 1 &&
                EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, ret_point,
                                                POINT_BYTES, &point_bytes) == 1 &&
                point_bytes == POINT_BYTES;
    EVP_PKEY_CTX *derive = done ? EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL) : NULL;
    done = derive != NULL && EVP_PKEY_derive_init(derive) == 1 &&
           /* 0: validated when it was read; again would double the time */
           EVP_PKEY_derive_set_peer_ex(derive, key->point, 0) == 1 &&
           EVP_PKEY_derive(derive, ret_shared, &shared_bytes) == 1 &&
           shared_bytes == COORDINATE_BYTES;
    EVP_PKEY_CTX_free(derive);
    EVP_PKEY_free(pair);
    return done;
}

/* The Concat KDF of RFC 7518 4.6.2 for one key of 256 bits and nobody's PartyInfo: one round. */
static bool derive_wrapping_key(const unsigned char shared[COORDINATE_BYTES],
                                unsigned char ret_key[KEY_BYTES])
{
    static const unsigned char info[] = "\0\0\0\16" JWE_ALG "\0\0\0\0"
                                        "\0\0\0\0"
                                        "\0\0\1"; /* and the closing zero: 256 */
    unsigned char input[4 + COORDINATE_BYTES + sizeof info] = {0, 0, 0, 1};
    memcpy(input + 4, shared, COORDINATE_BYTES);
    memcpy(input + 4 + COORDINATE_BYTES, info, sizeof info);
    bool done = EVP_Digest(input, sizeof input, ret_key, NULL, EVP_sha256(), NULL) == 1;
    explicit_bzero(input, sizeof input);
    return done;
}

static bool wrap(const unsigned char wrapping_key[KEY_BYTES],
                 const unsigned char content_key[KEY_BYTES],
                 unsigned char ret_wrapped[WRAPPED_BYTES])
{
    int bytes = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool done = cipher != NULL &&
                EVP_EncryptInit_ex2(cipher, EVP_aes_256_wrap(), wrapping_key, NULL, NULL) == 1 &&
                EVP_EncryptUpdate(cipher, ret_wrapped, &bytes, content_key, KEY_BYTES) == 1 &&
                bytes == WRAPPED_BYTES;
    EVP_CIPHER_CTX_free(cipher);
    return done;
}

/* What stands between the compact form's dots, before it is written in base64url. */
struct parts {
    char header[HEADER_BYTES]; /* in base64url already: it is authenticated so */
    size_t header_bytes;
    unsigned char wrapped[WRAPPED_BYTES], iv[IV_BYTES], tag[TAG_BYTES];
    unsigned char ciphertext[JWE_PLAINTEXT_BYTES_MAX];
    size_t bytes;
};

/* RFC 7516 5.1, step 15: the text under the content key, the header authenticated with it. */
static bool seal(const unsigned char content_key[KEY_BYTES], const void *plaintext,
                 struct parts *parts)
{
    int taken = 0, rest = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool done =
        cipher != NULL && RAND_bytes(parts->iv, IV_BYTES) == 1 &&
        EVP_EncryptInit_ex2(cipher, EVP_aes_256_gcm(), content_key, parts->iv, NULL) == 1 &&
        EVP_EncryptUpdate(cipher, NULL, &taken, (const unsigned char *)parts->header,
                          (int)parts->header_bytes) == 1 &&
        EVP_EncryptUpdate(cipher, parts->ciphertext, &taken, plaintext, (int)parts->bytes) == 1 &&
        EVP_EncryptFinal_ex(cipher, parts->ciphertext + taken, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, parts->tag) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return done;
}

static size_t put_base64(const void *bytes, size_t n_bytes, char *to, size_t room)
{
    size_t put = jose_b64_enc_buf(bytes, n_bytes, to, room);
    assert(put != SIZE_MAX);
    return put;
}

static void write_header(const struct recipient_key *key, const unsigned char point[POINT_BYTES],
                         struct parts *parts)
{
    char x[THUMBPRINT_CHARS + 1] = "", y[THUMBPRINT_CHARS + 1] = "", json[HEADER_BYTES];
    (void)put_base64(point + 1, COORDINATE_BYTES, x, sizeof x);
    (void)put_base64(point + 1 + COORDINATE_BYTES, COORDINATE_BYTES, y, sizeof y);
    int length = snprintf(json, sizeof json,
                          "{\"alg\":\"" JWE_ALG "\",\"enc\":\"" JWE_ENC "\",\"kid\":\"%s\","
                          "\"typ\":\"JOSE\",\"cty\":\"application/json\",\"epk\":{\"kty\":\"EC\","
                          "\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}}",
                          key->id, x, y);
    parts->header_bytes = put_base64(json, (size_t)length, parts->header, sizeof parts->header);
}

/* NULL: no memory. */
static char *write_compact(const struct parts *parts)
{
    const struct {
        const void *bytes;
        size_t n;
    } encoded[] = {{parts->wrapped, WRAPPED_BYTES},
                   {parts->iv, IV_BYTES},
                   {parts->ciphertext, parts->bytes},
                   {parts->tag, TAG_BYTES}};
    size_t room = parts->header_bytes + 1;
    for (size_t i = 0; i < sizeof encoded / sizeof *encoded; i++)
        room += 1 + (encoded[i].n * 4 + 2) / 3;
    char *compact = malloc(room);
    if (compact == NULL)
        return NULL;
    memcpy(compact, parts->header, parts->header_bytes);
    size_t used = parts->header_bytes;
    for (size_t i = 0; i < sizeof encoded / sizeof *encoded; i++) {
        compact[used++] = '.';
        used += put_base64(encoded[i].bytes, encoded[i].n, compact + used, room - used);
    }
    assert(used == room - 1);
    compact[used] = '\0';
    return compact;
}

/* By libcrypto itself: libjose builds a jansson tree for every step, which costs 3 times what the
 * encryption does (270 us against 75), and cannot write a compact JWE with `epk` anyway. */
int jwe_encrypt(const struct recipient_key *key, const void *plaintext, size_t bytes,
                char **ret_compact)
{
    unsigned char point[POINT_BYTES], shared[COORDINATE_BYTES];
    unsigned char wrapping_key[KEY_BYTES], content_key[KEY_BYTES];
    struct parts parts;
    if (bytes > JWE_PLAINTEXT_BYTES_MAX)
        return -EINVAL;
    parts.bytes = bytes;
    bool done = agree(key, point, shared) && derive_wrapping_key(shared, wrapping_key) &&
                RAND_priv_bytes(content_key, KEY_BYTES) == 1 &&
                wrap(wrapping_key, content_key, parts.wrapped);
    if (done) {
        write_header(key, point, &parts);
        done = seal(content_key, plaintext, &parts);
    }
    *ret_compact = done ? write_compact(&parts) : NULL;
    explicit_bzero(shared, sizeof shared);
    explicit_bzero(wrapping_key, sizeof wrapping_key);
    explicit_bzero(content_key, sizeof content_key);
    if (*ret_compact != NULL)
        return 0;
    return done ? -ENOMEM : -EINVAL;
}

#include "producers/jwe.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <jose/jose.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JWE_ALG "ECDH-ES+A256KW"
#define JWE_ENC "A256GCM"

enum {
    COORDINATE_BYTES = 32, /* of a point on P-256 */
    POINT_BYTES = 1 + 2 * COORDINATE_BYTES,
    KEY_BYTES = 32,
    WRAPPED_BYTES = KEY_BYTES + 8, /* RFC 3394 */
    IV_BYTES = 12,
    TAG_BYTES = 16,
    THUMBPRINT_CHARS = 43,
    HEADER_BYTES = 384,
};

struct recipient_key {
    EVP_PKEY *point;     /* on the curve: checked when it was read */
    EVP_PKEY_CTX *maker; /* of the ephemeral keys */
    char id[THUMBPRINT_CHARS + 1];
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

__attribute__((format(printf, 3, 4))) static int say(char *reterr, size_t bytes, const char *format,
                                                     ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reterr, bytes, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int read_file(const char *path, char *ret_text, size_t *ret_bytes, char *reterr,
                     size_t reterr_bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int error = errno;
        (void)say(reterr, reterr_bytes, "%s: %s", path, strerror(error));
        return -error;
    }
    *ret_bytes = fread(ret_text, 1, RECIPIENT_KEYS_BYTES_MAX + 1, file);
    int error = ferror(file) ? EIO : 0;
    (void)fclose(file);
    if (error != 0) {
        (void)say(reterr, reterr_bytes, "%s: %s", path, strerror(error));
        return -error;
    }
    if (*ret_bytes > RECIPIENT_KEYS_BYTES_MAX)
        return say(reterr, reterr_bytes, "%s: longer than %d bytes", path,
                   RECIPIENT_KEYS_BYTES_MAX);
    return 0;
}

static bool member_is(const json_t *jwk, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    return text != NULL && strcmp(text, value) == 0;
}

/* RFC 7518 6.2.2, 6.3.2, 6.4.1: a worker that can only encrypt cannot lose what it encrypted. */
static bool has_private_part(const json_t *jwk)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(jwk, names[i]) != NULL)
            return true;
    return false;
}

static const json_t *choose_key(const char *path, const json_t *set, char *reterr,
                                size_t reterr_bytes)
{
    const json_t *keys = json_object_get(set, "keys"), *chosen = NULL, *jwk;
    size_t i;
    if (!json_is_array(keys)) {
        (void)say(reterr, reterr_bytes, "%s: not a JWK Set, there is no array \"keys\"", path);
        return NULL;
    }
    json_array_foreach(keys, i, jwk)
    {
        if (has_private_part(jwk)) {
            (void)say(reterr, reterr_bytes,
                      "%s: keys[%zu] holds a private part; only public keys belong here", path, i);
            return NULL;
        }
        if (chosen == NULL && member_is(jwk, "use", "enc"))
            chosen = jwk;
    }
    if (chosen == NULL)
        (void)say(reterr, reterr_bytes, "%s: no key with \"use\": \"enc\"", path);
    return chosen;
}

static bool read_point(const json_t *jwk, unsigned char ret_point[POINT_BYTES])
{
    ret_point[0] = POINT_CONVERSION_UNCOMPRESSED;
    return jose_b64_dec(json_object_get(jwk, "x"), ret_point + 1, COORDINATE_BYTES) ==
               COORDINATE_BYTES &&
           jose_b64_dec(json_object_get(jwk, "y"), ret_point + 1 + COORDINATE_BYTES,
                        COORDINATE_BYTES) == COORDINATE_BYTES;
}

/* NULL: no point on the curve. */
static EVP_PKEY *make_point(unsigned char point[POINT_BYTES])
{
    char curve[] = "P-256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, POINT_BYTES),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool made = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    context = made ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    made = context != NULL && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (made)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool take_id(const json_t *from, struct recipient_key *key)
{
    json_t *id = jose_jwk_thp(NULL, from, "S256");
    bool taken = id != NULL && json_string_length(id) == THUMBPRINT_CHARS;
    if (taken)
        memcpy(key->id, json_string_value(id), sizeof key->id);
    json_decref(id);
    return taken;
}

static int take_key(const char *path, const json_t *from, struct recipient_key *key, char *reterr,
                    size_t reterr_bytes)
{
    unsigned char point[POINT_BYTES];
    if (!member_is(from, "kty", "EC") || !member_is(from, "crv", "P-256"))
        return say(reterr, reterr_bytes, "%s: the key for encryption is not P-256", path);
    if (json_object_get(from, "alg") != NULL && !member_is(from, "alg", JWE_ALG))
        return say(reterr, reterr_bytes, "%s: the key for encryption is not for " JWE_ALG, path);
    key->point = read_point(from, point) ? make_point(point) : NULL;
    if (key->point == NULL)
        return say(reterr, reterr_bytes, "%s: the key for encryption is not a point on P-256",
                   path);
    key->maker = EVP_PKEY_CTX_new_from_pkey(NULL, key->point, NULL);
    return key->maker != NULL && EVP_PKEY_keygen_init(key->maker) == 1 && take_id(from, key)
               ? 0
               : -ENOMEM;
}

int recipient_key_load(const char *path, struct recipient_key **ret_key, char *reterr,
                       size_t reterr_bytes)
{
    size_t bytes = 0;
    json_t *set = NULL;
    struct recipient_key *key = calloc(1, sizeof *key);
    char *text = malloc(RECIPIENT_KEYS_BYTES_MAX + 1);
    int rc = -ENOMEM;
    if (key == NULL || text == NULL)
        goto out;
    rc = read_file(path, text, &bytes, reterr, reterr_bytes);
    if (rc < 0)
        goto out;
    json_error_t error;
    set = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (set == NULL) {
        rc = say(reterr, reterr_bytes, "%s:%d: %s", path, error.line, error.text);
        goto out;
    }
    const json_t *chosen = choose_key(path, set, reterr, reterr_bytes);
    rc = chosen == NULL ? -EINVAL : take_key(path, chosen, key, reterr, reterr_bytes);
out:
    json_decref(set);
    if (text != NULL)
        explicit_bzero(text, bytes); /* a private part may have stood in it */
    free(text);
    if (rc < 0) {
        recipient_key_free(key);
        key = NULL;
    }
    *ret_key = key;
    return rc;
}

void recipient_key_free(struct recipient_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->point);
    EVP_PKEY_CTX_free(key->maker);
    free(key);
}

const char *recipient_key_id(const struct recipient_key *key)
{
    return key->id;
}

/* ---- encrypting ------------------------------------------------------------------------------ */

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

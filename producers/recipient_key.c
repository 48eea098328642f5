#include "producers/recipient_key.h"

#include <errno.h>
#include <jansson.h>
#include <jose/jose.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#include "producers/jwe.h"

#include <errno.h>
#include <jansson.h>
#include <jose/jose.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JWE_ALG "ECDH-ES+A256KW"
#define JWE_ENC "A256GCM"

struct recipient_key {
    json_t *jwk; /* kty crv x y, and nothing else of the file */
    json_t *id;
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

/* The four public members alone: libjose refuses to derive with a key whose `use` or `key_ops` say
 * something else, and would choose another algorithm by its `alg`. */
static int take_key(const char *path, const json_t *from, struct recipient_key *key, char *reterr,
                    size_t reterr_bytes)
{
    /* libjose's own choice for this algorithm is P-521: 5 times dearer, and its key generator
     * refuses P-256 when `alg` is given with it. */
    if (!member_is(from, "kty", "EC") || !member_is(from, "crv", "P-256"))
        return say(reterr, reterr_bytes, "%s: the key for encryption is not P-256", path);
    if (json_object_get(from, "alg") != NULL && !member_is(from, "alg", JWE_ALG))
        return say(reterr, reterr_bytes, "%s: the key for encryption is not for " JWE_ALG, path);
    key->jwk = json_pack("{s:s, s:s, s:O?, s:O?}", "kty", "EC", "crv", "P-256", "x",
                         json_object_get(from, "x"), "y", json_object_get(from, "y"));
    key->id = key->jwk == NULL ? NULL : jose_jwk_thp(NULL, key->jwk, "S256");
    char *trial = NULL;
    if (key->id == NULL || jwe_encrypt(key, "", 0, &trial) < 0)
        return say(reterr, reterr_bytes, "%s: the key for encryption is not a point on P-256",
                   path);
    free(trial);
    return 0;
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
    json_decref(key->jwk);
    json_decref(key->id);
    free(key);
}

const char *recipient_key_id(const struct recipient_key *key)
{
    return json_string_value(key->id);
}

/* libjose 11 puts `epk` into the unprotected header, which a compact JWE has not (RFC 7516 7.1). So
 * the key is wrapped first, the header moved under protection, and only then the text encrypted:
 * the protected header is the cipher's additional data. */
static json_t *encrypt(const struct recipient_key *key, const void *plaintext, size_t bytes)
{
    json_t *cek = json_object();
    json_t *jwe = json_pack("{s:{s:s, s:s, s:O, s:s, s:s}}", "protected", "alg", JWE_ALG, "enc",
                            JWE_ENC, "kid", key->id, "typ", "JOSE", "cty", "application/json");
    bool done = cek != NULL && jwe != NULL && jose_jwe_enc_jwk(NULL, jwe, NULL, key->jwk, cek);
    done = done && json_object_update_missing(json_object_get(jwe, "protected"),
                                              json_object_get(jwe, "header")) == 0;
    done = done && json_object_del(jwe, "header") == 0;
    done = done && jose_jwe_enc_cek(NULL, jwe, cek, plaintext, bytes);
    json_decref(cek);
    if (done)
        return jwe;
    json_decref(jwe);
    return NULL;
}

int jwe_encrypt(const struct recipient_key *key, const void *plaintext, size_t bytes,
                char **ret_compact)
{
    const char *header, *wrapped, *iv, *ciphertext, *tag;
    json_t *jwe = encrypt(key, plaintext, bytes);
    int rc = -EINVAL;
    if (jwe != NULL &&
        json_unpack(jwe, "{s:s, s:s, s:s, s:s, s:s}", "protected", &header, "encrypted_key",
                    &wrapped, "iv", &iv, "ciphertext", &ciphertext, "tag", &tag) == 0)
        rc = asprintf(ret_compact, "%s.%s.%s.%s.%s", header, wrapped, iv, ciphertext, tag) < 0
                 ? -ENOMEM
                 : 0;
    json_decref(jwe);
    return rc;
}

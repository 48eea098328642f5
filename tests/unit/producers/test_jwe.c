#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "producers/jwe.h"
#include "tests/unit/producers/recipient.h"

#include <errno.h>
#include <jansson.h>
#include <jose/jose.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char plaintext[] = "{\"password\":\"Kj8-x\xC3\xA6\"}";

static char *encrypt(const struct recipient_key *key)
{
    char *compact = NULL;
    assert_int_equal(jwe_encrypt(key, plaintext, strlen(plaintext), &compact), 0);
    return compact;
}

static void the_holder_of_the_private_key_reads_it(void **state)
{
    (void)state;
    struct recipient recipient;
    recipient_make(&recipient);
    char *compact = encrypt(recipient.key);
    char *read = recipient_open(&recipient, compact);
    assert_string_equal(read, plaintext);
    free(read);
    free(compact);
    recipient_free(&recipient);
}

static void nobody_else_reads_it(void **state)
{
    (void)state;
    struct recipient recipient, other;
    recipient_make(&recipient);
    recipient_make(&other);
    char *compact = encrypt(recipient.key);
    assert_null(recipient_open(&other, compact));
    compact[strlen(compact) - 1] ^= 4; /* the last bits of the tag */
    assert_null(recipient_open(&recipient, compact));
    free(compact);
    recipient_free(&recipient);
    recipient_free(&other);
}

static void the_protected_header_is_the_contracts(void **state)
{
    (void)state;
    struct recipient recipient;
    recipient_make(&recipient);
    char *compact = encrypt(recipient.key);
    json_t *part = json_stringn(compact, strcspn(compact, "."));
    json_t *header = jose_b64_dec_load(part);
    assert_int_equal(json_object_size(header), 6);
    assert_string_equal(json_string_value(json_object_get(header, "alg")), "ECDH-ES+A256KW");
    assert_string_equal(json_string_value(json_object_get(header, "enc")), "A256GCM");
    assert_string_equal(json_string_value(json_object_get(header, "typ")), "JOSE");
    assert_string_equal(json_string_value(json_object_get(header, "cty")), "application/json");
    assert_string_equal(json_string_value(json_object_get(header, "kid")), recipient.key->id);
    json_t *epk = json_object_get(header, "epk");
    assert_string_equal(json_string_value(json_object_get(epk, "crv")), "P-256");
    assert_null(json_object_get(epk, "d"));
    json_decref(header);
    json_decref(part);
    free(compact);
    recipient_free(&recipient);
}

/* The key of RFC 7517 A.1 on P-256; its thumbprint was computed with sha256sum(1) over the members
 * that RFC 7638 3.2 names. */
static void the_key_id_is_the_thumbprint_of_rfc_7638(void **state)
{
    (void)state;
    struct recipient_key *key;
    char error[256] = "";
    char *path = recipient_write_file(
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"kid\":\"1\","
        "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
        "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}");
    assert_int_equal(recipient_key_load(path, &key, error, sizeof error), 0);
    assert_string_equal(key->id, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    recipient_key_free(key);
    recipient_remove_file(path);
}

static void two_encryptions_share_nothing(void **state)
{
    (void)state;
    struct recipient recipient;
    recipient_make(&recipient);
    char *a = encrypt(recipient.key), *b = encrypt(recipient.key);
    assert_string_not_equal(a, b);
    assert_string_not_equal(strrchr(a, '.'), strrchr(b, '.'));
    free(a);
    free(b);
    recipient_free(&recipient);
}

#define XY                                                                                         \
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","                                       \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""

static void a_file_that_will_not_do_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } files[] = {
        {"{", ":1: "},
        {"[]", "not a JWK Set"},
        {"{\"keys\":[]}", "no key with \"use\": \"enc\""},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\"," XY "}]}", "no key with"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"d\":\"AA\"," XY "}]}",
         "keys[0] holds a private part"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\"," XY
         "},{\"kty\":\"oct\",\"k\":\"AA\"}]}",
         "keys[1] holds a private part"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"use\":\"enc\"," XY "}]}", "not P-256"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"alg\":\"ECDH-ES\"," XY
         "}]}",
         "not for ECDH-ES+A256KW"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\","
         "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
         "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyA\"}]}",
         "not a point on P-256"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\"}]}", "not a point"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct recipient_key *key;
        char error[256] = "";
        char *path = recipient_write_file(files[i].text);
        assert_int_equal(recipient_key_load(path, &key, error, sizeof error), -EINVAL);
        assert_null(key);
        assert_non_null(strstr(error, files[i].says));
        recipient_remove_file(path);
    }
}

static void the_first_key_for_encryption_is_taken(void **state)
{
    (void)state;
    struct recipient_key *key;
    char error[256] = "";
    char *path = recipient_write_file(
        "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"n\":\"AQAB\",\"e\":\"AQAB\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"key_ops\":[\"encrypt\"]," XY "}]}");
    assert_int_equal(recipient_key_load(path, &key, error, sizeof error), 0);
    recipient_key_free(key);
    recipient_remove_file(path);
}

static void a_missing_file_is_a_fault(void **state)
{
    (void)state;
    struct recipient_key *key;
    char error[256] = "";
    assert_int_equal(recipient_key_load("/nonexistent/keys", &key, error, sizeof error), -ENOENT);
    assert_non_null(strstr(error, "/nonexistent/keys"));
}

/* A second reader: the command-line tool takes the compact form as it is. */
static void the_jose_tool_opens_it(void **state)
{
    (void)state;
    if (access("/usr/bin/jose", X_OK) != 0)
        skip();
    struct recipient recipient;
    recipient_make(&recipient);
    char *compact = encrypt(recipient.key);
    char *text = json_dumps(recipient.private_key, 0);
    char *jwe_path = recipient_write_file(compact), *key_path = recipient_write_file(text);
    char command[512], read[128] = "";
    (void)snprintf(command, sizeof command, "/usr/bin/jose jwe dec -i %s -k %s", jwe_path,
                   key_path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(read, 1, sizeof read - 1, pipe);
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(n, strlen(plaintext));
    assert_string_equal(read, plaintext);
    recipient_remove_file(jwe_path);
    recipient_remove_file(key_path);
    free(text);
    free(compact);
    recipient_free(&recipient);
}

/* The linker puts this before free(3) of the code under test (--wrap). */
static const char *watched;
static bool watched_was_cleared;

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    if (memory != NULL && memory == watched) {
        watched_was_cleared = watched[0] == '\0' && watched[9] == '\0';
        watched = NULL;
    }
    __real_free(memory);
}

static void freed_json_is_cleared(void **state)
{
    (void)state;
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    jwe_clear_freed_json();
    json_t *text = json_string("a-secret-that-must-not-stay");
    watched = json_string_value(text);
    json_decref(text);
    assert_null(watched);
    assert_true(watched_was_cleared);
    json_set_alloc_funcs(allocate, release);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_holder_of_the_private_key_reads_it),
        cmocka_unit_test(nobody_else_reads_it),
        cmocka_unit_test(the_protected_header_is_the_contracts),
        cmocka_unit_test(the_key_id_is_the_thumbprint_of_rfc_7638),
        cmocka_unit_test(two_encryptions_share_nothing),
        cmocka_unit_test(a_file_that_will_not_do_is_refused_with_a_reason),
        cmocka_unit_test(the_first_key_for_encryption_is_taken),
        cmocka_unit_test(a_missing_file_is_a_fault),
        cmocka_unit_test(the_jose_tool_opens_it),
        cmocka_unit_test(freed_json_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/producers/recipient.h"

#include <jose/jose.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *recipient_write_file(const char *text)
{
    char *path = strdup("/tmp/restore-worker-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    return path;
}

void recipient_remove_file(char *path)
{
    assert_int_equal(unlink(path), 0);
    free(path);
}

void recipient_make(struct recipient *recipient)
{
    char error[256] = "";
    json_t *jwk = json_pack("{s:s, s:s}", "kty", "EC", "crv", "P-256");
    assert_true(jose_jwk_gen(NULL, jwk));
    json_t *public = json_deep_copy(jwk);
    assert_true(jose_jwk_pub(NULL, public));
    json_object_del(public, "key_ops");
    json_object_set_new(public, "use", json_string("enc"));
    json_t *set = json_pack("{s:[o]}", "keys", public);
    char *text = json_dumps(set, 0);
    char *path = recipient_write_file(text);
    assert_int_equal(recipient_key_load(path, &recipient->key, error, sizeof error), 0);
    recipient->private_key = jwk;
    recipient_remove_file(path);
    free(text);
    json_decref(set);
}

void recipient_free(struct recipient *recipient)
{
    recipient_key_free(recipient->key);
    json_decref(recipient->private_key);
}

char *recipient_open(const struct recipient *recipient, const char *compact)
{
    static const char *const names[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag"};
    json_t *jwe = json_object();
    for (size_t i = 0; i < 5; i++) {
        size_t length = strcspn(compact, ".");
        json_object_set_new(jwe, names[i], json_stringn(compact, length));
        compact += length + (compact[length] == '.');
    }
    assert_int_equal(*compact, '\0');
    size_t bytes = 0;
    char *plain = jose_jwe_dec(NULL, jwe, NULL, recipient->private_key, &bytes);
    char *text = plain == NULL ? NULL : strndup(plain, bytes);
    free(plain);
    json_decref(jwe);
    return text;
}

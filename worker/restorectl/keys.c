/* keys new: the notification service's key pair. The worker only ever has the public half. */
#include "worker/restorectl/commands.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jose/jose.h>
#include <string.h>
#include <unistd.h>

/* P-256, said aloud: libjose's default curve for this algorithm is P-521, five times dearer; and
 * said without the algorithm, with which libjose 11 makes no key of a chosen curve. kid is the
 * thumbprint (RFC 7638), as the worker writes it into each JWE. */
static json_t *make_key(void)
{
    json_t *key = json_pack("{s:s, s:s}", "kty", "EC", "crv", "P-256");
    json_t *thumbprint =
        key != NULL && jose_jwk_gen(NULL, key) ? jose_jwk_thp(NULL, key, "S256") : NULL;
    if (thumbprint == NULL) {
        json_decref(key);
        return NULL;
    }
    json_object_set_new(key, "kid", thumbprint);
    json_object_set_new(key, "alg", json_string("ECDH-ES+A256KW"));
    json_object_set_new(key, "use", json_string("enc"));
    return key;
}

/* Never over a file that is there: it may be the only copy of another key. */
static enum exit_code write_json(const char *path, mode_t mode, const json_t *json)
{
    FILE *file = stdout;
    if (path != NULL) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        file = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (file == NULL) {
            fprintf(stderr, "restorectl: %s: %s\n", path, strerror(errno));
            return EXIT_IO;
        }
    }
    bool written = json_dumpf(json, file, JSON_COMPACT | JSON_SORT_KEYS) == 0 &&
                   fputc('\n', file) != EOF && fflush(file) == 0;
    if (path != NULL)
        written = fclose(file) == 0 && written;
    if (!written)
        fprintf(stderr, "restorectl: %s: %s\n", path != NULL ? path : "stdout", strerror(errno));
    return written ? EXIT_OK : EXIT_IO;
}

enum exit_code command_keys_new(const struct options *options)
{
    json_t *key = make_key();
    json_t *public_key = key != NULL ? json_deep_copy(key) : NULL;
    if (public_key == NULL || !jose_jwk_pub(NULL, public_key)) {
        fprintf(stderr, "restorectl: no key could be made\n");
        json_decref(key);
        json_decref(public_key);
        return EXIT_INTERNAL;
    }
    json_t *set = json_pack("{s:[o]}", "keys", public_key);
    enum exit_code code = write_json(options->private_file, 0600, key);
    if (code == EXIT_OK)
        code = write_json(options->public_file, 0644, set);
    json_decref(key);
    json_decref(set);
    return code;
}

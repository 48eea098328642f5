#include "worker/password.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Left out: 0 O o, 1 l I i |, and of the marks all that vanish in a mail, need shifting twice or
 * look like another (quotes, commas, brackets, slashes, ~ ^ _ - !). */
static const char characters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ"
                                 "abcdefghjkmnpqrstuvwxyz"
                                 "23456789"
                                 "#%+=?@*$";
static const struct {
    unsigned first, n;
} classes[] = {{0, 24}, {24, 23}, {47, 8}, {55, 8}};
enum { CLASSES = sizeof classes / sizeof classes[0], CHARACTERS = sizeof characters - 1 };
static_assert(CHARACTERS == 55 + 8, "the classes are all there is");

struct source {
    int (*read_bytes)(void *context, uint8_t *ret_bytes, size_t n);
    void *context;
};

bool password_index(uint8_t byte, unsigned n, unsigned *ret_index)
{
    assert(n >= 1 && n <= 256);
    unsigned even = 256 - 256 % n;
    if (byte >= even)
        return false;
    *ret_index = byte % n;
    return true;
}

static int draw(const struct source *source, unsigned n, unsigned *ret_index)
{
    uint8_t byte = 0;
    int r;
    do {
        r = source->read_bytes(source->context, &byte, 1);
        if (r < 0)
            return r;
    } while (!password_index(byte, n, ret_index));
    password_clear((char *)&byte, sizeof byte);
    return 0;
}

int password_make(int (*read_bytes)(void *context, uint8_t *ret_bytes, size_t n), void *context,
                  char ret_password[PASSWORD_CHARS + 1])
{
    const struct source source = {read_bytes, context};
    unsigned index;
    int r;

    /* One of each class first, the rest of any; then the order is drawn too (Fisher-Yates), so
     * that nobody knows which class stands where. */
    for (int i = 0; i < PASSWORD_CHARS; i++) {
        unsigned first = i < CLASSES ? classes[i].first : 0;
        r = draw(&source, i < CLASSES ? classes[i].n : CHARACTERS, &index);
        if (r < 0)
            return r;
        ret_password[i] = characters[first + index];
    }
    for (unsigned i = PASSWORD_CHARS - 1; i > 0; i--) {
        r = draw(&source, i + 1, &index);
        if (r < 0)
            return r;
        char swapped = ret_password[i];
        ret_password[i] = ret_password[index];
        ret_password[index] = swapped;
    }
    ret_password[PASSWORD_CHARS] = '\0';
    return 0;
}

/* Bytes of the kernel, fetched together: a password draws more than 31 of them, and a call for each
 * cost 12 us a password. */
struct pool {
    size_t n_left;
    uint8_t bytes[64];
};

static int fill(struct pool *pool)
{
    ssize_t got;
    do {
        got = getrandom(pool->bytes, sizeof pool->bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    pool->n_left = (size_t)got;
    return pool->n_left == sizeof pool->bytes ? 0 : -EIO; /* up to 256 come whole: getrandom(2) */
}

static int read_pool(void *context, uint8_t *ret_bytes, size_t n)
{
    struct pool *pool = context;
    for (size_t i = 0; i < n; i++) {
        int r = pool->n_left == 0 ? fill(pool) : 0;
        if (r < 0)
            return r;
        ret_bytes[i] = pool->bytes[--pool->n_left];
    }
    return 0;
}

int password_generate(char ret_password[PASSWORD_CHARS + 1])
{
    struct pool pool = {.n_left = 0};
    int r = password_make(read_pool, &pool, ret_password);
    if (r < 0)
        password_clear(ret_password, PASSWORD_CHARS + 1);
    explicit_bzero(&pool, sizeof pool);
    return r;
}

void password_clear(char *password, size_t bytes)
{
    explicit_bzero(password, bytes);
}

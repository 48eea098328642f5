#include "worker/settings_text.h"

#include "worker/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 18 }; /* less than 2^63 - 1, and 16 hex digits could be negative */

int settings_text_read(const char *path, char **ret_text)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t n = 0;
    int r = 0;
    if (file == NULL)
        return -errno;
    text = malloc(SETTING_FILE_BYTES_MAX + 2);
    if (text == NULL) {
        r = -ENOMEM;
        goto out;
    }
    errno = 0;
    n = fread(text, 1, SETTING_FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        r = errno != 0 ? -errno : -EIO;
    else if (n > SETTING_FILE_BYTES_MAX)
        r = -EFBIG;
    else if (memchr(text, '\0', n) != NULL)
        r = -EILSEQ;
out:
    fclose(file);
    if (r < 0) {
        free(text);
        return r;
    }
    text[n] = '\0';
    *ret_text = text;
    return 0;
}

/* How long the string, the comment or the word at `at` is: what stands inside is no number. */
static size_t skipped_length(const char *at)
{
    if (*at == '"') {
        size_t n = 1;
        while (at[n] != '\0' && at[n] != '"')
            n += at[n] == '\\' && at[n + 1] != '\0' ? 2 : 1;
        return at[n] == '"' ? n + 1 : n;
    }
    if (*at == '#' || (at[0] == '/' && at[1] == '/'))
        return strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end != NULL ? (size_t)(end - at) + 2 : strlen(at);
    }
    if (isalpha((unsigned char)*at) || *at == '*') {
        size_t n = 1;
        while (isalnum((unsigned char)at[n]) || (at[n] != '\0' && strchr("-_*", at[n]) != NULL))
            n++;
        return n;
    }
    return 0;
}

/* How long the number at `at` is; *ret_integer: it is one, and has no L yet. */
static size_t number_length(const char *at, bool *ret_integer)
{
    size_t n;
    *ret_integer = false;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        n = 2 + strspn(at + 2, "0123456789abcdefABCDEF");
    } else {
        n = strspn(at, "0123456789");
        size_t real = strspn(at + n, "0123456789.");
        if (at[n + real] == 'e' || at[n + real] == 'E') {
            real++;
            real += at[n + real] == '+' || at[n + real] == '-';
            real += strspn(at + n + real, "0123456789");
        }
        if (real > 0)
            return n + real;
    }
    if (at[n] == 'L')
        return n + strspn(at + n, "L");
    *ret_integer = true;
    return n;
}

static char *fail(char *wide, const char *text, const char *at, const char *why, unsigned *ret_line,
                  const char **reterr)
{
    free(wide);
    *ret_line = 1;
    for (; text < at; text++)
        *ret_line += *text == '\n';
    *reterr = why;
    return NULL;
}

char *settings_text_widen(const char *text, unsigned *ret_line, const char **reterr)
{
    char *wide = malloc(2 * strlen(text) + 1); /* a number gets one byte longer */
    char *to = wide;
    const char *at = text;
    if (wide == NULL)
        return fail(wide, text, text, strerror(ENOMEM), ret_line, reterr);
    while (*at != '\0') {
        bool integer = false;
        size_t n = skipped_length(at);
        if (n == 0 &&
            (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1])))) {
            n = number_length(at, &integer);
            if (strspn(at, "0123456789xXabcdefABCDEF") > DIGITS_MAX)
                return fail(wide, text, at, "a number of more than 18 digits", ret_line, reterr);
        }
        if (n == 0 && *at == '@')
            return fail(wide, text, at, "no @include here: conf.d/*.conf are read as well",
                        ret_line, reterr);
        n = n > 0 ? n : 1;
        memcpy(to, at, n);
        to += n;
        at += n;
        if (integer)
            *to++ = 'L';
    }
    *to = '\0';
    return wide;
}

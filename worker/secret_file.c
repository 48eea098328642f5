#include "worker/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(char *reterr, const char *path, const char *why)
{
    snprintf(reterr, SECRET_ERROR_BYTES, "%.180s %s", path, why);
    return false;
}

static bool refuse_error(char *reterr, const char *path, int error)
{
    snprintf(reterr, SECRET_ERROR_BYTES, "%.180s: %s", path, strerror(error));
    return false;
}

bool secret_path(const char *reference, char *ret_path, size_t path_bytes,
                 char reterr[SECRET_ERROR_BYTES])
{
    static const char prefix[] = "credential:";
    if (strncmp(reference, prefix, sizeof prefix - 1) != 0) {
        int n = snprintf(ret_path, path_bytes, "%s", reference);
        return (size_t)n < path_bytes || refuse(reterr, reference, "is too long");
    }
    const char *name = reference + sizeof prefix - 1;
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (*name == '\0' || strchr(name, '/') != NULL || strcmp(name, "..") == 0)
        return refuse(reterr, reference, "does not name a credential");
    if (directory == NULL || *directory == '\0')
        return refuse(reterr, reference, "needs $CREDENTIALS_DIRECTORY, which is not set");
    int n = snprintf(ret_path, path_bytes, "%s/%s", directory, name);
    return (size_t)n < path_bytes || refuse(reterr, reference, "is too long");
}

/* Checks the descriptor, not the name: what is read is what was checked. */
static bool open_checked(const char *path, mode_t forbidden, int *ret_fd, char *reterr)
{
    struct stat status;
    const char *why = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop us */
    if (fd < 0)
        return refuse_error(reterr, path, errno);
    if (fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "is not a file";
    else if ((status.st_mode & forbidden & (S_IWGRP | S_IWOTH)) != 0)
        why = "can be written by its group or by others";
    else if ((status.st_mode & forbidden) != 0)
        why = "can be read by others";
    if (why != NULL) {
        close(fd);
        return refuse(reterr, path, why);
    }
    *ret_fd = fd;
    return true;
}

static bool read_all(int fd, char *bytes, size_t room, size_t *ret_n)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, bytes + n, room - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        n += (size_t)got;
        if (got == 0 || n == room) {
            *ret_n = n;
            return true;
        }
    }
}

static const char *secret_fault(const char *bytes, size_t n)
{
    if (n == 0)
        return "is empty";
    return memchr(bytes, '\0', n) != NULL ? "has a zero byte in it" : NULL;
}

static bool read_text(const char *reference, mode_t forbidden, char **ret_text,
                      char reterr[SECRET_ERROR_BYTES])
{
    char path[4096];
    int fd;
    size_t n = 0;
    if (!secret_path(reference, path, sizeof path, reterr) ||
        !open_checked(path, forbidden, &fd, reterr))
        return false;
    char *bytes = calloc(1, SECRET_BYTES_MAX + 2); /* too long shows; then the zero */
    const char *why = NULL;
    if (bytes == NULL || !read_all(fd, bytes, SECRET_BYTES_MAX + 1, &n))
        why = strerror(errno);
    close(fd);
    if (why == NULL && n > SECRET_BYTES_MAX)
        why = "is longer than 16 KiB";
    if (why == NULL) {
        size_t newline = n > 0 && bytes[n - 1] == '\n' ? 1 : 0;
        if (newline == 1 && n > 1 && bytes[n - 2] == '\r')
            newline = 2;
        bytes[n - newline] = '\0';
        why = secret_fault(bytes, n - newline);
    }
    if (why != NULL) {
        if (bytes != NULL)
            explicit_bzero(bytes, SECRET_BYTES_MAX + 2);
        free(bytes);
        return refuse(reterr, path, why);
    }
    *ret_text = bytes;
    return true;
}

bool secret_read(const char *reference, char **ret_secret, char reterr[SECRET_ERROR_BYTES])
{
    return read_text(reference, S_IROTH | S_IWOTH | S_IWGRP, ret_secret, reterr);
}

bool public_file_read(const char *reference, char **ret_text, char reterr[SECRET_ERROR_BYTES])
{
    return read_text(reference, S_IWOTH | S_IWGRP, ret_text, reterr);
}

bool token_file_read(const char *reference, char **ret_token, char reterr[SECRET_ERROR_BYTES])
{
    return read_text(reference, 0, ret_token, reterr);
}

void secret_free(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

bool public_file_check(const char *reference, char reterr[SECRET_ERROR_BYTES])
{
    char path[4096];
    int fd;
    if (!secret_path(reference, path, sizeof path, reterr) ||
        !open_checked(path, S_IWGRP | S_IWOTH, &fd, reterr))
        return false;
    close(fd);
    return true;
}

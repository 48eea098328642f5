/* Secrets come from files only (contract 5). Blocking file reads: at start and on SIGHUP, and of a
 * federated token once an hour. */
#ifndef WORKER_SECRET_FILE_H
#define WORKER_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_BYTES_MAX = 16384, SECRET_ERROR_BYTES = 256 };

/* `credential:NAME` is $CREDENTIALS_DIRECTORY/NAME, all else is a path already. */
bool secret_path(const char *reference, char *ret_path, size_t path_bytes,
                 char reterr[SECRET_ERROR_BYTES]);

/* The file's bytes without one trailing newline, to be cleared and freed by the caller; *reterr
 * says why not: not there, empty, too long, a zero byte inside, readable by others, or writable by
 * group or others. */
bool secret_read(const char *reference, char **ret_secret, char reterr[SECRET_ERROR_BYTES]);
void secret_free(char *secret);

/* The same of a file that others may read, but not write. */
bool public_file_read(const char *reference, char **ret_text, char reterr[SECRET_ERROR_BYTES]);
/* The same of a platform's token file, whose permissions are the platform's. */
bool token_file_read(const char *reference, char **ret_token, char reterr[SECRET_ERROR_BYTES]);

/* A file of public keys: it is there, readable by us, and group or others cannot write it. */
bool public_file_check(const char *reference, char reterr[SECRET_ERROR_BYTES]);

#endif

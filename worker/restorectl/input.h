/* A file that the operator names, read whole; "-" is standard input. */
#ifndef WORKER_RESTORECTL_INPUT_H
#define WORKER_RESTORECTL_INPUT_H

#include "worker/restorectl/options.h"

enum { INPUT_BYTES_MAX = 64 * 1024 * 1024 };

struct input {
    char *bytes; /* owned; a zero stands behind the last */
    size_t n_bytes;
};
/* Errors go to stderr. */
enum exit_code input_read(const char *path, struct input *ret_input);
void input_deinit(struct input *input);

#endif

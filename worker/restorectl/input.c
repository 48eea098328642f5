#include "worker/restorectl/input.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum exit_code say(const char *path, int error)
{
    fprintf(stderr, "restorectl: %s: %s\n", path, strerror(error));
    return error == ENOENT ? EXIT_NO_FILE : EXIT_IO;
}

enum exit_code input_read(const char *path, struct input *ret_input)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    enum exit_code code = EXIT_OK;
    *ret_input = (struct input){0};
    if (file == NULL)
        return say(path, errno);
    ret_input->bytes = malloc(INPUT_BYTES_MAX + 2); /* costs what is written of it */
    assert(ret_input->bytes != NULL);
    ret_input->n_bytes = fread(ret_input->bytes, 1, INPUT_BYTES_MAX + 1, file);
    ret_input->bytes[ret_input->n_bytes] = '\0';
    if (ferror(file)) {
        code = say(is_stdin ? "stdin" : path, errno);
    } else if (ret_input->n_bytes > INPUT_BYTES_MAX) {
        fprintf(stderr, "restorectl: %s: more than %d MiB\n", path, INPUT_BYTES_MAX >> 20);
        code = EXIT_BAD_DATA;
    }
    if (!is_stdin)
        fclose(file);
    return code;
}

void input_deinit(struct input *input)
{
    free(input->bytes);
    *input = (struct input){0};
}

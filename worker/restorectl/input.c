#include "worker/restorectl/input.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 64 * 1024 };

static enum exit_code say(const char *path, int error)
{
    fprintf(stderr, "restorectl: %s: %s\n", path, strerror(error));
    return error == ENOENT ? EXIT_NO_FILE : EXIT_IO;
}

static enum exit_code read_all(FILE *file, const char *path, struct input *ret_input)
{
    size_t room = FIRST_BYTES;
    ret_input->bytes = malloc(room);
    for (;;) {
        assert(ret_input->bytes != NULL); /* at most 64 MiB */
        size_t free_bytes = room - ret_input->n_bytes - 1;
        ret_input->n_bytes += fread(ret_input->bytes + ret_input->n_bytes, 1, free_bytes, file);
        ret_input->bytes[ret_input->n_bytes] = '\0';
        if (ferror(file))
            return say(path, errno);
        if (feof(file))
            return EXIT_OK;
        if (ret_input->n_bytes + 1 < room)
            continue;
        if (room >= INPUT_BYTES_MAX) {
            fprintf(stderr, "restorectl: %s: more than %d MiB\n", path, INPUT_BYTES_MAX >> 20);
            return EXIT_BAD_DATA;
        }
        room *= 2;
        ret_input->bytes = realloc(ret_input->bytes, room);
    }
}

enum exit_code input_read(const char *path, struct input *ret_input)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    *ret_input = (struct input){0};
    if (file == NULL)
        return say(path, errno);
    enum exit_code code = read_all(file, is_stdin ? "stdin" : path, ret_input);
    if (!is_stdin)
        fclose(file);
    return code;
}

void input_deinit(struct input *input)
{
    free(input->bytes);
    *input = (struct input){0};
}

/* The commands and options of restorectl, one row each: what is parsed is what the help shows. */
#ifndef WORKER_RESTORECTL_OPTION_TABLE_H
#define WORKER_RESTORECTL_OPTION_TABLE_H

#include "worker/restorectl/options.h"

struct command_row {
    const char *word, *second; /* NULL: one word */
    const char *operands;      /* for the help */
    enum exit_code (*run)(const struct options *options);
    const char *help;
};
extern const struct command_row command_rows[COMMANDS];

/* Where the argument goes: `term` puts it into the request, as a column of a CSV file may, `take`
 * into the options; both give NULL, or what is wrong with it. With neither, the text itself is kept
 * at `offset` in the options, or true for an option without argument. */
struct option_row {
    const char *name;
    int letter;           /* 0: none */
    unsigned commands;    /* 1 << enum command */
    const char *argument; /* for the help; NULL: takes none */
    const char *help;
    const char *(*term)(struct restore_request *request, const char *text);
    const char *(*take)(struct options *options, const char *text);
    size_t offset;
};
enum { OPTION_ROWS = 25 };
extern const struct option_row option_rows[OPTION_ROWS];

/* Also wait's operand. */
const char *option_take_request_id(struct options *options, const char *text);

void help_print(FILE *out);
void version_print(FILE *out);

#endif

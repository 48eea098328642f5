/* CSV as RFC 4180 has it, with LF as well as CRLF, a byte order mark passed over and empty lines
 * left out. */
#ifndef WORKER_RESTORECTL_CSV_H
#define WORKER_RESTORECTL_CSV_H

#include <stdbool.h>
#include <stdio.h>

enum { CSV_FIELDS_MAX = 64 };

struct csv { /* csv_begin */
    char *at, *end;
    int line; /* that is read next, from 1 */
};

/* `bytes` has a zero behind its last byte and is written into: fields are unquoted in place. */
void csv_begin(struct csv *csv, char *bytes, size_t n_bytes);

enum csv_result { CSV_ROW, CSV_END, CSV_WRONG };

struct csv_row {
    int line; /* where it begins */
    int n;
    char *fields[CSV_FIELDS_MAX];
    /* CSV_WRONG: where, the column counted in bytes from 1, and what */
    int wrong_line, wrong_column;
    const char *wrong;
};
enum csv_result csv_next(struct csv *csv, struct csv_row *ret_row);

/* One field, quoted where it must be. */
void csv_put(FILE *out, const char *field);

#endif

/* Events for people, or for programs: -o text, json or csv. */
#ifndef WORKER_RESTORECTL_PRINTER_H
#define WORKER_RESTORECTL_PRINTER_H

#include "worker/restorectl/event.h"

struct printer {
    FILE *out;
    enum output output;
    int64_t wall_ms; /* days left are counted from here */
    bool has_header; /* csv: its first row is out */
};

/* Of an outcome, not of a request.
 * text: one line on what happened, then indented ones on what is left to do; of a list a table.
 * json: the structured CloudEvent in one line.
 * csv: one row a user, those of an outcome with `user` as it was named (NULL: as the event names
 * it), under the header of the first event; a batch's summary has no row of its own. Flushed. */
void printer_put(struct printer *printer, const struct event *event, const char *user);

/* Control characters, which a terminal would obey, are shown as "?": C0, DEL, and C1 as UTF-8
 * writes it (U+0080 to U+009F). NULL prints nothing. */
void print_clean(FILE *out, const char *text);

/* event_print.c; of anything but a list */
void event_print_text(const struct event *event, FILE *out);
/* list_print.c */
void list_print_text(const struct event *event, int64_t wall_ms, FILE *out);
void list_print_csv(const struct event *event, int64_t wall_ms, FILE *out);

#endif

/* The line on stderr that is written over; only people see it (a terminal). */
#ifndef WORKER_RESTORECTL_PROGRESS_H
#define WORKER_RESTORECTL_PROGRESS_H

#include "worker/restorectl/event.h"

struct progress {
    int total;
    int64_t begun_at_mono_ms;
    bool is_terminal;
    bool has_bar; /* else done of total and the time alone */
};
void progress_begin(struct progress *progress, int total, bool has_bar);
void progress_show(const struct progress *progress, int done, const struct tally *tally);
/* Before anything else is printed, and at the end. */
void progress_clear(const struct progress *progress);

#endif

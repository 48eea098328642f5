/* An outcome for people, or for programs. */
#ifndef WORKER_RESTORECTL_OUTCOME_PRINT_H
#define WORKER_RESTORECTL_OUTCOME_PRINT_H

#include "worker/restorectl/outcomes.h"

/* One line on what happened, then indented ones on what is left to do. Control characters, which a
 * terminal would obey, are shown as "?". */
void outcome_print_text(const struct found_outcome *found, FILE *out);
/* {"type","id","data"} in one line. */
void outcome_print_json(const struct found_outcome *found, FILE *out);

#endif

/* An item of a record with `users`, as its outcome stands in the journal. */
#ifndef CONSUMERS_SUMMARY_PART_H
#define CONSUMERS_SUMMARY_PART_H

#include "consumers/journal.h"
#include "policy/summary.h"

/* Reads the stored event; -EPROTO when it is no outcome. The texts are the caller's to free. */
int summary_part_read(const struct journal_record *record, struct summary_part *ret_part);
/* Frees the texts. */
void summary_part_clear(struct summary_part *part);

#endif

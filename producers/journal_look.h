/* Was a transaction committed? It is all or nothing, so one of its journal records tells. */
#ifndef PRODUCERS_JOURNAL_LOOK_H
#define PRODUCERS_JOURNAL_LOOK_H

#include "producers/publisher.h"

enum journal_look { JOURNAL_HAS_IT, JOURNAL_HAS_IT_NOT, JOURNAL_UNREADABLE };

/* Reads the journal partition, read_committed, at the offset that the delivery report named. To be
 * called after init_transactions has ended the transaction in question: before, its records are
 * neither there nor not there. Blocks until the deadline at most. */
enum journal_look journal_look(const struct publisher_settings *settings, int32_t partition,
                               int64_t offset, int64_t deadline_mono_ms);

#endif

/* A repeated request: the stored outcome again, word for word but for `replayed` (contract 2). */
#ifndef PRODUCERS_REPLAY_ENCODE_H
#define PRODUCERS_REPLAY_ENCODE_H

#include "producers/publisher.h"

/* What is stored is an outcome of ours: to be asked before a repeat becomes a publication, because
 * a batch that holds anything else fails as a whole. */
bool replay_is_possible(const struct record *stored);

/* Adds the event, with its old id and time, and the journal's done record with the new offset.
 * -ENOMEM; -EPROTO when replay_is_possible says no. */
int replay_encode(struct publication *publication);

#endif

/* A repeated request: the stored outcome again, word for word but for `replayed` (contract 2). */
#ifndef PRODUCERS_REPLAY_ENCODE_H
#define PRODUCERS_REPLAY_ENCODE_H

#include "producers/publisher.h"

/* Adds the event, with its old id and time, and the journal's done record with the new offset.
 * -ENOMEM; -EPROTO when what is stored is no outcome of ours. */
int replay_encode(struct publication *publication);

#endif

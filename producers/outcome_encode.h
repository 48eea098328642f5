/* An outcome as the event that readers get: succeeded, conflict, failed, planned or listed
 * (contract 4). */
#ifndef PRODUCERS_OUTCOME_ENCODE_H
#define PRODUCERS_OUTCOME_ENCODE_H

#include "policy/outcome.h"
#include "producers/json_out.h"
#include "producers/out_message.h"

/* How the data of every outcome begins. A replay is the stored value with the flag turned over, so
 * no JSON is parsed for it; whoever changes this changes what stands in the journals. */
#define OUTCOME_BEGIN "{\"replayed\":false,"

/* The event, for the topic of its verdict or mode. Its id follows from the request; that of
 * REASON_REQUEST_ID_REUSED from the digest too, because the plain id is the original's. -ENOMEM. */
int outcome_encode(const struct event_settings *settings, const struct outcome *outcome,
                   struct json_out *scratch, struct out_message **ret_event);

/* What went wrong in one sentence, without the facts; "" for a reason that is no failure. */
const char *failure_message(enum reason reason);

/* The user's object id, lower case: as resolved, else as the request named it, else "". */
void outcome_object_id(const struct outcome *outcome, char ret_id[GUID_CHARS + 1]);

#endif

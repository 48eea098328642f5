/* Records of the journal (design 7): an intent before a job's first change, done in the outcome's
 * own transaction. Never a secret. All go to the request record's own partition number. */
#ifndef PRODUCERS_JOURNAL_ENCODE_H
#define PRODUCERS_JOURNAL_ENCODE_H

#include "producers/json_out.h"
#include "producers/out_message.h"
#include "producers/publisher.h"

/* -ENOMEM is the only fault of each. */
int journal_encode_intent(const struct publication *publication, struct json_out *scratch,
                          struct out_message **ret_message);

/* done, at time_ms: value and headers of the published event and the rw- headers beside them.
 * Shares the event's value, so it must stand behind it in the publication. */
int journal_encode_done(const struct publication *publication,
                        const struct restore_request *request, int64_t time_ms,
                        const struct out_message *event, struct out_message **ret_message);

/* done without an outcome of its own, under `!<offset>`: a dead letter, a reused request id. */
int journal_encode_skipped(const struct publication *publication, const char *digest,
                           int64_t time_ms, struct out_message **ret_message);

/* The stored done record again, under publication->offset; its other headers stay as they are. */
int journal_encode_done_again(const struct publication *publication,
                              struct out_message **ret_message);

#endif

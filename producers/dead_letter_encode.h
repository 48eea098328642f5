/* Records that are not requests: bytes and headers untouched, with the reason in the headers that
 * Kafka Connect's tools read (contract 2), and a failure event when a request id could be read. */
#ifndef PRODUCERS_DEAD_LETTER_ENCODE_H
#define PRODUCERS_DEAD_LETTER_ENCODE_H

#include "policy/record.h"
#include "policy/request.h"
#include "producers/json_out.h"
#include "producers/publisher.h"

struct dead_letter {
    const struct record *record;   /* a copy, owned */
    struct request_envelope cause; /* id "": could not be read, so there is no failure event */
    const char *message;           /* owned */
    int64_t finished_at_ms;        /* wall clock, when it was refused */
    size_t held_bytes;             /* of memory */
};

/* Copies all it is given. cause NULL: nothing of the envelope could be read; else source, id,
 * correlation_id, traceparent and tracestate count. NULL: no memory. */
struct dead_letter *dead_letter_new(const struct record *record, const char *message,
                                    const struct request_envelope *cause, int64_t finished_at_ms);
void dead_letter_free(struct dead_letter *letter);

/* Adds to the publication: the dead letter, perhaps the failure event, and the journal's record.
 * -ENOMEM. */
int dead_letter_encode(const struct event_settings *settings, struct publication *publication,
                       struct json_out *scratch);

/* Takes away the value, at the second call the record's key and headers: the topic refused the
 * size. False when nothing is left to take, or the message is no dead letter. */
bool dead_letter_shrink(struct out_message *message);

#endif

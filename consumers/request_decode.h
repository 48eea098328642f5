/* Bytes and headers -> restore_request, or malformed with the position of the error (contract 2,
 * 3). Pure: no Kafka, no clock. Strict: unknown fields, wrong types, duplicates and over-long
 * values are malformed, never cut. */
#ifndef CONSUMERS_REQUEST_DECODE_H
#define CONSUMERS_REQUEST_DECODE_H

#include "policy/record.h"
#include "policy/request.h"

enum { REQUEST_BYTES_MAX = 64 * 1024, REQUEST_DEPTH_MAX = 16 };

struct decode_settings {
    const char *type_prefix; /* events.type_prefix */
    bool accept_plain_json;
};

/* Why a record is not a request. `message` names the place: "line 3, column 7 (byte 41): ..." or
 * "data.user.id: ...". When `request_id` could be read a failure event can name it. */
struct malformed {
    char message[512];
    char source[IDENTITY_BYTES + 1];
    char request_id[IDENTITY_BYTES + 1]; /* "": could not be read */
    char correlation_id[IDENTITY_BYTES + 1];
    char traceparent[64], tracestate[512 + 1];
};

enum decoded { DECODED_REQUEST, DECODED_MALFORMED };

/* Either reterr is written or the others: the request (without `user` when the record has `users`)
 * and its items, for the caller to free; NULL: it has no `users`. */
enum decoded request_decode(const struct decode_settings *settings, const struct record *record,
                            struct restore_request *ret_request, struct request_items **ret_items,
                            struct malformed *reterr);

#endif

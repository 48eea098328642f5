/* The envelope: CloudEvents 1.0 in binary or structured mode, or plain JSON without one (contract
 * 2). What is read of it is filled in even when the record is refused, so that a failure event can
 * name the request. */
#ifndef CONSUMERS_CLOUDEVENT_IN_H
#define CONSUMERS_CLOUDEVENT_IN_H

#include "consumers/json_in.h"
#include "consumers/request_decode.h"

struct cloudevent {
    /* All but the digest. `id` is "" while unknown, and in plain JSON without `requestId`. */
    struct request_envelope envelope;
    int64_t expires_at_ms; /* `expirytime`, 0: none */
    json_t *data;          /* owned; whatever JSON value stood there. NULL when refused. */
};

/* False after json_in_fail. */
bool cloudevent_read(struct json_in *in, const struct decode_settings *settings,
                     const struct record *record, struct cloudevent *ret_event);

#endif

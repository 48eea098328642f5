/* What each kind of publication consists of: the one place where a kind becomes messages. */
#ifndef PRODUCERS_PUBLICATION_ENCODE_H
#define PRODUCERS_PUBLICATION_ENCODE_H

#include "producers/json_out.h"
#include "producers/publisher.h"

/* Fills publication->messages, unless it is filled already. -ENOMEM, -EPROTO (a stored outcome that
 * is none), -EINVAL (the JWE); then nothing of the publication may be produced. */
int publication_encode(const struct event_settings *settings, struct publication *publication,
                       struct json_out *scratch);

#endif

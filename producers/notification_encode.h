/* "Send this e-mail" to the mail service: template, recipients and values; the texts are its own.
 * A generated password travels in it and nowhere else, as JWE (contract 4). */
#ifndef PRODUCERS_NOTIFICATION_ENCODE_H
#define PRODUCERS_NOTIFICATION_ENCODE_H

#include "policy/outcome.h"
#include "producers/json_out.h"
#include "producers/out_message.h"

/* To be called only when somebody stands in outcome->to. `password` "": none; else there must be a
 * recipient key, and it is cleared once it is inside the JWE. -ENOMEM, -EINVAL as jwe_encrypt. */
int notification_encode(const struct event_settings *settings, const struct outcome *outcome,
                        char *password, struct json_out *scratch, struct out_message **ret_event);

/* To the active user who gave way; only when somebody stands in outcome->freed.told. Never a
 * secret. -ENOMEM. */
int notification_encode_freed(const struct event_settings *settings, const struct outcome *outcome,
                              struct json_out *scratch, struct out_message **ret_event);

#endif

/* A request as JSON: whole structured CloudEvents, which an outcome hands out ready to send
 * (`resolutions`, `resend`), and the data alone, which restorectl sends. */
#ifndef PRODUCERS_REQUEST_ENCODE_H
#define PRODUCERS_REQUEST_ENCODE_H

#include "policy/request.h"
#include "producers/json_out.h"

/* The key of the record: the user as named, lower case; the request's id where none is (contract
 * 2). */
void request_key(const struct restore_request *request, char ret_key[IDENTITY_BYTES + 1]);

/* Writes the event as one JSON object. Its attributes are those of request->envelope; `time` is
 * written when requested_at_ms is not 0, `expirytime` never (data.notAfter says it). */
void request_encode(struct json_out *out, const char *name, const struct restore_request *request,
                    const char *type_prefix);

/* `data` for one user, for several (`users`), or for nobody (mode list). */
void request_encode_data(struct json_out *out, const char *name,
                         const struct restore_request *request, const struct named *users,
                         int n_users);

/* A ready request, {key, event}: the event without `time`, so that its age counts from sending, and
 * with an id of its own, made of `id_kind`, so that pressing twice acts once (contract 4). */
void request_encode_ready(struct json_out *out, const char *name,
                          const struct restore_request *ready, const char *id_kind,
                          const char *type_prefix);

/* "id", "userPrincipalName" or "appId"; NULL for nobody. */
const char *request_named_member(enum named_by by);
/* {"user":…} and {"requestedBy":…} as events and requests both say them; nothing for nobody. */
void request_encode_named(struct json_out *out, const char *name, const struct named *named);
void request_encode_ticket(struct json_out *out, const struct restore_request *request);

#endif

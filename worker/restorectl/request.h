/* A request as the Kafka record that restorectl sends (contract 2 and 3). */
#ifndef WORKER_RESTORECTL_REQUEST_H
#define WORKER_RESTORECTL_REQUEST_H

#include "worker/settings.h"

#include <jansson.h>
#include <stdio.h>

#define TOOL_SOURCE "urn:restorectl"

struct request {
    char *id, *key, *value; /* owned */
    char *user;             /* as named; owned; NULL: several, or nobody */
    bool is_event;          /* the value is a whole structured CloudEvent; else its data alone */
    bool is_batch;          /* of `users`: a summary ends it */
};

/* What `terms` asks for, for its own `user` (n_users 0: mode list has none) or, as a batch, for
 * `users`. `id` NULL: a random one. Owned: request_deinit. -errno of getrandom(2); -ENOMEM. */
int request_make(const struct restore_request *terms, const struct named *users, int n_users,
                 const char *id, struct request *ret_request);
/* A ready request of an event, {key, event}, as it stands there; with `requested_by`, unless it
 * names nobody, in the place of its own. False: it is none. */
bool request_from_ready(const json_t *ready, const struct named *requested_by,
                        struct request *ret_request);
void request_deinit(struct request *request);

enum { REQUEST_HEADERS = 6 };
struct request_header {
    const char *name;
    char value[IDENTITY_BYTES + 64];
};
/* How many; a structured event has one. `wall_ms` is when it is sent: its age counts from there. */
int request_headers(const struct request *request, const char *type_prefix, int64_t wall_ms,
                    struct request_header ret_headers[REQUEST_HEADERS]);

/* --print. */
void request_print(const struct request *request, const struct settings *settings, int64_t wall_ms,
                   bool json, FILE *out);

#endif

/* One user's request as the Kafka record that restorectl sends (contract 2 and 3). */
#ifndef WORKER_RESTORECTL_REQUEST_H
#define WORKER_RESTORECTL_REQUEST_H

#include "worker/restorectl/kafka.h"

enum { REQUEST_HEADERS = 6 };

struct request_record {
    char key[IDENTITY_BYTES + 1];
    struct {
        const char *name;
        char value[IDENTITY_BYTES + 64];
    } headers[REQUEST_HEADERS];
    char *value; /* owned */
};

/* `common` with `user` and a new random id unless one is given; -errno of getrandom(2). */
int request_begin(const struct options *options, int user, int64_t wall_ms,
                  struct restore_request *ret_request);

/* Owned: request_record_deinit. -ENOMEM. */
int request_record_init(const struct restore_request *request, const char *type_prefix,
                        struct request_record *ret_record);
void request_record_deinit(struct request_record *record);

/* --print. */
void request_record_print(const struct request_record *record, const char *topic, bool json,
                          FILE *out);

/* Sends all, and waits until Kafka has them. Errors go to stderr. */
enum exit_code requests_send(struct connection *connection, const struct request_record *records,
                             int n);

#endif

/* What restorectl reads: a CloudEvent of this project, as one JSON object. */
#ifndef WORKER_RESTORECTL_EVENT_H
#define WORKER_RESTORECTL_EVENT_H

#include "producers/cloudevent_out.h"
#include "worker/restorectl/options.h"

#include <jansson.h>
#include <librdkafka/rdkafka.h>

/* The text of a member, "" where there is none. */
const char *text_of(const json_t *object, const char *name);

struct event {
    json_t *whole; /* structured CloudEvent; owned */
    bool is_request;
    enum event_kind kind; /* of what is no request */
    int64_t at_ms;        /* the record's timestamp: which is newer */
    /* Of `whole`; "" where there is none. */
    const char *id;
    const char *request_id; /* of the request behind it; of a request its own */
    const json_t *data;
};

/* False: no request and no outcome. Takes `whole` in any case. */
bool event_from_json(json_t *whole, struct event *ret_event);
/* Binary or structured mode; of the requests topic plain JSON too (contract 2). */
bool event_from_message(const rd_kafka_message_t *message, struct event *ret_event);
void event_deinit(struct event *event);

/* A failure of the whole record, not of one user: malformed. */
bool event_ends_batch(const struct event *event);

/* What came of users, as exit codes count it: a plan by its `would`, a batch by its summary. */
struct tally {
    int64_t good, conflicts, failed;
};
void tally_add(struct tally *tally, const struct event *event);
/* Some failed is worse than a conflict; not to know is worse than both: then neither is certain. */
enum exit_code tally_exit_code(const struct tally *tally, int n_missing);

#endif

/* What topics create, check and acls share: the topics of contract section 2. */
#ifndef WORKER_RESTORECTL_TOPICS_H
#define WORKER_RESTORECTL_TOPICS_H

#include "worker/restorectl/kafka.h"

enum { TOPICS = OUT_TOPICS + 1 };

struct topic_plan {
    const char *name;
    int partitions;
    const char *cleanup;
    int64_t retention_ms;
    bool append_time; /* message.timestamp.type=LogAppendTime */
};

/* The topics without repeats, requests first: several kinds of events may share one, which then
 * keeps its records as long as the one that needs it longest. How many. */
int topics_plan(const struct settings *settings, struct topic_plan ret_plans[TOPICS]);

typedef enum exit_code topics_action(struct connection *connection, rd_kafka_t *client,
                                     const struct options *options);
enum exit_code topics_with_client(const struct options *options, topics_action *action);

/* Waits for the answer to an admin request; NULL and why not. */
rd_kafka_event_t *topics_await_answer(rd_kafka_queue_t *queue, rd_kafka_resp_err_t *ret_error);
enum exit_code topics_say_unanswered(struct connection *connection, rd_kafka_t *client,
                                     rd_kafka_resp_err_t error);

#endif

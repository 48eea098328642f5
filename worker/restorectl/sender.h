/* Sends requests to Kafka: acknowledged by all, never doubled by librdkafka itself. */
#ifndef WORKER_RESTORECTL_SENDER_H
#define WORKER_RESTORECTL_SENDER_H

#include "worker/restorectl/kafka.h"
#include "worker/restorectl/request.h"

struct sender;

/* All four print their errors to stderr. The connection must outlive it. */
enum exit_code sender_open(struct connection *connection, struct sender **ret_sender);
/* Queues it; waits only while the queue is full. */
enum exit_code sender_send(struct sender *sender, const struct request *request);
/* Whether any so far was not taken. Does not wait. */
enum exit_code sender_check(struct sender *sender);
/* Waits until Kafka has all of them. */
enum exit_code sender_flush(struct sender *sender);
void sender_close(struct sender *sender); /* NULL allowed */

#endif

/* An encoded Kafka message, one allocation each. It is encoded once and produced as often as it
 * takes: an outcome must not change between two attempts (a JWE made again would be another one).
 */
#ifndef PRODUCERS_OUT_MESSAGE_H
#define PRODUCERS_OUT_MESSAGE_H

#include "policy/record.h"
#include "producers/event_settings.h"

#include <stdbool.h>

struct publication;

struct out_message {
    struct out_message *next;
    enum out_topic topic;
    int32_t partition; /* -1: the partitioner chooses by key */
    const void *key;   /* NULL: none */
    size_t key_bytes;
    const void *value; /* NULL: none */
    size_t value_bytes;
    size_t n_headers;
    const struct record_header *headers;
    /* Of a dead letter: the record's own headers, first in the list, and what may be taken away
     * when the topic refuses the size (dead_letter_shrink). */
    size_t n_record_headers;
    int shrunk; /* how often */
    bool fits;  /* its topic has taken it, alone, in a transaction before */
    /* Of the running transaction, set by its delivery report. */
    int64_t delivered_offset; /* -1: not (yet) delivered */
    int delivery_error;       /* rd_kafka_resp_err_t */
};

/* Copies key, value and headers of `model` behind the new message. -ENOMEM. */
int out_message_new(const struct out_message *model, struct out_message **ret_message);
/* The same, but the value stays where it is: it must live as long (a journal record says the same
 * as the event before it in the publication's list). */
int out_message_new_sharing_value(const struct out_message *model,
                                  struct out_message **ret_message);
/* Appends what an encoder made to publication->messages, unless it returned a fault; returns `rc`.
 */
int publication_add(struct publication *publication, int rc, struct out_message *message);
void publication_free_messages(struct publication *publication);

#endif

/* What request_consumer.c and rebalance.c share: the one who serves and hands out, and the one who
 * takes partitions over and lets them go. Nobody else includes this. */
#ifndef CONSUMERS_REBALANCE_H
#define CONSUMERS_REBALANCE_H

#include "consumers/assignment.h"
#include "consumers/journal_reader.h"
#include "consumers/kafka_in.h"

struct held {
    struct request_partition partition;
    rd_kafka_queue_t *queue;
    int64_t end; /* as last reached: below it nothing is left but control records */
};

struct request_consumer {
    rd_kafka_t *handle;
    rd_kafka_topic_t *topic; /* keeps the partitions and their queues alive between assignments */
    rd_kafka_queue_t *queue; /* all but records: rebalances, errors, log lines, answers */
    struct journal_reader *reader;
    struct journal_index index;
    struct request_consumer_handlers handlers;
    char *group, *instance, *requests_topic, *journal_topic;
    bool start_latest;
    int wake_fd;

    enum {
        WITHOUT_TOPICS, /* not subscribed yet */
        IDLE,           /* nothing held */
        ASKING,         /* where do the partitions start? */
        LOADING,        /* their journal */
        READY,          /* to be assigned in the next turn, whose clock is younger than the load */
        HOLDING,
        REVOKING, /* the owner winds up */
        FAILED,
    } state;
    struct assignment *assignment; /* from ASKING to READY */
    struct assignment *next;       /* while REVOKING: follows */
    uint32_t epoch;
    int64_t act_at_mono_ms; /* WITHOUT_TOPICS: look again; ASKING: ask (again) */
    int64_t now_mono_ms;
    int n_all; /* partitions of the requests topic, 0: not known */

    int64_t rejoining_until_mono_ms; /* from a lost session to the next assignment and some time */
    bool member; /* of the group: the last assignment was answered, perhaps an empty one */
    int n_unreadable;
    int32_t first_unreadable;
    struct held **held;
    int n_held, turn;
    rd_kafka_message_t *message; /* taken, not released */
    struct record record;
    struct more_headers more;
    /* Found by take, told to the owner by service. */
    struct assigned_partition out_of_range; /* `start` UNKNOWN: none */
    rd_kafka_resp_err_t take_error;
    struct log_limit limit;
    char journal_warning[256]; /* "": none */
};

void consumer_log(struct request_consumer *consumer, int level, const char *line);
void consumer_fail(struct request_consumer *consumer, int exit_code, const char *why);

/* Partitions of the topics as the broker knows them; 0: there is no such topic, -1: no answer.
 * Blocks: librdkafka 2.0.2 has no other way to ask. */
struct topic_counts {
    int requests, journal;
};
struct topic_counts topics_count(struct request_consumer *consumer, int timeout_ms);

/* The partitions that are held, without a word to anybody. */
void held_drop(struct request_consumer *consumer);

/* What is due by the clock: topics, questions, the end of an assignment. */
void rebalance_act(struct request_consumer *consumer);
/* Events. */
void rebalance_on_assign(struct request_consumer *consumer,
                         const rd_kafka_topic_partition_list_t *list);
void rebalance_on_revoke(struct request_consumer *consumer);
void rebalance_on_answer(struct request_consumer *consumer, rd_kafka_event_t *event);
void rebalance_on_loaded(void *context, int32_t id, enum journal_load load, const char *why);

#endif

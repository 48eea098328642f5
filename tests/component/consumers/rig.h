/* What the tests of the consumer share: a cluster (librdkafka's mock, or a real one), topics of
 * their own, members of a group that are driven from one loop, and the transactional producer that
 * an earlier owner of the partitions would have had. */
#ifndef TESTS_CONSUMERS_RIG_H
#define TESTS_CONSUMERS_RIG_H

#include "consumers/request_consumer.h"

#include <librdkafka/rdkafka_mock.h>

enum { RIG_MOCK_BROKERS = 2, RIG_PARTITIONS_MAX = 48, RIG_MEMBERS_MAX = 4, RIG_BOUND_MS = 40000 };

int64_t rig_now_ms(void);

struct rig {
    char brokers[128];
    char group[64], requests[64], journal[64];
    int n_partitions;
    rd_kafka_mock_cluster_t *mock; /* NULL: a real cluster */
    rd_kafka_t *producer;
};

/* brokers NULL: the mock. Topics are made, unless n_journal is 0. */
void rig_start(struct rig *rig, const char *brokers, int n_partitions, int n_journal);
void rig_make_topic(struct rig *rig, const char *name, int n_partitions);
void rig_stop(struct rig *rig);
/* Writes n records to each partition of the requests, and waits until they are stored. */
void rig_produce(struct rig *rig, int n);
void rig_produce_to(struct rig *rig, int32_t partition, int n);

/* One member of the group. */
struct member {
    struct request_consumer *consumer;
    int wake_fd;
    int take_max;        /* so many records are taken, then no more */
    bool revoke_by_hand; /* the test calls request_consumer_finish_revoke */
    bool keep_open;      /* offsets stay open: nothing becomes committable */

    int n_assigned, n_revoked, n_lost, n_taken, n_fetched, n_fetched_nothing, n_turns;
    int64_t wish;                              /* the next turn, at the latest */
    int64_t started_ms, assigned_ms, taken_ms; /* moments of the last assignment, first take */
    int64_t longest_service_us;
    int taken[RIG_PARTITIONS_MAX];
    int64_t first_offset[RIG_PARTITIONS_MAX], last_offset[RIG_PARTITIONS_MAX];
    struct request_partition *held[RIG_PARTITIONS_MAX];
    bool journal_was_there[RIG_PARTITIONS_MAX]; /* at on_assigned, `expected_key` was found */
    const char *expected_key;
    char taken_order[64]; /* partition of the first takes, as '0' + id */
    struct journal_record fetched;
    char fetched_value[256];
    int exit_code;
    char why[256], log[4096];
};

void member_start(struct member *member, struct rig *rig, const char *instance,
                  const char *const *properties, int n_properties);
void member_stop(struct member *member);
/* What kill -9 leaves behind cannot be had in one process; this only stops serving it. */
void member_abandon(struct member *member);
/* One turn of all members. */
void rig_turn(void);
void rig_turn_for(int64_t ms);
/* A turn for nothing but a wake-up: false when there was none in RIG_BOUND_MS. */
bool rig_turn_when_woken(void);

/* Turns until the condition holds. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t until_ms_ = rig_now_ms() + RIG_BOUND_MS;                                           \
        while (!(condition) && rig_now_ms() < until_ms_)                                           \
            rig_turn();                                                                            \
        assert_true(condition);                                                                    \
    } while (0)

/* The publisher of an owner. */
rd_kafka_t *owner_new(struct rig *rig, const char *transactional_id);
void owner_begin(rd_kafka_t *owner);
void owner_write_journal(rd_kafka_t *owner, struct rig *rig, int32_t partition, const char *key,
                         const char *state, int64_t request_offset, const char *value);
/* As member, at its present generation. */
void owner_send_offset(rd_kafka_t *owner, struct rig *rig, struct member *member, int32_t partition,
                       int64_t offset);
void owner_commit(rd_kafka_t *owner);
void owner_abort(rd_kafka_t *owner);
/* Without transaction, for the mock. */
void rig_write_journal(struct rig *rig, int32_t partition, const char *key, const char *state,
                       int64_t request_offset, const char *value);

#endif

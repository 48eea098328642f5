#include "rig.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static struct member *members[RIG_MEMBERS_MAX];
static int n_members;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t rig_now_ms(void)
{
    return now_us() / 1000;
}

/* ---- cluster, topics, records ---- */

static rd_kafka_t *producer_new(const char *brokers, const char *const *options)
{
    char reterr[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
    rd_kafka_conf_set(conf, "linger.ms", "1", NULL, 0);
    for (; options != NULL && options[0] != NULL; options += 2)
        rd_kafka_conf_set(conf, options[0], options[1], NULL, 0);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reterr, sizeof reterr);
    assert(producer != NULL);
    return producer;
}

void rig_make_topic(struct rig *rig, const char *name, int n_partitions)
{
    if (rig->mock != NULL) {
        rd_kafka_mock_topic_create(rig->mock, name, n_partitions, 1);
        return;
    }
    char reterr[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, n_partitions, 1, reterr, sizeof reterr);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rig->producer);
    rd_kafka_CreateTopics(rig->producer, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert(event != NULL && rd_kafka_event_error(event) == 0);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
}

void rig_start(struct rig *rig, const char *brokers, int n_partitions, int n_journal)
{
    static int n_rigs;
    char reterr[256];
    *rig = (struct rig){.n_partitions = n_partitions};
    snprintf(rig->group, sizeof rig->group, "group-%d-%d", (int)getpid(), ++n_rigs);
    snprintf(rig->requests, sizeof rig->requests, "requests-%d-%d", (int)getpid(), n_rigs);
    snprintf(rig->journal, sizeof rig->journal, "journal-%d-%d", (int)getpid(), n_rigs);
    if (brokers == NULL) {
        char n_brokers[8];
        snprintf(n_brokers, sizeof n_brokers, "%d", RIG_MOCK_BROKERS);
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "test.mock.num.brokers", n_brokers, reterr, sizeof reterr);
        rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
        rig->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reterr, sizeof reterr);
        assert(rig->producer != NULL);
        rig->mock = rd_kafka_handle_mock_cluster(rig->producer);
        brokers = rd_kafka_mock_cluster_bootstraps(rig->mock);
    } else {
        rig->producer = producer_new(brokers, NULL);
    }
    snprintf(rig->brokers, sizeof rig->brokers, "%s", brokers);
    if (n_partitions > 0)
        rig_make_topic(rig, rig->requests, n_partitions);
    if (n_journal > 0)
        rig_make_topic(rig, rig->journal, n_journal);
}

void rig_stop(struct rig *rig)
{
    while (n_members > 0)
        member_stop(members[0]);
    rd_kafka_destroy(rig->producer);
}

void rig_produce_to(struct rig *rig, int32_t partition, int n)
{
    for (int i = 0; i < n; i++) {
        rd_kafka_resp_err_t error = rd_kafka_producev(
            rig->producer, RD_KAFKA_V_TOPIC(rig->requests), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY("key", 3), RD_KAFKA_V_VALUE("{}", 2), RD_KAFKA_V_HEADER("ce_id", "1", 1),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        assert(error == 0);
        rd_kafka_poll(rig->producer, 0);
    }
}

void rig_produce(struct rig *rig, int n)
{
    for (int32_t partition = 0; partition < rig->n_partitions; partition++)
        rig_produce_to(rig, partition, n);
    rd_kafka_resp_err_t error = rd_kafka_flush(rig->producer, 20000);
    assert(error == 0);
}

static void write_journal(rd_kafka_t *producer, struct rig *rig, int32_t partition, const char *key,
                          const char *state, int64_t request_offset, const char *value)
{
    static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char offset[24];
    snprintf(offset, sizeof offset, "%" PRId64, request_offset);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(rig->journal), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
        RD_KAFKA_V_HEADER("rw-v", "1", 1), RD_KAFKA_V_HEADER("rw-state", state, -1),
        RD_KAFKA_V_HEADER("rw-offset", offset, -1), RD_KAFKA_V_HEADER("rw-digest", digest, -1),
        RD_KAFKA_V_HEADER("rw-time", "1700000000000", -1),
        RD_KAFKA_V_HEADER("rw-started", "1700000000000", -1),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK), RD_KAFKA_V_END);
    assert(error == 0);
    rd_kafka_poll(producer, 0);
}

void rig_write_journal(struct rig *rig, int32_t partition, const char *key, const char *state,
                       int64_t request_offset, const char *value)
{
    write_journal(rig->producer, rig, partition, key, state, request_offset, value);
}

/* ---- members ---- */

static void on_assigned(void *context, struct request_partition *partition)
{
    struct member *member = context;
    member->n_assigned++;
    member->assigned_ms = rig_now_ms();
    member->held[partition->id] = partition;
    member->taken[partition->id] = 0; /* begins anew where nothing was committed */
    struct journal_key key;
    if (member->expected_key != NULL &&
        journal_key_from_text(member->expected_key, strlen(member->expected_key), &key))
        member->journal_was_there[partition->id] =
            request_consumer_journal_find(member->consumer, partition->id, &key) != NULL;
}

static void on_revoked(void *context, bool lost)
{
    struct member *member = context;
    member->n_revoked++;
    member->n_lost += lost;
    memset(member->held, 0, sizeof member->held);
    if (!member->revoke_by_hand)
        request_consumer_finish_revoke(member->consumer);
}

static void on_fetched(void *context, void *fetch_context, const struct journal_record *record)
{
    struct member *member = context;
    assert(fetch_context == member);
    if (record == NULL) {
        member->n_fetched_nothing++;
        return;
    }
    member->n_fetched++;
    member->fetched = *record;
    snprintf(member->fetched_value, sizeof member->fetched_value, "%.*s",
             (int)record->record->value_bytes, (const char *)record->record->value);
}

static void on_failed(void *context, int exit_code, const char *why)
{
    struct member *member = context;
    member->exit_code = exit_code;
    snprintf(member->why, sizeof member->why, "%s", why);
}

static void on_log(void *context, int level, const char *line)
{
    struct member *member = context;
    size_t used = strlen(member->log);
    snprintf(member->log + used, sizeof member->log - used, "%d %s\n", level, line);
    if (getenv("RIG_LOG") != NULL)
        fprintf(stderr, "%" PRId64 " %d %s\n", rig_now_ms(), level, line);
}

void member_start(struct member *member, struct rig *rig, const char *instance,
                  const char *const *properties, int n_properties)
{
    int take_max = member->take_max;
    *member = (struct member){.take_max = take_max,
                              .revoke_by_hand = member->revoke_by_hand,
                              .keep_open = member->keep_open,
                              .expected_key = member->expected_key};
    member->started_ms = rig_now_ms();
    member->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const struct request_consumer_settings settings = {.brokers = rig->brokers,
                                                       .group = rig->group,
                                                       .instance = instance,
                                                       .requests_topic = rig->requests,
                                                       .journal_topic = rig->journal,
                                                       .n_properties = n_properties,
                                                       .properties = properties,
                                                       .journal_window_ms = 72 * 3600 * 1000L,
                                                       .wake_fd = member->wake_fd};
    const struct request_consumer_handlers handlers = {.context = member,
                                                       .on_assigned = on_assigned,
                                                       .on_revoked = on_revoked,
                                                       .on_fetched = on_fetched,
                                                       .on_failed = on_failed,
                                                       .on_log = on_log};
    char reterr[256];
    int result =
        request_consumer_new(&settings, &handlers, &member->consumer, reterr, sizeof reterr);
    assert(result == 0);
    assert(n_members < RIG_MEMBERS_MAX);
    members[n_members++] = member;
}

static void member_forget(struct member *member)
{
    for (int i = 0; i < n_members; i++)
        if (members[i] == member) {
            members[i] = members[--n_members];
            return;
        }
}

void member_abandon(struct member *member)
{
    member_forget(member);
}

void member_stop(struct member *member)
{
    member_forget(member);
    request_consumer_free(member->consumer);
    close(member->wake_fd);
    member->consumer = NULL;
}

static void member_take(struct member *member)
{
    while (member->n_taken < member->take_max) {
        struct open_offset *entry = malloc(sizeof *entry); /* lives as long as its partition */
        struct request_partition *partition;
        const struct record *record = request_consumer_take(member->consumer, &partition, entry);
        if (record == NULL) {
            free(entry);
            return;
        }
        if (member->n_taken == 0)
            member->taken_ms = rig_now_ms();
        if (member->n_taken < (int)sizeof member->taken_order - 1)
            member->taken_order[member->n_taken] = (char)('0' + record->partition);
        if (member->taken[record->partition] == 0)
            member->first_offset[record->partition] = record->offset;
        else
            assert(record->offset == member->last_offset[record->partition] + 1);
        member->last_offset[record->partition] = record->offset;
        member->taken[record->partition]++;
        member->n_taken++;
        request_consumer_release(member->consumer);
        if (member->keep_open)
            continue; /* leaked on purpose: the partition's list points to it */
        offsets_close(&partition->offsets, entry);
        free(entry);
    }
}

static void member_turn(struct member *member)
{
    uint64_t wakes;
    (void)!read(member->wake_fd, &wakes, sizeof wakes);
    member->n_turns++;
    int64_t before_us = now_us();
    member->wish = request_consumer_service(member->consumer, before_us / 1000);
    int64_t took_us = now_us() - before_us;
    if (took_us > member->longest_service_us)
        member->longest_service_us = took_us;
    if (member->exit_code == 0)
        member_take(member);
}

/* Waits first: what a turn did must be seen by the test before it waits again. */
static bool turn(int64_t wait_ms)
{
    struct pollfd fds[RIG_MEMBERS_MAX];
    for (int i = 0; i < n_members; i++)
        fds[i] = (struct pollfd){.fd = members[i]->wake_fd, .events = POLLIN};
    bool woken = poll(fds, (nfds_t)n_members, wait_ms > 0 ? (int)wait_ms : 0) > 0;
    for (int i = 0; i < n_members; i++)
        member_turn(members[i]);
    return woken;
}

void rig_turn(void)
{
    int64_t wish = rig_now_ms() + 200;
    for (int i = 0; i < n_members; i++)
        wish = members[i]->wish < wish ? members[i]->wish : wish;
    (void)turn(wish - rig_now_ms());
}

bool rig_turn_when_woken(void)
{
    return turn(RIG_BOUND_MS);
}

void rig_turn_for(int64_t ms)
{
    for (int64_t until_ms = rig_now_ms() + ms; rig_now_ms() < until_ms;)
        rig_turn();
}

/* ---- the publisher of an owner ---- */

static void owner_check(rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    fprintf(stderr, "transaction: %s\n", rd_kafka_error_string(error));
    assert(error == NULL);
}

rd_kafka_t *owner_new(struct rig *rig, const char *transactional_id)
{
    char id[128];
    snprintf(id, sizeof id, "%s-%s", rig->group, transactional_id);
    const char *options[] = {
        "transactional.id", id, "transaction.timeout.ms", "15000", "retry.backoff.ms", "5", NULL};
    rd_kafka_t *owner = producer_new(rig->brokers, options);
    owner_check(rd_kafka_init_transactions(owner, 20000));
    return owner;
}

void owner_begin(rd_kafka_t *owner)
{
    owner_check(rd_kafka_begin_transaction(owner));
}

void owner_write_journal(rd_kafka_t *owner, struct rig *rig, int32_t partition, const char *key,
                         const char *state, int64_t request_offset, const char *value)
{
    write_journal(owner, rig, partition, key, state, request_offset, value);
    rd_kafka_resp_err_t error = rd_kafka_flush(owner, 20000);
    assert(error == 0);
}

void owner_send_offset(rd_kafka_t *owner, struct rig *rig, struct member *member, int32_t partition,
                       int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, rig->requests, partition)->offset = offset;
    rd_kafka_consumer_group_metadata_t *membership = request_consumer_membership(member->consumer);
    owner_check(rd_kafka_send_offsets_to_transaction(owner, list, membership, 20000));
    rd_kafka_consumer_group_metadata_destroy(membership);
    rd_kafka_topic_partition_list_destroy(list);
}

void owner_commit(rd_kafka_t *owner)
{
    owner_check(rd_kafka_commit_transaction(owner, 20000));
}

void owner_abort(rd_kafka_t *owner)
{
    owner_check(rd_kafka_abort_transaction(owner, 20000));
}

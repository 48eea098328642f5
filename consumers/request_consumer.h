/* The consumer of the requests topic, and with it the journal's reader: group membership,
 * assignment in the order of design section 6, one queue per partition. Loop thread only; nothing
 * here blocks but new and free. */
#ifndef CONSUMERS_REQUEST_CONSUMER_H
#define CONSUMERS_REQUEST_CONSUMER_H

#include "consumers/journal.h"
#include "consumers/offsets.h"
#include "policy/record.h"

#include <librdkafka/rdkafka.h>

struct request_consumer;

/* One partition while it is held. */
struct request_partition {
    int32_t id;
    struct offsets offsets;
    int64_t loaded_at_mono_ms; /* when the journal had been read: settling counts from here */
};

struct request_consumer_settings {
    const char *brokers, *group, *instance, *requests_topic, *journal_topic;
    int n_properties;
    const char *const *properties; /* "name=value", passed to librdkafka */
    bool start_latest;             /* where no offset is committed */
    int64_t journal_window_ms;     /* dedupe window: older done records need not be indexed */
    int wake_fd; /* eventfd, borrowed: librdkafka writes to it when something waits */
};

/* Called from request_consumer_service, and from nowhere else. */
struct request_consumer_handlers {
    void *context;
    /* The partition's journal is read and its records may be taken. */
    void (*on_assigned)(void *context, struct request_partition *partition);
    /* All partitions go (the protocol is eager). Nothing is taken any more. The owner winds up and
     * calls request_consumer_finish_revoke, at once if `lost` (they are somebody else's already).
     * Until then the partitions stay as they are; fetches that are open are never answered. */
    void (*on_revoked)(void *context, bool lost);
    /* The answer to request_consumer_fetch; record NULL: it could not be had (compacted away, or an
     * error that was logged). */
    void (*on_fetched)(void *context, void *fetch_context, const struct journal_record *record);
    /* The consumer cannot go on: exit with this code (contract 1). FENCED_INSTANCE_ID is 78; but 75
     * where it may have been a request of our own that was answered late: begin again. */
    void (*on_failed)(void *context, int exit_code, const char *why);
    /* One line for the log; level as syslog(3). */
    void (*on_log)(void *context, int level, const char *line);
};

/* Makes the handles of consumer and journal reader and subscribes. Fault: -EINVAL with a sentence
 * in reterr (a property that librdkafka refuses). */
int request_consumer_new(const struct request_consumer_settings *settings,
                         const struct request_consumer_handlers *handlers,
                         struct request_consumer **ret_consumer, char *reterr, size_t reterr_bytes);

/* Serves what waits: rebalances, offset look-ups, journal records. To be called when wake_fd is
 * readable, and no later than the moment returned (mono ms, INT64_MAX: no wish). */
int64_t request_consumer_service(struct request_consumer *consumer, int64_t now_mono_ms);

/* The next record of the held partitions, in turn, its offset opened into `entry`; NULL when none
 * waits. The record and what it borrows live until request_consumer_release. */
const struct record *request_consumer_take(struct request_consumer *consumer,
                                           struct request_partition **ret_partition,
                                           struct open_offset *entry);
void request_consumer_release(struct request_consumer *consumer);

/* Held / all partitions of the topic: this instance's share. */
void request_consumer_share(const struct request_consumer *consumer, int *ret_held, int *ret_all);

/* How it stands with the group and the journal, for the admin pages. */
enum consumer_standing {
    CONSUMER_WITHOUT_TOPICS, /* they do not exist, or no broker answers */
    CONSUMER_OUTSIDE,        /* the group has not assigned anything yet, or took all away */
    CONSUMER_TAKING_OVER,    /* offsets and journal of the partitions are being read */
    CONSUMER_MEMBER,         /* perhaps of no partition */
    CONSUMER_REVOKING,
    CONSUMER_FAILED,
};
enum consumer_standing request_consumer_standing(const struct request_consumer *consumer);
/* Assigned partitions that are not taken since their journal is unreadable; the lowest of them. */
int request_consumer_unreadable(const struct request_consumer *consumer, int32_t *ret_first);
/* What is wrong with the journal's retention, "" nothing: readiness warns. */
const char *request_consumer_journal_warning(const struct request_consumer *consumer);
/* Records of the held partitions that were not taken yet, as of the last fetch; control records of
 * transactions count until their end was reached. */
int64_t request_consumer_behind(const struct request_consumer *consumer);
/* For how long a repeat is recognised: the window, or less when the index had no room. */
int64_t request_consumer_window_ms(const struct request_consumer *consumer, int64_t now_wall_ms);

/* Index of the journal: survives a revoke, so that only the tail is read after it. */
const struct journal_entry *request_consumer_journal_find(const struct request_consumer *consumer,
                                                          int32_t partition,
                                                          const struct journal_key *key);
/* What this process has committed itself. */
void request_consumer_journal_put(struct request_consumer *consumer, int32_t partition,
                                  const struct journal_entry *entry);
/* Asks for the record at entry->journal_offset; the answer comes to on_fetched. */
void request_consumer_fetch(struct request_consumer *consumer, int32_t partition,
                            int64_t journal_offset, void *fetch_context);

/* Membership as of now, for the batch that is being closed; owned by the caller
 * (rd_kafka_consumer_group_metadata_destroy). */
rd_kafka_consumer_group_metadata_t *request_consumer_membership(struct request_consumer *consumer);

void request_consumer_finish_revoke(struct request_consumer *consumer);

/* Leaves the group; blocks up to a bound that the caller watches (librdkafka 2.0.2 can hang here:
 * kafka-worker.md 2.6). NULL is allowed. */
void request_consumer_free(struct request_consumer *consumer);

#endif

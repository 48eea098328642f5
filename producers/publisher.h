/* The publisher thread: owns the one transactional producer. A batch goes in, events + journal
 * records + offsets go out in one Kafka transaction, the batch comes back (design 6). */
#ifndef PRODUCERS_PUBLISHER_H
#define PRODUCERS_PUBLISHER_H

#include "policy/intent.h"
#include "policy/outcome.h"
#include "policy/record.h"
#include "policy/summary.h"
#include "producers/event_settings.h"

#include <librdkafka/rdkafka.h>

enum publication_kind {
    PUBLISH_INTENT,  /* journal: intent */
    PUBLISH_OUTCOME, /* outcome event, notification, journal: done */
    PUBLISH_SUMMARY, /* summary of a record with `users`, journal: done */
    PUBLISH_REUSED,  /* failure event request_id_reused, journal: done under `!<offset>`, that of a
                        record's k-th item with the event under `!<offset>#<k>` */
    PUBLISH_REPLAY, /* a stored outcome again, replayed = true, journal: done with the new offset */
    PUBLISH_DEAD_LETTER, /* the record, perhaps a failure event, journal: done under `!<offset>` */
};

struct out_message; /* producers/out_message.h */

/* One thing to publish. The loop thread fills it; from submit to take it belongs to the publisher,
 * with all that it borrows. */
struct publication {
    struct publication *next;
    enum publication_kind kind;
    int32_t partition;  /* of the request record, and so of the journal record */
    int64_t offset;     /* of the request record: rw-offset */
    int item;           /* of a record with `users`: the k-th; 0: the record itself */
    int64_t started_ms; /* rw-started */
    size_t held_bytes;  /* by its owner for it, beyond what every request costs */
    union {
        struct {
            const struct restore_request *request;
            const struct intent *intent;
        } intent;
        struct {
            const struct outcome *outcome;
            char *password; /* borrowed; "": none. Cleared once it is inside the JWE. */
        } outcome;
        const struct summary *summary;
        const struct outcome *reused;
        struct {
            const struct record *record; /* the journal's done record, the caller's copy */
            enum request_mode mode;      /* of the request that asks again */
        } replay;
        struct dead_letter *dead_letter; /* producers/dead_letter_encode.h */
    } of;
    void *owner; /* the caller's */

    /* Filled by the publisher. */
    struct out_message *messages; /* encoded once: produced again after an abort, byte for byte */
    int64_t journal_offset;       /* where the journal record came to stand */
};

enum { BATCH_PUBLICATIONS_MAX = 1000 };

struct batch_offset {
    int32_t partition;
    int64_t offset; /* to commit: the next one to read after a restart */
};

struct batch {
    struct publication *first, *last;
    int n_publications;
    size_t held_bytes; /* by its publications */
    int n_offsets;
    struct batch_offset *offsets;                   /* one per partition that has a publication */
    rd_kafka_consumer_group_metadata_t *membership; /* taken when the batch was closed; owned */

    /* Filled by the publisher. */
    enum batch_result {
        BATCH_COMMITTED,
        BATCH_REFUSED, /* an old generation's: nothing was published, nothing may be until the next
                          assignment */
        BATCH_FAILED,  /* the process cannot go on: `error` says why, `exit_code` how it ends */
    } result;
    int exit_code;                 /* contract 1: 69, 70, 77 or 78 */
    int64_t committing_at_mono_ms; /* before the commit was sent: what PROOF_MS counts from */
    char error[256];
};

enum {
    /* After so long without Kafka a batch comes back as BATCH_FAILED. */
    PUBLISH_GIVES_UP_MS = 300 * 1000,
    /* A batch that is still out after this never comes back: a call of librdkafka hangs, which it
     * can (measurements 4b). The loop ends the process; the journal resolves the rest. */
    PUBLISH_STUCK_MS = 420 * 1000,
};

struct publisher;

struct publisher_settings { /* what it borrows outlives the publisher */
    const char *brokers, *group, *instance, *requests_topic;
    int n_properties;
    const char *const *properties;
    const struct event_settings *events; /* borrowed */
    int64_t (*read_mono_ms)(void);       /* the one clock this thread needs */
    void (*log)(void *context, int level,
                const char *line); /* level as syslog(3); any thread; must be thread-safe */
    void *log_context;
};

/* Makes the producer, fetches metadata and ends an earlier incarnation's transaction
 * (init_transactions); blocks until then, at most timeout_ms. With a sentence: -EINVAL (a property,
 * a topic), -EACCES (Kafka does not permit it), -ETIMEDOUT. */
int publisher_new(const struct publisher_settings *settings, int timeout_ms,
                  struct publisher **ret_publisher, char *reterr, size_t reterr_bytes);

/* Readable when a batch came back. */
int publisher_fd(const struct publisher *publisher);

/* One batch at a time: submit only after the previous one was taken back. */
void publisher_submit(struct publisher *publisher, struct batch *batch);
/* The batch that came back, NULL if it is still out. Waits up to timeout_ms (0: not at all). */
struct batch *publisher_take(struct publisher *publisher, int timeout_ms);

/* Ends the thread and the producer; the batch that is out must have been taken back. NULL allowed.
 */
void publisher_free(struct publisher *publisher);

#endif

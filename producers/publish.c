#include "producers/publish.h"

#include "producers/dead_letter_encode.h"
#include "producers/journal_look.h"
#include "producers/publication_encode.h"
#include "producers/transaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>

enum { PAUSE_FIRST_MS = 10, PAUSE_MAX_MS = 1000, LOOK_MS = 60 * 1000 };

struct publishing {
    const struct publisher_settings *settings;
    struct producer *producer;
    struct batch *batch;
    struct transaction transaction;
    int64_t deadline_mono_ms;
    bool gained; /* by the last attempt: one size is known that was not */
};

__attribute__((format(printf, 3, 4))) static void fail(struct publishing *p, int exit_code,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(p->batch->error, sizeof p->batch->error, format, arguments);
    va_end(arguments);
    p->batch->result = BATCH_FAILED;
    p->batch->exit_code = exit_code;
}

static void say(struct publishing *p, const char *what)
{
    char line[320];
    (void)snprintf(line, sizeof line, "transaction of %d: %s (%s)", p->batch->n_publications,
                   p->transaction.why, what);
    p->settings->log(p->settings->log_context, LOG_WARNING, line);
}

static bool encode_all(struct publishing *p, struct json_out *scratch)
{
    for (struct publication *publication = p->batch->first; publication != NULL;
         publication = publication->next) {
        int rc = publication_encode(p->settings->events, publication, scratch);
        if (rc == 0)
            continue;
        fail(p, EX_SOFTWARE, "request at partition %" PRId32 " offset %" PRId64 ": %s",
             publication->partition, publication->offset,
             rc == -EPROTO   ? "what the journal holds is no outcome"
             : rc == -EINVAL ? "the password could not be encrypted"
                             : "no memory");
        return false;
    }
    return true;
}

/* The coordinator fences a producer for two reasons: another one was made with its transactional
 * id, or its transaction grew too old (a frozen process that wakes up). Only the first is somebody
 * else. */
static bool is_fenced_by_another(const struct publishing *p)
{
    char why[8];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(p->producer->handle, why, sizeof why);
    int64_t age_ms = p->settings->read_mono_ms() - p->transaction.began_at_mono_ms;
    return (code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
            code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH) &&
           age_ms < TRANSACTION_TIMEOUT_MS;
}

/* A new producer for the old: its init_transactions ends whatever the old one left open, and no
 * request of the old one that is still under way can do harm after it. */
static bool renew_producer(struct publishing *p)
{
    char error[200];
    if (is_fenced_by_another(p)) {
        fail(p, EX_CONFIG, "another process uses kafka.instance %s", p->settings->instance);
        return false;
    }
    producer_close(p->producer);
    int rc = producer_open(p->producer, p->settings, p->deadline_mono_ms, error, sizeof error);
    if (rc < 0)
        fail(p, rc == -EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s", error);
    return rc == 0;
}

static bool abort_transaction(struct publishing *p)
{
    return transaction_abort(p->producer, p->settings, p->transaction.why,
                             sizeof p->transaction.why) == 0 ||
           renew_producer(p);
}

static const struct out_message *journal_message(const struct publication *publication)
{
    const struct out_message *message = publication->messages;
    while (message->topic != TOPIC_JOURNAL)
        message = message->next; /* every publication has one */
    return message;
}

static void finish_committed(struct publishing *p)
{
    for (struct publication *publication = p->batch->first; publication != NULL;
         publication = publication->next)
        publication->journal_offset = journal_message(publication)->delivered_offset;
    p->batch->committing_at_mono_ms = p->transaction.committing_at_mono_ms;
    p->batch->result = BATCH_COMMITTED;
}

/* True when the batch is done, one way or the other. */
static bool resolve_unknown(struct publishing *p)
{
    const struct publication *first = p->batch->first;
    say(p, "looking into the journal");
    if (!renew_producer(p))
        return true;
    switch (journal_look(p->settings, first->partition, journal_message(first)->delivered_offset,
                         p->settings->read_mono_ms() + LOOK_MS)) {
    case JOURNAL_HAS_IT: finish_committed(p); return true;
    case JOURNAL_HAS_IT_NOT: return false;
    case JOURNAL_UNREADABLE: break;
    }
    fail(p, EX_UNAVAILABLE, "the journal does not tell whether a transaction was committed");
    return true;
}

static bool resolve_not(struct publishing *p)
{
    say(p, "again");
    if (!abort_transaction(p))
        return true;
    struct out_message *too_large = transaction_too_large(p->batch);
    if (too_large == NULL)
        return false;
    bool *one_by_one = &p->transaction.one_by_one[too_large->topic];
    if (*one_by_one && !dead_letter_shrink(too_large)) {
        fail(p, EX_CONFIG, "topic %s refuses a record of %zu bytes: raise its max.message.bytes",
             p->settings->events->topics[too_large->topic], too_large->value_bytes);
        return true;
    }
    *one_by_one = true;
    p->gained = true;
    return false;
}

static bool resolve(struct publishing *p)
{
    switch (p->transaction.end) {
    case TRANSACTION_COMMITTED: finish_committed(p); return true;
    case TRANSACTION_UNKNOWN: return resolve_unknown(p);
    case TRANSACTION_NOT: return resolve_not(p);
    case TRANSACTION_REFUSED: break;
    }
    say(p, "refused");
    if (abort_transaction(p))
        p->batch->result = BATCH_REFUSED;
    return true;
}

void publish_batch(const struct publisher_settings *settings, struct producer *producer,
                   struct json_out *scratch, struct batch *batch)
{
    struct publishing p = {.settings = settings,
                           .producer = producer,
                           .batch = batch,
                           .deadline_mono_ms = settings->read_mono_ms() + PUBLISH_GIVES_UP_MS};
    if (!encode_all(&p, scratch))
        return;
    for (int pause_ms = PAUSE_FIRST_MS;; pause_ms *= 2) {
        p.gained = false;
        transaction_run(producer, settings, batch, &p.transaction);
        if (resolve(&p))
            return;
        if (p.gained) { /* nothing is wrong with Kafka; it ends, each letter has little to lose */
            p.deadline_mono_ms = settings->read_mono_ms() + PUBLISH_GIVES_UP_MS;
            pause_ms = PAUSE_FIRST_MS / 2;
            continue;
        }
        if (settings->read_mono_ms() >= p.deadline_mono_ms) {
            fail(&p, EX_UNAVAILABLE, "Kafka took no transaction: %s", p.transaction.why);
            return;
        }
        if (pause_ms > PAUSE_MAX_MS)
            pause_ms = PAUSE_MAX_MS;
        (void)rd_kafka_poll(producer->handle, pause_ms);
    }
}

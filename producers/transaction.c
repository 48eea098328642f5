#include "producers/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>

enum {
    CALL_MS = 5000,
    ABORT_MS = 5000,
    QUEUE_FULL_POLL_MS = 50,
    RETRY_POLL_MS = 10,
    NOT_SENT = RD_KAFKA_RESP_ERR__BEGIN, /* a delivery_error that librdkafka never reports */
};

/* What a failed call of librdkafka's transaction API said; frees the error. */
struct verdict_on_call {
    rd_kafka_resp_err_t code;
    bool retriable;
};

static struct verdict_on_call take_error(rd_kafka_error_t *error, const char *call,
                                         struct transaction *transaction)
{
    struct verdict_on_call verdict = {.code = rd_kafka_error_code(error),
                                      .retriable = rd_kafka_error_is_retriable(error) != 0};
    (void)snprintf(transaction->why, sizeof transaction->why, "%s: %s: %s", call,
                   rd_kafka_error_name(error), rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return verdict;
}

static int remaining_ms(const struct publisher_settings *settings, int64_t deadline_mono_ms)
{
    int64_t left = deadline_mono_ms - settings->read_mono_ms();
    return left <= 0 ? 0 : left < CALL_MS ? (int)left : CALL_MS;
}

static rd_kafka_headers_t *make_headers(const struct out_message *message)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->n_headers);
    for (size_t i = 0; i < message->n_headers; i++)
        (void)rd_kafka_header_add(headers, message->headers[i].name, -1, message->headers[i].value,
                                  (ssize_t)message->headers[i].value_bytes);
    return headers;
}

static rd_kafka_resp_err_t produce(struct producer *producer,
                                   const struct publisher_settings *settings,
                                   struct out_message *message, int64_t deadline_mono_ms)
{
    message->delivered_offset = -1;
    message->delivery_error = RD_KAFKA_RESP_ERR__IN_PROGRESS;
    rd_kafka_headers_t *headers = make_headers(message);
    rd_kafka_resp_err_t err;
    do {
        err =
            rd_kafka_producev(producer->handle, RD_KAFKA_V_RKT(producer->topics[message->topic]),
                              RD_KAFKA_V_PARTITION(message->partition < 0 ? RD_KAFKA_PARTITION_UA
                                                                          : message->partition),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_KEY(message->key, message->key_bytes),
                              RD_KAFKA_V_VALUE((void *)message->value, message->value_bytes),
                              RD_KAFKA_V_OPAQUE(message), RD_KAFKA_V_END);
        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            (void)rd_kafka_poll(producer->handle, QUEUE_FULL_POLL_MS);
    } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && remaining_ms(settings, deadline_mono_ms) > 0);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers);
        message->delivery_error = err;
    }
    return err;
}

/* Produces and awaits one message, so that it is the only one of its record batch. */
static rd_kafka_resp_err_t produce_alone(struct producer *producer,
                                         const struct publisher_settings *settings,
                                         struct out_message *message, int64_t deadline_mono_ms)
{
    rd_kafka_resp_err_t err = produce(producer, settings, message, deadline_mono_ms);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err = rd_kafka_flush(producer->handle, remaining_ms(settings, deadline_mono_ms));
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err = (rd_kafka_resp_err_t)message->delivery_error;
    message->fits = message->fits || err == RD_KAFKA_RESP_ERR_NO_ERROR;
    return err;
}

/* The first refusal ends the transaction, and so tells of one dead letter only. Those whose size is
 * still in question go first; behind the others each refusal would cost as many round trips again.
 */
static bool goes_first(const struct transaction *transaction, const struct out_message *message)
{
    return message->topic == TOPIC_DEAD_LETTERS && transaction->one_by_one[message->topic] &&
           !message->fits;
}

static int produce_some(struct producer *producer, const struct publisher_settings *settings,
                        const struct batch *batch, struct transaction *transaction, bool first)
{
    int64_t deadline = transaction->began_at_mono_ms + TRANSACTION_TIMEOUT_MS;
    for (const struct publication *p = batch->first; p != NULL; p = p->next)
        for (struct out_message *m = p->messages; m != NULL; m = m->next) {
            if (m->delivery_error != NOT_SENT || (first && !goes_first(transaction, m)))
                continue;
            rd_kafka_resp_err_t err = transaction->one_by_one[m->topic]
                                          ? produce_alone(producer, settings, m, deadline)
                                          : produce(producer, settings, m, deadline);
            if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
                continue;
            (void)snprintf(transaction->why, sizeof transaction->why, "produce to %s: %s",
                           settings->events->topics[m->topic], rd_kafka_err2str(err));
            return -EIO;
        }
    return 0;
}

/* The generation is the guard, not ownership (design 6): FENCED_INSTANCE_ID here means that another
 * member joined under this name, which the consumer reports by itself. */
static bool is_old_generation(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

static int send_offsets(struct producer *producer, const struct publisher_settings *settings,
                        const struct batch *batch, struct transaction *transaction)
{
    int64_t deadline = transaction->began_at_mono_ms + TRANSACTION_TIMEOUT_MS;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(batch->n_offsets);
    for (int i = 0; i < batch->n_offsets; i++)
        rd_kafka_topic_partition_list_add(offsets, settings->requests_topic,
                                          batch->offsets[i].partition)
            ->offset = batch->offsets[i].offset;
    int rc = -EIO;
    for (int ms; (ms = remaining_ms(settings, deadline)) > 0;) {
        rd_kafka_error_t *error =
            rd_kafka_send_offsets_to_transaction(producer->handle, offsets, batch->membership, ms);
        if (error == NULL) {
            rc = 0;
            break;
        }
        struct verdict_on_call verdict = take_error(error, "send_offsets", transaction);
        if (is_old_generation(verdict.code))
            transaction->end = TRANSACTION_REFUSED;
        if (!verdict.retriable)
            break;
        (void)rd_kafka_poll(producer->handle, RETRY_POLL_MS);
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    return rc;
}

/* A retry that the broker had stored before may be acknowledged without an offset; a journal record
 * is of no use without. */
static bool has_arrived(const struct out_message *message)
{
    return message->delivery_error == RD_KAFKA_RESP_ERR_NO_ERROR &&
           (message->topic != TOPIC_JOURNAL || message->delivered_offset >= 0);
}

/* All messages must stand in their partitions, at known places, before the commit is sent: so a
 * failed delivery is never mixed up with a failed commit, and the journal can be looked up. */
static int await_deliveries(struct producer *producer, const struct publisher_settings *settings,
                            const struct batch *batch, struct transaction *transaction)
{
    int64_t deadline = transaction->began_at_mono_ms + TRANSACTION_TIMEOUT_MS;
    for (int ms; (ms = remaining_ms(settings, deadline)) > 0;)
        if (rd_kafka_flush(producer->handle, ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
    for (const struct publication *p = batch->first; p != NULL; p = p->next)
        for (const struct out_message *m = p->messages; m != NULL; m = m->next)
            if (!has_arrived(m)) {
                (void)snprintf(transaction->why, sizeof transaction->why, "delivery to %s: %s",
                               settings->events->topics[m->topic],
                               m->delivery_error == RD_KAFKA_RESP_ERR_NO_ERROR
                                   ? "stored at a place that is not known"
                                   : rd_kafka_err2name((rd_kafka_resp_err_t)m->delivery_error));
                return -EIO;
            }
    return 0;
}

/* Whatever a commit ends with but success, it may have been carried out: librdkafka 2.0.2 itself
 * reports "commit succeeded on the broker but had already failed locally", and a delayed EndTxn can
 * still reach the coordinator. */
static void commit(struct producer *producer, const struct publisher_settings *settings,
                   struct transaction *transaction)
{
    transaction->committing_at_mono_ms = settings->read_mono_ms();
    transaction->end = TRANSACTION_UNKNOWN;
    int64_t deadline = transaction->committing_at_mono_ms + TRANSACTION_TIMEOUT_MS;
    for (int ms; (ms = remaining_ms(settings, deadline)) > 0;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(producer->handle, ms);
        if (error == NULL) {
            transaction->end = TRANSACTION_COMMITTED;
            return;
        }
        if (!take_error(error, "commit", transaction).retriable)
            return;
        (void)rd_kafka_poll(producer->handle, RETRY_POLL_MS);
    }
}

/* What the run before said of them would be taken for this one's word if begin failed. */
static void forget_deliveries(const struct batch *batch)
{
    for (const struct publication *p = batch->first; p != NULL; p = p->next)
        for (struct out_message *m = p->messages; m != NULL; m = m->next)
            m->delivery_error = NOT_SENT;
}

void transaction_run(struct producer *producer, const struct publisher_settings *settings,
                     const struct batch *batch, struct transaction *transaction)
{
    forget_deliveries(batch);
    transaction->end = TRANSACTION_NOT;
    transaction->began_at_mono_ms = settings->read_mono_ms();
    rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->handle);
    if (error != NULL) {
        (void)take_error(error, "begin", transaction);
        return;
    }
    settings->log(settings->log_context, LOG_DEBUG, "transaction begun");
    if (produce_some(producer, settings, batch, transaction, true) == 0 &&
        produce_some(producer, settings, batch, transaction, false) == 0 &&
        send_offsets(producer, settings, batch, transaction) == 0 &&
        await_deliveries(producer, settings, batch, transaction) == 0)
        commit(producer, settings, transaction);
}

int transaction_abort(struct producer *producer, const struct publisher_settings *settings,
                      char *reterr, size_t reterr_bytes)
{
    int64_t deadline = settings->read_mono_ms() + ABORT_MS; /* a new producer does as well */
    for (int ms; (ms = remaining_ms(settings, deadline)) > 0;) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(producer->handle, ms);
        if (error == NULL)
            return 0;
        bool again = rd_kafka_error_is_retriable(error) != 0;
        (void)snprintf(reterr, reterr_bytes, "abort: %s: %s", rd_kafka_error_name(error),
                       rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!again)
            break;
        (void)rd_kafka_poll(producer->handle, RETRY_POLL_MS);
    }
    return -EIO;
}

struct out_message *transaction_too_large(const struct batch *batch)
{
    for (const struct publication *p = batch->first; p != NULL; p = p->next)
        for (struct out_message *m = p->messages; m != NULL; m = m->next)
            if (m->delivery_error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
                return m;
    return NULL;
}

#include "producers/producer.h"

#include "policy/text.h"
#include "producers/out_message.h"

#include <errno.h>
#include <stdio.h>

enum { CALL_MS = 2000, PROPERTY_NAME_BYTES = 128 };

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    const struct publisher_settings *settings = rd_kafka_opaque(handle);
    char line[512];
    (void)snprintf(line, sizeof line, "kafka producer: %s: %s", facility, text);
    settings->log(settings->log_context, level, line);
}

/* Served by flush, commit and abort, on the publisher thread. */
static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *report, void *opaque)
{
    (void)handle;
    (void)opaque;
    struct out_message *message = report->_private;
    message->delivery_error = report->err;
    message->delivered_offset = report->err == RD_KAFKA_RESP_ERR_NO_ERROR ? report->offset : -1;
}

int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *reterr,
                   size_t reterr_bytes)
{
    return rd_kafka_conf_set(conf, name, value, reterr, reterr_bytes) == RD_KAFKA_CONF_OK ? 0
                                                                                          : -EINVAL;
}

static int set_property(rd_kafka_conf_t *conf, const char *property, char *reterr,
                        size_t reterr_bytes)
{
    char name[PROPERTY_NAME_BYTES];
    const char *value;
    if (!text_split_at(property, '=', name, sizeof name, &value)) {
        /* Not the property itself: its value may be a secret. */
        (void)snprintf(reterr, reterr_bytes, "a Kafka property is not of the form name=value");
        return -EINVAL;
    }
    return kafka_conf_set(conf, name, value, reterr, reterr_bytes);
}

int kafka_conf_new(const struct publisher_settings *settings, rd_kafka_conf_t **ret_conf,
                   char *reterr, size_t reterr_bytes)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc = kafka_conf_set(conf, "bootstrap.servers", settings->brokers, reterr, reterr_bytes);
    for (int i = 0; rc == 0 && i < settings->n_properties; i++)
        rc = set_property(conf, settings->properties[i], reterr, reterr_bytes);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, (void *)settings);
    rd_kafka_conf_set_log_cb(conf, on_log);
    *ret_conf = conf;
    return 0;
}

static int make_conf(const struct publisher_settings *settings, rd_kafka_conf_t **ret_conf,
                     char *reterr, size_t reterr_bytes)
{
    char transactional_id[512], timeout[16];
    (void)snprintf(transactional_id, sizeof transactional_id, "%s-%s", settings->group,
                   settings->instance);
    (void)snprintf(timeout, sizeof timeout, "%d", TRANSACTION_TIMEOUT_MS);
    const struct {
        const char *name, *value;
    } own[] = {
        {"transactional.id", transactional_id}, /* stable: a restart ends its own old transaction */
        {"transaction.timeout.ms", timeout},
        /* The coordinator answers EndTxn before its markers are written, and the next transaction
         * waits this long: 100, the default, costs 80-130 ms a commit. */
        {"retry.backoff.ms", "5"},
        {"socket.nagle.disable", "true"},  /* 40 ms a commit, with delayed acknowledgements */
        {"linger.ms", "0"},                /* a batch is handed over whole */
        {"partitioner", "murmur2_random"}, /* the Java clients' choice for a key */
        {"message.max.bytes",
         "67108864"}, /* the topic decides what is too large, see transaction */
        {"compression.type", "lz4"},
    };
    int rc = kafka_conf_new(settings, ret_conf, reterr, reterr_bytes);
    for (size_t i = 0; rc == 0 && i < sizeof own / sizeof *own; i++) {
        rc = kafka_conf_set(*ret_conf, own[i].name, own[i].value, reterr, reterr_bytes);
        if (rc < 0)
            rd_kafka_conf_destroy(*ret_conf);
    }
    if (rc < 0)
        return rc;
    /* Without a callback librdkafka's flush waits in steps of 10 ms (measurements 4). */
    rd_kafka_conf_set_dr_msg_cb(*ret_conf, on_delivery);
    return 0;
}

static int remaining_ms(const struct publisher_settings *settings, int64_t deadline_mono_ms)
{
    int64_t left = deadline_mono_ms - settings->read_mono_ms();
    return left <= 0 ? 0 : left < CALL_MS ? (int)left : CALL_MS;
}

/* 0 once the topic has its metadata, 1 to ask again. */
static int fetch_metadata(struct producer *producer, rd_kafka_topic_t *topic, int timeout_ms,
                          char *reterr, size_t reterr_bytes)
{
    const struct rd_kafka_metadata *metadata;
    const char *name = rd_kafka_topic_name(topic);
    rd_kafka_resp_err_t err = rd_kafka_metadata(producer->handle, 0, topic, &metadata, timeout_ms);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        err = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                       : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        rd_kafka_metadata_destroy(metadata);
    }
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    (void)snprintf(reterr, reterr_bytes, "topic %s: %s", name, rd_kafka_err2str(err));
    return err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ? -EACCES
           : err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION          ? -EINVAL
                                                               : 1;
}

static int open_topics(struct producer *producer, const struct publisher_settings *settings,
                       int64_t deadline_mono_ms, char *reterr, size_t reterr_bytes)
{
    for (int i = 0; i < OUT_TOPICS; i++) {
        const char *name = settings->events->topics[i];
        if (name == NULL)
            continue;
        producer->topics[i] = rd_kafka_topic_new(producer->handle, name, NULL);
        if (producer->topics[i] == NULL) {
            (void)snprintf(reterr, reterr_bytes, "topic %s: %s", name,
                           rd_kafka_err2str(rd_kafka_last_error()));
            return -EINVAL;
        }
        int rc = 1;
        for (int ms; rc == 1 && (ms = remaining_ms(settings, deadline_mono_ms)) > 0;) {
            rc = fetch_metadata(producer, producer->topics[i], ms, reterr, reterr_bytes);
            if (rc == 1)
                (void)rd_kafka_poll(producer->handle, 100); /* a topic that is being created */
        }
        if (rc != 0)
            return rc < 0 ? rc : -ETIMEDOUT;
    }
    return 0;
}

static int fence_older(struct producer *producer, const struct publisher_settings *settings,
                       int64_t deadline_mono_ms, char *reterr, size_t reterr_bytes)
{
    for (int ms; (ms = remaining_ms(settings, deadline_mono_ms)) > 0;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(producer->handle, ms);
        if (error == NULL)
            return 0;
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        bool again = rd_kafka_error_is_retriable(error);
        (void)snprintf(reterr, reterr_bytes, "init_transactions: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
            code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
            return -EACCES;
        if (!again)
            return -EINVAL;
    }
    return -ETIMEDOUT;
}

int producer_open(struct producer *producer, const struct publisher_settings *settings,
                  int64_t deadline_mono_ms, char *reterr, size_t reterr_bytes)
{
    rd_kafka_conf_t *conf = NULL;
    *producer = (struct producer){0};
    (void)snprintf(reterr, reterr_bytes, "no answer from %s", settings->brokers);
    int rc = make_conf(settings, &conf, reterr, reterr_bytes);
    if (rc < 0)
        return rc;
    producer->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reterr, reterr_bytes);
    if (producer->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    rc = open_topics(producer, settings, deadline_mono_ms, reterr, reterr_bytes);
    if (rc == 0)
        rc = fence_older(producer, settings, deadline_mono_ms, reterr, reterr_bytes);
    if (rc < 0)
        producer_close(producer);
    return rc;
}

void producer_close(struct producer *producer)
{
    if (producer->handle == NULL)
        return;
    (void)rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int i = 0; i < OUT_TOPICS; i++)
        if (producer->topics[i] != NULL)
            rd_kafka_topic_destroy(producer->topics[i]);
    rd_kafka_destroy(producer->handle);
    *producer = (struct producer){0};
}

#include "worker/kafka_property.h"

#include "policy/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const secrets[] = {
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
};

/* What design section 6 rests on, with the sentence for whoever wants to change it. */
static const struct {
    const char *name, *why;
} owned[] = {
    {"bootstrap.servers", "kafka.brokers says it"},
    {"metadata.broker.list", "kafka.brokers says it"},
    {"group.id", "kafka.group says it"},
    {"group.instance.id", "kafka.instance says it"},
    {"transactional.id", "made of kafka.group and kafka.instance, so that a restart ends the "
                         "transaction it left behind"},
    {"transaction.timeout.ms", "how long a dead worker may hold back readers is fixed"},
    {"enable.idempotence", "outcomes are published in transactions, which need it"},
    {"acks", "transactions need all"},
    {"request.required.acks", "transactions need all"},
    {"enable.auto.commit", "offsets are committed with the outcomes, in one transaction"},
    {"enable.auto.offset.store", "offsets are committed with the outcomes, in one transaction"},
    {"auto.commit.enable", "offsets are committed with the outcomes, in one transaction"},
    {"auto.offset.reset", "kafka.start says it; elsewhere a silent reset would skip requests"},
    {"isolation.level", "an outcome of an aborted transaction must not be seen"},
    {"enable.partition.eof", "it tells when the journal has been read"},
    {"partition.assignment.strategy", "only range keeps the partitions over a restart"},
    {"partitioner", "equal keys must meet in one partition, whoever sends them"},
    {"retry.backoff.ms", "measured: 100 ms makes every commit ten times slower"},
    {"socket.nagle.disable", "measured: commits are slower with Nagle's algorithm"},
    {"queued.min.messages", "together with not taking, it is the back-pressure"},
    {"queued.max.messages.kbytes", "together with not taking, it is the back-pressure"},
    {"log.queue", "the worker's log takes librdkafka's lines"},
};

bool kafka_property_is_secret(const char *name)
{
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strcmp(name, secrets[i]) == 0)
            return true;
    return false;
}

const char *kafka_property_owned(const char *name)
{
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        if (strcmp(name, owned[i].name) == 0)
            return owned[i].why;
    return NULL;
}

static bool read_value(const char *name, const char *value, char **ret_value, char *reterr)
{
    static const char file[] = "file:";
    static const char credential[] = "credential:";
    char why[SECRET_ERROR_BYTES];
    if (!kafka_property_is_secret(name)) {
        *ret_value = strdup(value);
        if (*ret_value == NULL)
            snprintf(reterr, PROPERTY_ERROR_BYTES, "%s", strerror(errno));
        return *ret_value != NULL;
    }
    bool is_file = strncmp(value, file, sizeof file - 1) == 0;
    if (!is_file && strncmp(value, credential, sizeof credential - 1) != 0) {
        snprintf(reterr, PROPERTY_ERROR_BYTES,
                 "a secret only as %s=file:PATH or %s=credential:NAME", name, name);
        return false;
    }
    if (!secret_read(is_file ? value + sizeof file - 1 : value, ret_value, why)) {
        snprintf(reterr, PROPERTY_ERROR_BYTES, "%s: %s", name, why);
        return false;
    }
    return true;
}

bool kafka_property_set(rd_kafka_conf_t *conf, const char *text, char **ret_value,
                        char reterr[PROPERTY_ERROR_BYTES])
{
    char name[PROPERTY_NAME_BYTES + 1];
    char why[PROPERTY_ERROR_BYTES] = "";
    const char *written;
    char *value;
    if (!text_split_at(text, '=', name, sizeof name, &written)) {
        snprintf(reterr, PROPERTY_ERROR_BYTES, "must be name=value");
        return false;
    }
    if (!read_value(name, written, &value, reterr))
        return false;
    bool set = rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK;
    if (!set && kafka_property_is_secret(name)) /* its sentence may quote the value */
        snprintf(reterr, PROPERTY_ERROR_BYTES, "librdkafka does not take %s", name);
    else if (!set)
        snprintf(reterr, PROPERTY_ERROR_BYTES, "%.500s", why);
    if (set && ret_value != NULL)
        *ret_value = value;
    else
        secret_free(value);
    return set;
}

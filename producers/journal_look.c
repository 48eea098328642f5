#include "producers/journal_look.h"

#include "producers/producer.h"

#include <stdio.h>

enum { POLL_MS = 200 };

static rd_kafka_t *open_reader(const struct publisher_settings *settings)
{
    static const char *const own[][2] = {{"isolation.level", "read_committed"},
                                         {"enable.partition.eof", "true"},
                                         {"auto.offset.reset", "error"},
                                         {"enable.auto.commit", "false"},
                                         {"fetch.wait.max.ms", "50"}};
    char error[256];
    rd_kafka_conf_t *conf = NULL;
    if (kafka_conf_new(settings, &conf, error, sizeof error) < 0)
        return NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof own / sizeof *own; i++)
        rc = kafka_conf_set(conf, own[i][0], own[i][1], error, sizeof error);
    rd_kafka_t *reader = rc < 0 ? NULL : rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (reader == NULL)
        rd_kafka_conf_destroy(conf);
    return reader;
}

/* The first record visible at or behind the offset decides. An end at or before it does not: a
 * transaction of the partition's previous owner may still hold the last stable offset below. */
static enum journal_look await_record(const struct publisher_settings *settings,
                                      rd_kafka_topic_t *topic, int32_t partition, int64_t offset,
                                      int64_t deadline_mono_ms)
{
    enum journal_look answer = JOURNAL_UNREADABLE;
    while (answer == JOURNAL_UNREADABLE && settings->read_mono_ms() < deadline_mono_ms) {
        rd_kafka_message_t *record = rd_kafka_consume(topic, partition, POLL_MS);
        if (record == NULL)
            continue;
        if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            answer = record->offset == offset ? JOURNAL_HAS_IT : JOURNAL_HAS_IT_NOT;
        else if (record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && record->offset > offset)
            answer = JOURNAL_HAS_IT_NOT;
        rd_kafka_message_destroy(record);
    }
    return answer;
}

enum journal_look journal_look(const struct publisher_settings *settings, int32_t partition,
                               int64_t offset, int64_t deadline_mono_ms)
{
    rd_kafka_t *reader = open_reader(settings);
    if (reader == NULL)
        return JOURNAL_UNREADABLE;
    enum journal_look answer = JOURNAL_UNREADABLE;
    rd_kafka_topic_t *topic =
        rd_kafka_topic_new(reader, settings->events->topics[TOPIC_JOURNAL], NULL);
    /* The old consumer interface: no group, no coordinator, nothing that could wait for either. */
    if (topic != NULL && rd_kafka_consume_start(topic, partition, offset) == 0) {
        answer = await_record(settings, topic, partition, offset, deadline_mono_ms);
        (void)rd_kafka_consume_stop(topic, partition);
    }
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(reader);
    return answer;
}

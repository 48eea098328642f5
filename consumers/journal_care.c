#include "consumers/journal_care.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOPICS = 2 };

void journal_care_ask(rd_kafka_t *handle, const char *requests_topic, const char *journal_topic,
                      rd_kafka_queue_t *queue)
{
    rd_kafka_ConfigResource_t *topics[TOPICS] = {
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, requests_topic),
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, journal_topic)};
    rd_kafka_DescribeConfigs(handle, topics, TOPICS, NULL, queue);
    rd_kafka_ConfigResource_destroy_array(topics, TOPICS);
}

static void read_care(const rd_kafka_ConfigResource_t *topic, struct topic_care *ret_care)
{
    size_t n;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &n);
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == NULL)
            continue;
        if (strcmp(name, "retention.ms") == 0)
            ret_care->retention_ms = strtoll(value, NULL, 10);
        else if (strcmp(name, "cleanup.policy") == 0)
            snprintf(ret_care->cleanup_policy, sizeof ret_care->cleanup_policy, "%s", value);
        else if (strcmp(name, "message.timestamp.type") == 0)
            snprintf(ret_care->timestamp_type, sizeof ret_care->timestamp_type, "%s", value);
    }
}

bool journal_care_answer(rd_kafka_event_t *event, const char *requests_topic,
                         const char *journal_topic, char *reterr, size_t reterr_bytes)
{
    struct topic_care requests = {0}, journal = {0};
    const char *why = rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR
                          ? rd_kafka_event_error_string(event)
                          : NULL;
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t n = 0;
    const rd_kafka_ConfigResource_t **topics =
        why == NULL ? rd_kafka_DescribeConfigs_result_resources(result, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigResource_name(topics[i]);
        if (rd_kafka_ConfigResource_error(topics[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
            why = rd_kafka_ConfigResource_error_string(topics[i]);
        else if (strcmp(name, requests_topic) == 0)
            read_care(topics[i], &requests);
        else if (strcmp(name, journal_topic) == 0)
            read_care(topics[i], &journal);
    }
    int used = snprintf(reterr, reterr_bytes, "topic %.100s: ", journal_topic);
    if (why == NULL)
        return journal_care_judge(&requests, &journal, reterr + used, reterr_bytes - (size_t)used);
    snprintf(reterr + used, reterr_bytes - (size_t)used,
             "whether it is kept long enough cannot be checked: %s", why);
    return false;
}

bool journal_care_judge(const struct topic_care *requests, const struct topic_care *journal,
                        char *reterr, size_t reterr_bytes)
{
    bool is_deleted = strstr(journal->cleanup_policy, "delete") != NULL;
    if (is_deleted && journal->retention_ms >= 0 &&
        (requests->retention_ms < 0 || journal->retention_ms < requests->retention_ms))
        snprintf(reterr, reterr_bytes,
                 "retention.ms %" PRId64 " is below the requests' %" PRId64
                 ": a request may be worked on twice",
                 journal->retention_ms, requests->retention_ms);
    else if (strstr(journal->cleanup_policy, "compact") == NULL || !is_deleted)
        snprintf(reterr, reterr_bytes, "cleanup.policy is %s, should be compact,delete",
                 journal->cleanup_policy);
    else if (strcmp(journal->timestamp_type, "LogAppendTime") != 0)
        snprintf(reterr, reterr_bytes, "message.timestamp.type is %s, should be LogAppendTime",
                 journal->timestamp_type);
    else
        return true;
    return false;
}

/* topics check. */
#include "worker/restorectl/commands.h"
#include "worker/restorectl/topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a topic is like, where the broker said so. */
struct topic_state {
    int partitions; /* 0: it is not there */
    bool asked, described;
    char cleanup[64];
    int64_t retention_ms; /* -1: for ever */
    char timestamp_type[32];
};

static void read_state(const rd_kafka_ConfigResource_t *resource, struct topic_state *ret_state)
{
    size_t n;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    ret_state->described = rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == NULL)
            continue;
        if (strcmp(name, "cleanup.policy") == 0)
            (void)text_copy(ret_state->cleanup, sizeof ret_state->cleanup, value);
        else if (strcmp(name, "retention.ms") == 0)
            ret_state->retention_ms = strtoll(value, NULL, 10);
        else if (strcmp(name, "message.timestamp.type") == 0)
            (void)text_copy(ret_state->timestamp_type, sizeof ret_state->timestamp_type, value);
    }
}

/* The broker has just listed its topics, so it is there. One that has no DescribeConfigs, as
 * librdkafka's mock cluster, shows by not answering: librdkafka 2.0.2 goes on looking for one. */
static enum exit_code say_undescribed(struct connection *connection, rd_kafka_t *client,
                                      rd_kafka_resp_err_t error)
{
    if (error != RD_KAFKA_RESP_ERR__TIMED_OUT && error != RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
        return topics_say_unanswered(connection, client, error);
    printf("warning: the topics' settings cannot be read (%s); cleanup, retention and time stamps "
           "are not checked\n",
           rd_kafka_err2str(error));
    return EXIT_OK;
}

static void read_states(rd_kafka_event_t *event, const struct topic_plan *plans, int n,
                        struct topic_state ret_states[TOPICS])
{
    size_t n_answers;
    const rd_kafka_ConfigResource_t **answers = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &n_answers);
    for (int i = 0; i < n; i++) {
        ret_states[i].asked = true;
        for (size_t k = 0; k < n_answers; k++)
            if (strcmp(rd_kafka_ConfigResource_name(answers[k]), plans[i].name) == 0)
                read_state(answers[k], &ret_states[i]);
    }
}

static enum exit_code describe_topics(struct connection *connection, rd_kafka_t *client,
                                      const struct topic_plan *plans, int n,
                                      struct topic_state ret_states[TOPICS])
{
    rd_kafka_ConfigResource_t *resources[TOPICS];
    rd_kafka_resp_err_t error;
    enum exit_code code = EXIT_OK;
    int n_resources = 0;
    for (int i = 0; i < n; i++)
        if (ret_states[i].partitions > 0)
            resources[n_resources++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, plans[i].name);
    if (n_resources == 0)
        return EXIT_OK;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DescribeConfigs(client, resources, (size_t)n_resources, NULL, queue);
    rd_kafka_event_t *event = topics_await_answer(queue, &error);
    if (event != NULL) {
        read_states(event, plans, n, ret_states);
        rd_kafka_event_destroy(event);
    } else {
        code = say_undescribed(connection, client, error);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy_array(resources, (size_t)n_resources);
    return code;
}

/* "compact,delete" in either order, and with a blank or not. */
static bool cleanup_matches(const char *wanted, const char *found)
{
    bool wants_compact = strstr(wanted, "compact") != NULL;
    return wants_compact == (strstr(found, "compact") != NULL) && strstr(found, "delete") != NULL;
}

static bool retention_is_below(int64_t retention_ms, int64_t least_ms)
{
    return retention_ms >= 0 && (least_ms < 0 || retention_ms < least_ms);
}

/* True: the worker cannot work with it. */
static bool check_topic_state(const struct topic_plan *plan, const struct topic_state *state,
                              const struct topic_state *requests)
{
    bool is_journal = plan->append_time;
    if (state->partitions == 0) {
        printf("%s: error: is not there\n", plan->name);
        return true;
    }
    bool wrong = is_journal && state->partitions != requests->partitions;
    if (wrong)
        printf("%s: error: has %d partitions, must have the %d of the requests\n", plan->name,
               state->partitions, requests->partitions);
    if (!state->described) {
        printf("%s: %s%d partitions%s\n", plan->name, state->asked ? "warning: " : "",
               state->partitions, state->asked ? "; its settings cannot be read" : "");
        return wrong;
    }
    if (!cleanup_matches(plan->cleanup, state->cleanup))
        printf("%s: warning: cleanup.policy is %s, should be %s\n", plan->name, state->cleanup,
               plan->cleanup);
    if (is_journal && retention_is_below(state->retention_ms, requests->retention_ms))
        printf("%s: warning: retention.ms %" PRId64 " is below the requests' %" PRId64 "\n",
               plan->name, state->retention_ms, requests->retention_ms);
    else if (retention_is_below(state->retention_ms, plan->retention_ms))
        printf("%s: warning: retention.ms is %" PRId64 ", should be %" PRId64 "\n", plan->name,
               state->retention_ms, plan->retention_ms);
    if (is_journal && strcmp(state->timestamp_type, "LogAppendTime") != 0)
        printf("%s: warning: message.timestamp.type is %s, should be LogAppendTime\n", plan->name,
               state->timestamp_type);
    printf("%s: %d partitions, %s\n", plan->name, state->partitions, state->cleanup);
    return wrong;
}

static enum exit_code check_topics(struct connection *connection, rd_kafka_t *client,
                                   const struct options *options)
{
    (void)options;
    struct topic_plan plans[TOPICS];
    struct topic_state states[TOPICS] = {0};
    const struct rd_kafka_metadata *metadata;
    int n = topics_plan(connection->settings, plans);
    enum exit_code code = kafka_list(connection, client, &metadata);
    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < n; i++)
        states[i].partitions = kafka_partitions(metadata, plans[i].name);
    rd_kafka_metadata_destroy(metadata);
    code = describe_topics(connection, client, plans, n, states);
    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < n; i++)
        if (check_topic_state(&plans[i], &states[i], &states[0]))
            code = EXIT_CONFIGURATION;
    return code;
}

enum exit_code command_topics_check(const struct options *options)
{
    return topics_with_client(options, check_topics);
}

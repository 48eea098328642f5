/* topics create and topics check: the topics of contract section 2. */
#include "worker/clock.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/kafka.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORK_PARTITIONS = 12, /* measured: a commit costs by the partitions it touches (design 6) */
    OUT_PARTITIONS = 3,
    TOPICS = OUT_TOPICS + 1,
    CONFIGS_MAX = 3,
    RETRY_MS = 100,
};

#define DELETE "delete"
#define COMPACT_DELETE "compact,delete"

struct topic_plan {
    const char *name;
    int partitions;
    const char *cleanup;
    int64_t retention_ms;
    bool append_time; /* message.timestamp.type=LogAppendTime */
};

/* The topics without repeats: several kinds of events may share one, which then keeps its records
 * as long as the one that needs it longest. */
static int plan_topics(const struct settings *settings, struct topic_plan ret_plans[TOPICS])
{
    const int64_t week_ms = 7 * DAY_MS;
    ret_plans[0] = (struct topic_plan){settings->kafka.requests_topic, WORK_PARTITIONS, DELETE,
                                       week_ms, false};
    int n = 1;
    for (int t = 0; t < OUT_TOPICS; t++) {
        struct topic_plan plan = {settings->kafka.topics[t], OUT_PARTITIONS, DELETE, week_ms,
                                  false};
        if (t == TOPIC_NOTIFICATIONS)
            plan.retention_ms =
                settings->secret_expire_ms > 2 * DAY_MS ? settings->secret_expire_ms : 2 * DAY_MS;
        if (t == TOPIC_JOURNAL)
            plan = (struct topic_plan){settings->kafka.topics[t], WORK_PARTITIONS, COMPACT_DELETE,
                                       settings->dedupe_window_ms + week_ms, true};
        int same = 0;
        while (same < n && strcmp(ret_plans[same].name, plan.name) != 0)
            same++;
        if (same == n)
            ret_plans[n++] = plan;
        else if (ret_plans[same].retention_ms < plan.retention_ms)
            ret_plans[same].retention_ms = plan.retention_ms;
    }
    return n;
}

static rd_kafka_NewTopic_t *new_topic(const struct topic_plan *plan, int replication)
{
    char wrong[256], retention[32];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(plan->name, plan->partitions, replication, wrong, sizeof wrong);
    assert(topic != NULL); /* names and numbers have been checked */
    snprintf(retention, sizeof retention, "%" PRId64, plan->retention_ms);
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", plan->cleanup);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", retention);
    if (plan->append_time)
        rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
    return topic;
}

/* Waits for the answer to an admin request; NULL and why not. */
static rd_kafka_event_t *await_answer(rd_kafka_queue_t *queue, rd_kafka_resp_err_t *ret_error)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * KAFKA_TIMEOUT_MS);
    *ret_error = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (*ret_error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return event;
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return NULL;
}

static enum exit_code say_unanswered(struct connection *connection, rd_kafka_t *client,
                                     rd_kafka_resp_err_t error)
{
    rd_kafka_poll(client, 0); /* on_error: why */
    return kafka_unreachable(connection, error);
}

static enum exit_code print_created(const rd_kafka_topic_result_t *topic)
{
    const char *name = rd_kafka_topic_result_name(topic);
    const char *why = rd_kafka_topic_result_error_string(topic);
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(topic);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        printf("%s: created\n", name);
        return EXIT_OK;
    }
    if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        printf("%s: is there already, left as it is\n", name);
        return EXIT_OK;
    }
    fprintf(stderr, "%s: %s\n", name, why != NULL ? why : rd_kafka_err2str(error));
    return kafka_is_denied(error) ? EXIT_NOT_PERMITTED : EXIT_CONFIGURATION;
}

static enum exit_code print_all_created(rd_kafka_event_t *event)
{
    size_t n;
    enum exit_code code = EXIT_OK;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        enum exit_code one = print_created(topics[i]);
        code = code == EXIT_OK ? one : code;
    }
    return code;
}

/* A broker hears of a topic a moment after its creation was acknowledged; whoever checks or starts
 * a worker next must find it. */
static enum exit_code await_known(struct connection *connection, rd_kafka_t *client,
                                  const struct topic_plan *plans, int n)
{
    int64_t until_mono_ms = clock_read_mono_ms() + KAFKA_TIMEOUT_MS;
    enum exit_code code;
    int known = 0;
    do {
        const struct rd_kafka_metadata *metadata;
        code = kafka_list(connection, client, &metadata);
        if (code != EXIT_OK)
            return code;
        while (known < n && kafka_partitions(metadata, plans[known].name) > 0)
            known++;
        rd_kafka_metadata_destroy(metadata);
    } while (known < n && clock_read_mono_ms() < until_mono_ms &&
             rd_kafka_poll(client, RETRY_MS) >= 0);
    return code;
}

static enum exit_code create_topics(struct connection *connection, rd_kafka_t *client,
                                    int replication)
{
    struct topic_plan plans[TOPICS];
    rd_kafka_NewTopic_t *topics[TOPICS];
    enum exit_code code = EXIT_OK;
    int n = plan_topics(connection->settings, plans);
    for (int i = 0; i < n; i++)
        topics[i] = new_topic(&plans[i], replication);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char wrong[256];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_TIMEOUT_MS, wrong, sizeof wrong);
    rd_kafka_CreateTopics(client, topics, (size_t)n, options, queue);
    rd_kafka_resp_err_t error;
    rd_kafka_event_t *event = await_answer(queue, &error);
    if (event != NULL) {
        code = print_all_created(event);
        rd_kafka_event_destroy(event);
    } else {
        code = say_unanswered(connection, client, error);
    }
    if (code == EXIT_OK)
        code = await_known(connection, client, plans, n);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, (size_t)n);
    return code;
}

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
        return say_unanswered(connection, client, error);
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
    rd_kafka_event_t *event = await_answer(queue, &error);
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

static enum exit_code check_topics(struct connection *connection, rd_kafka_t *client)
{
    struct topic_plan plans[TOPICS];
    struct topic_state states[TOPICS] = {0};
    const struct rd_kafka_metadata *metadata;
    int n = plan_topics(connection->settings, plans);
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

static enum exit_code with_client(const struct options *options, bool create)
{
    static const char *const extra[] = {NULL};
    struct connection connection = {0};
    rd_kafka_t *client;
    enum exit_code code = connection_open(options, true, &connection);
    if (code == EXIT_OK)
        code = kafka_open(&connection, RD_KAFKA_CONSUMER, extra, &client);
    if (code == EXIT_OK) {
        code = create ? create_topics(&connection, client, options->replication)
                      : check_topics(&connection, client);
        rd_kafka_destroy(client);
    }
    connection_close(&connection);
    return code;
}

enum exit_code command_topics_create(const struct options *options)
{
    return with_client(options, true);
}

enum exit_code command_topics_check(const struct options *options)
{
    return with_client(options, false);
}

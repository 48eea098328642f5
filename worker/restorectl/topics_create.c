/* topics create. */
#include "worker/clock.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/topics.h"

#include <assert.h>
#include <inttypes.h>

enum { RETRY_MS = 100 };

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
                                    const struct options *chosen)
{
    struct topic_plan plans[TOPICS];
    rd_kafka_NewTopic_t *topics[TOPICS];
    enum exit_code code = EXIT_OK;
    int n = topics_plan(connection->settings, plans);
    for (int i = 0; i < n; i++)
        topics[i] = new_topic(&plans[i], chosen->replication);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char wrong[256];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_TIMEOUT_MS, wrong, sizeof wrong);
    rd_kafka_CreateTopics(client, topics, (size_t)n, options, queue);
    rd_kafka_resp_err_t error;
    rd_kafka_event_t *event = topics_await_answer(queue, &error);
    if (event != NULL) {
        code = print_all_created(event);
        rd_kafka_event_destroy(event);
    } else {
        code = topics_say_unanswered(connection, client, error);
    }
    if (code == EXIT_OK)
        code = await_known(connection, client, plans, n);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, (size_t)n);
    return code;
}

enum exit_code command_topics_create(const struct options *options)
{
    return topics_with_client(options, create_topics);
}

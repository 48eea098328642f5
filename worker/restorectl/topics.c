/* What topics create, check and acls share. */
#include "worker/restorectl/topics.h"

#include <string.h>

enum {
    WORK_PARTITIONS = 12, /* measured: a commit costs by the partitions it touches (design 6) */
    OUT_PARTITIONS = 3,
};

#define DELETE "delete"
#define COMPACT_DELETE "compact,delete"

int topics_plan(const struct settings *settings, struct topic_plan ret_plans[TOPICS])
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

rd_kafka_event_t *topics_await_answer(rd_kafka_queue_t *queue, rd_kafka_resp_err_t *ret_error)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * KAFKA_TIMEOUT_MS);
    *ret_error = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (*ret_error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return event;
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return NULL;
}

enum exit_code topics_say_unanswered(struct connection *connection, rd_kafka_t *client,
                                     rd_kafka_resp_err_t error)
{
    rd_kafka_poll(client, 0); /* on_error: why */
    return kafka_unreachable(connection, error);
}

enum exit_code topics_with_client(const struct options *options, topics_action *action)
{
    static const char *const extra[] = {NULL};
    struct connection connection;
    rd_kafka_t *client;
    enum exit_code code = connection_open(options, true, &connection);
    if (code != EXIT_OK)
        return code;
    code = kafka_open(&connection, RD_KAFKA_CONSUMER, extra, &client);
    if (code == EXIT_OK) {
        code = action(&connection, client, options);
        rd_kafka_destroy(client);
    }
    connection_close(&connection);
    return code;
}

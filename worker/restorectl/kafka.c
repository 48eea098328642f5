#include "worker/restorectl/kafka.h"

#include "policy/text.h"
#include "worker/clock.h"
#include "worker/kafka_property.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static void print_error(void *context, int level, const char *line)
{
    (void)context;
    if (level == LOG_ERR)
        fprintf(stderr, "%s\n", line);
}

enum exit_code connection_open(const struct options *options, bool needs_brokers,
                               struct connection *ret_connection)
{
    static const struct settings_report report = {print_error, NULL};
    const char *path = options->config;
    if (path == NULL && options->brokers == NULL)
        path = getenv("RESTORECTL_CONFIG");
    if (path == NULL && options->brokers == NULL && needs_brokers) {
        fprintf(stderr, "restorectl: which Kafka? --config FILE, -b BROKERS or "
                        "$RESTORECTL_CONFIG\n");
        return EXIT_USAGE;
    }
    if (path != NULL && access(path, F_OK) != 0) {
        fprintf(stderr, "restorectl: %s is not there\n", path);
        return EXIT_NO_FILE;
    }
    *ret_connection =
        (struct connection){.until_mono_ms = clock_read_mono_ms() + options->timeout_ms};
    if (settings_load(path, SETTINGS_TOOL, &report, &ret_connection->settings) != 0)
        return EXIT_CONFIGURATION;
    ret_connection->brokers =
        options->brokers != NULL ? options->brokers : ret_connection->settings->kafka.brokers;
    ret_connection->n_properties = options->n_properties;
    ret_connection->properties = options->properties;
    return EXIT_OK;
}

void connection_close(struct connection *connection)
{
    settings_free(connection->settings);
    connection->settings = NULL;
}

/* On a thread of librdkafka's only when a client has no queue of its own: rd_kafka_poll serves it,
 * on ours. */
static void on_error(rd_kafka_t *client, int error, const char *reason, void *opaque)
{
    struct connection *connection = opaque;
    (void)client;
    (void)error;
    snprintf(connection->last_error, sizeof connection->last_error, "%s", reason);
}

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct connection *connection = opaque;
    (void)client;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        connection->delivered++;
    else if (connection->delivery_error == RD_KAFKA_RESP_ERR_NO_ERROR)
        connection->delivery_error = message->err;
}

static void drop_log(const rd_kafka_t *client, int level, const char *facility, const char *line)
{
    (void)client;
    (void)level;
    (void)facility;
    (void)line;
}

static enum exit_code set_property(rd_kafka_conf_t *conf, const char *text)
{
    char name[PROPERTY_NAME_BYTES + 1];
    char wrong[PROPERTY_ERROR_BYTES];
    const char *value, *why;
    if (text_split_at(text, '=', name, sizeof name, &value) &&
        (why = kafka_property_owned(name)) != NULL) {
        fprintf(stderr, "restorectl: -X %s cannot be set: %s\n", name, why);
        return EXIT_USAGE;
    }
    if (!kafka_property_set(conf, text, NULL, wrong)) {
        fprintf(stderr, "restorectl: -X: %s\n", wrong);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

static enum exit_code fill_conf(const struct connection *connection, rd_kafka_conf_t *conf,
                                const char *const *extra)
{
    const char *properties[KAFKA_PROPERTIES_MAX];
    char name[PROPERTY_NAME_BYTES + 1];
    char wrong[PROPERTY_ERROR_BYTES] = "";
    const char *value;
    rd_kafka_conf_res_t result = RD_KAFKA_CONF_OK;
    int n = settings_properties(connection->settings, properties);
    for (int i = 0; i < n; i++) /* the loader has tried them */
        if (text_split_at(properties[i], '=', name, sizeof name, &value))
            (void)rd_kafka_conf_set(conf, name, value, wrong, sizeof wrong);
    for (int i = 0; i < connection->n_properties; i++) {
        enum exit_code code = set_property(conf, connection->properties[i]);
        if (code != EXIT_OK)
            return code;
    }
    for (; *extra != NULL && result == RD_KAFKA_CONF_OK; extra += 2)
        result = rd_kafka_conf_set(conf, extra[0], extra[1], wrong, sizeof wrong);
    if (result == RD_KAFKA_CONF_OK)
        result =
            rd_kafka_conf_set(conf, "bootstrap.servers", connection->brokers, wrong, sizeof wrong);
    if (result != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "restorectl: %s\n", wrong);
        return EXIT_CONFIGURATION;
    }
    return EXIT_OK;
}

enum exit_code kafka_open(struct connection *connection, rd_kafka_type_t type,
                          const char *const *extra, rd_kafka_t **ret_client)
{
    char wrong[PROPERTY_ERROR_BYTES] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, connection);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, drop_log);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    enum exit_code code = fill_conf(connection, conf, extra);
    if (code != EXIT_OK) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    *ret_client = rd_kafka_new(type, conf, wrong, sizeof wrong); /* takes conf if it succeeds */
    if (*ret_client == NULL) {
        fprintf(stderr, "restorectl: %s\n", wrong);
        rd_kafka_conf_destroy(conf);
        return EXIT_CONFIGURATION;
    }
    return EXIT_OK;
}

int kafka_timeout_ms(const struct connection *connection)
{
    int64_t left_ms = connection->until_mono_ms - clock_read_mono_ms();
    if (left_ms < KAFKA_TIMEOUT_LEAST_MS)
        return KAFKA_TIMEOUT_LEAST_MS;
    return left_ms < KAFKA_TIMEOUT_MS ? (int)left_ms : KAFKA_TIMEOUT_MS;
}

enum exit_code kafka_list(struct connection *connection, rd_kafka_t *client,
                          const struct rd_kafka_metadata **ret_metadata)
{
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(client, 1, NULL, ret_metadata, kafka_timeout_ms(connection));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_poll(client, 0); /* on_error: why */
        return kafka_unreachable(connection, error);
    }
    return EXIT_OK;
}

int kafka_partitions(const struct rd_kafka_metadata *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return metadata->topics[i].partition_cnt;
    return 0;
}

bool kafka_is_denied(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
}

enum exit_code kafka_unreachable(const struct connection *connection, rd_kafka_resp_err_t error)
{
    fprintf(stderr, "restorectl: Kafka at %s: %s%s%s\n", connection->brokers,
            rd_kafka_err2str(error), connection->last_error[0] != '\0' ? ": " : "",
            connection->last_error);
    return kafka_is_denied(error) ? EXIT_NOT_PERMITTED : EXIT_UNREACHABLE;
}

/* embedded-kafka TOPIC:PARTITIONS...: librdkafka's mock cluster as a process of its own, one broker
 * on a free loopback port. For trying out: it keeps nothing, drops the offsets of transactions and
 * shows aborted records (measured with librdkafka 2.0.2), so it proves nothing about exactly-once.
 *
 * Prints "listening on ADDRESS:PORT" when the topics are there; SIGTERM and SIGINT end it with 0.
 * Exit codes: 64 usage, 70 librdkafka refused. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 64, EXIT_SOFTWARE = 70, NAME_BYTES = 249, PARTITIONS_MAX = 1000 };

/* The mock cluster cannot be asked for topics over the wire (it has no CreateTopics), and makes
 * those that somebody merely names with four partitions: so all are made here, first. */
static int create_topic(rd_kafka_mock_cluster_t *cluster, const char *text)
{
    char name[NAME_BYTES + 1], *end;
    const char *colon = strrchr(text, ':');
    size_t bytes = colon != NULL ? (size_t)(colon - text) : 0;
    long partitions = colon != NULL ? strtol(colon + 1, &end, 10) : 0;
    if (bytes == 0 || bytes > NAME_BYTES || *end != '\0' || partitions < 1 ||
        partitions > PARTITIONS_MAX) {
        fprintf(stderr, "embedded-kafka: %s: must be TOPIC:PARTITIONS\n", text);
        return EXIT_USAGE;
    }
    memcpy(name, text, bytes);
    name[bytes] = '\0';
    rd_kafka_resp_err_t error = rd_kafka_mock_topic_create(cluster, name, (int)partitions, 1);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    fprintf(stderr, "embedded-kafka: %s: %s\n", name, rd_kafka_err2str(error));
    return EXIT_SOFTWARE;
}

static int serve(rd_kafka_t *owner, char **topics, int n, const sigset_t *ends)
{
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
    if (cluster == NULL) {
        fprintf(stderr, "embedded-kafka: no mock cluster\n");
        return EXIT_SOFTWARE;
    }
    int code = 0, signal_number;
    for (int i = 0; i < n && code == 0; i++)
        code = create_topic(cluster, topics[i]);
    if (code == 0) {
        printf("listening on %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
        fflush(stdout);
        sigwait(ends, &signal_number);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    return code;
}

int main(int argc, char **argv)
{
    char why[256];
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before librdkafka's threads, which inherit it */
    if (argc < 2) {
        fprintf(stderr, "usage: embedded-kafka TOPIC:PARTITIONS...\n");
        return EXIT_USAGE;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new(); /* without brokers: errors only, not that */
    (void)rd_kafka_conf_set(conf, "log_level", "3", why, sizeof why);
    rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (owner == NULL) {
        fprintf(stderr, "embedded-kafka: %s\n", why);
        rd_kafka_conf_destroy(conf);
        return EXIT_SOFTWARE;
    }
    int code = serve(owner, argv + 1, argc - 1, &ends);
    rd_kafka_destroy(owner);
    return code;
}

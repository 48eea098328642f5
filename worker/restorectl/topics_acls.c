/* topics acls: what each part may do with Kafka, as kafka-acls takes it. Needs no Kafka itself. */
#include "worker/restorectl/commands.h"
#include "worker/restorectl/topics.h"

#include <string.h>

/* Who: User:<name>, to be put into the place of the real principals. */
#define WORKER "restore-worker"
#define PRODUCER "request-producer"
#define READER "outcome-reader"
#define MAILER "mail-service"
#define TOOL "restorectl"

static const char *const readable[] = {READER, TOOL};

static void print_acl(const struct connection *connection, const char *who, const char *what,
                      const char *rights)
{
    printf("kafka-acls --bootstrap-server '%s' --add --allow-principal 'User:%s' %s%s\n",
           connection->brokers, who, what, rights);
}

static void print_topic(const struct connection *connection, const char *who, const char *topic,
                        const char *rights)
{
    char what[TOPIC_BYTES + 32];
    snprintf(what, sizeof what, "--topic '%s'", topic); /* [a-zA-Z0-9._-], as Kafka wants it */
    print_acl(connection, who, what, rights);
}

/* In a shell's single quotes. */
static void quote(const char *text, char ret_text[4 * CLIENT_NAME_BYTES + 1])
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        const char *part = *text == '\'' ? "'\\''" : (char[]){*text, '\0'};
        memcpy(ret_text + used, part, strlen(part));
        used += strlen(part);
    }
    ret_text[used] = '\0';
}

/* Write brings Describe with it, and the idempotent producer (Kafka 2.8 and later). */
static void print_worker(const struct connection *connection)
{
    const struct settings *settings = connection->settings;
    struct topic_plan plans[TOPICS];
    char group[4 * CLIENT_NAME_BYTES + 1], what[4 * CLIENT_NAME_BYTES + 64];
    int n = topics_plan(settings, plans);
    print_topic(connection, WORKER, settings->kafka.requests_topic,
                " --operation Read --operation DescribeConfigs");
    for (int i = 1; i < n; i++)
        print_topic(connection, WORKER, plans[i].name,
                    plans[i].append_time
                        ? " --operation Read --operation Write --operation DescribeConfigs"
                        : " --operation Write");
    quote(settings->kafka.group, group);
    snprintf(what, sizeof what, "--group '%s'", group);
    print_acl(connection, WORKER, what, " --operation Read");
    /* group-instance: one for each instance, so the group and what follows it */
    snprintf(what, sizeof what, "--transactional-id '%s-'", group);
    print_acl(connection, WORKER, what,
              " --resource-pattern-type prefixed --operation Write --operation Describe");
}

static void print_others(const struct connection *connection)
{
    static const enum out_topic events[] = {TOPIC_SUCCEEDED, TOPIC_CONFLICTS, TOPIC_FAILED,
                                            TOPIC_PLANS, TOPIC_BATCHES};
    const struct settings *settings = connection->settings;
    print_topic(connection, PRODUCER, settings->kafka.requests_topic, " --operation Write");
    print_topic(connection, TOOL, settings->kafka.requests_topic,
                " --operation Write --operation Read");
    for (size_t who = 0; who < sizeof readable / sizeof readable[0]; who++)
        for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
            print_topic(connection, readable[who], settings->kafka.topics[events[i]],
                        " --operation Read");
    print_topic(connection, MAILER, settings->kafka.topics[TOPIC_NOTIFICATIONS],
                " --operation Read");
}

enum exit_code command_topics_acls(const struct options *options)
{
    struct connection connection;
    enum exit_code code = connection_open(options, false, &connection);
    if (code != EXIT_OK)
        return code;
    puts("# Put your principals in the place of these. Whoever may write requests may restore:\n"
         "# write access is the authentication. Readers with groups need Read on those too.");
    print_worker(&connection);
    print_others(&connection);
    connection_close(&connection);
    return EXIT_OK;
}

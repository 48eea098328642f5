#include "worker/restorectl/option_table.h"

#include "worker/restorectl/commands.h"
#include "worker/restorectl/terms.h"

#include <stddef.h>
#include <string.h>

const char *option_take_request_id(struct options *options, const char *text)
{
    options->request_id = text;
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return "no control characters";
    return *text != '\0' && strlen(text) <= IDENTITY_BYTES ? NULL : "1 to 256 bytes";
}

static const char *take_timeout(struct options *options, const char *text)
{
    long seconds;
    if (!term_number(text, TIMEOUT_SECONDS_MAX, &seconds))
        return "1 to 86400 seconds";
    options->timeout_ms = (int64_t)seconds * 1000;
    return NULL;
}

static const char *take_replication(struct options *options, const char *text)
{
    long replication;
    if (!term_number(text, REPLICATION_MAX, &replication))
        return "1 to 100";
    options->replication = (int)replication;
    return NULL;
}

static const char *take_brokers(struct options *options, const char *text)
{
    options->brokers = text;
    return *text != '\0' && strlen(text) <= BROKERS_BYTES ? NULL : "host:port, comma between";
}

static const char *take_property(struct options *options, const char *text)
{
    if (options->n_properties == KAFKA_PROPERTIES_MAX)
        return "at most 64 times";
    options->properties[options->n_properties++] = text;
    return NULL;
}

static const char *take_output(struct options *options, const char *text)
{
    static const char *const words[] = {
        [OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", [OUTPUT_CSV] = "csv"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            options->output = (enum output)i;
            return NULL;
        }
    }
    return "text, json or csv";
}

#define OPTION(member) offsetof(struct options, member)

enum {
    RESTORE = 1 << COMMAND_RESTORE,
    PLAN = 1 << COMMAND_PLAN,
    DELETED = 1 << COMMAND_DELETED,
    WAIT = 1 << COMMAND_WAIT,
    WATCH = 1 << COMMAND_WATCH,
    RETRY = 1 << COMMAND_RETRY,
    CREATE = 1 << COMMAND_TOPICS_CREATE,
    KEYS = 1 << COMMAND_KEYS_NEW,
    EVERY = (1 << COMMANDS) - 1,
    KAFKA = EVERY - KEYS,
    USERS = RESTORE | PLAN,
    MADE = USERS | DELETED, /* make a request of their own */
    SENT = MADE | RETRY,
};

/* clang-format off */
const struct command_row command_rows[COMMANDS] = {
    [COMMAND_RESTORE] = {"restore", NULL, "USER...|--csv FILE", command_restore,
        "ask for users, by object id or user principal name, and wait"},
    [COMMAND_PLAN] = {"plan", NULL, "USER...", command_plan,
        "what would happen; nothing is changed"},
    [COMMAND_DELETED] = {"deleted", NULL, "", command_deleted,
        "who can be restored, nearest deadline first"},
    [COMMAND_WAIT] = {"wait", NULL, "REQUEST-ID", command_wait,
        "the outcome of a request sent earlier; the newest if several"},
    [COMMAND_WATCH] = {"watch", NULL, "", command_watch,
        "outcomes of everybody as they come, until Ctrl-C"},
    [COMMAND_RETRY] = {"retry", NULL, "EVENT-FILE|-", command_retry,
        "send what an event has ready: its resolution, resend, apply"},
    [COMMAND_TOPICS_CREATE] = {"topics", "create", "", command_topics_create,
        "make the topics that are not there"},
    [COMMAND_TOPICS_CHECK] = {"topics", "check", "", command_topics_check,
        "compare them with what the worker needs"},
    [COMMAND_TOPICS_ACLS] = {"topics", "acls", "", command_topics_acls,
        "print the kafka-acls commands for all parts"},
    [COMMAND_KEYS_NEW] = {"keys", "new", "", command_keys_new,
        "a key pair for the notification service, to stdout or files"},
};

const struct option_row option_rows[OPTION_ROWS] = {
    {"csv", 0, RESTORE, "FILE",
        "one request a row: user, newUserPrincipalName, notify, reason, ticket",
        .offset = OPTION(csv)},
    {"resume", 0, RESTORE, "RESULTS", "leave out whom an earlier run's -o csv says succeeded",
        .offset = OPTION(resume)},
    {"tenant", 0, MADE, "NAME", "which tenant, where several are configured", .term = term_tenant},
    {"requested-by", 0, SENT, "WHO", "object id, user principal name, or app:APPLICATION-ID",
        .term = term_requested_by},
    {"reason", 0, USERS, "TEXT", "why, for the record", .term = term_reason},
    {"ticket", 0, USERS, "SYSTEM:ID", "the ticket it belongs to", .term = term_ticket},
    {"notify", 0, USERS, "WHOM", "address, manager, requester or user-alternate; up to 5",
        .term = term_notify},
    {"on-name-conflict", 0, USERS, "POLICY",
        "reject, rename-restored, rename-active or replace-active", .term = term_name_policy},
    {"new-name", 0, USERS, "NAME", "for whom the policy renames; one USER only",
        .term = term_new_name},
    {"policy", 0, RETRY, "POLICY", "which of several resolutions", .term = term_name_policy},
    {"match", 0, DELETED, "TEXT", "only names with this in them", .term = term_match},
    {"closing-within", 0, DELETED, "DAYS", "only who is lost for good by then, 1 to 30",
        .term = term_closing_within},
    {"request-id", 0, MADE, "ID", "instead of a random one", .take = option_take_request_id},
    {"timeout", 0, SENT | WAIT, "SECONDS",
        "how long to wait (1200); with --csv for the next outcome", .take = take_timeout},
    {"no-wait", 0, SENT, NULL, "print the request ids and leave", .offset = OPTION(no_wait)},
    {"print", 0, SENT, NULL, "send nothing; show topic, key, headers and value",
        .offset = OPTION(print)},
    {"replication", 0, CREATE, "N", "instead of the broker's default", .take = take_replication},
    {"out", 0, KEYS, "FILE", "the private key, made readable for its owner only",
        .offset = OPTION(private_file)},
    {"public", 0, KEYS, "FILE", "the public key set, for secrets.recipient_keys_file",
        .offset = OPTION(public_file)},
    {"output", 'o', SENT | WAIT | WATCH, "text|json|csv", "how to print events",
        .take = take_output},
    {"config", 'c', KAFKA, "FILE", "the worker's; else -b; else $RESTORECTL_CONFIG",
        .offset = OPTION(config)},
    {"brokers", 'b', KAFKA, "LIST", "host:port, comma between", .take = take_brokers},
    {"property", 'X', KAFKA, "NAME=VALUE", "a librdkafka property; secrets as NAME=file:PATH",
        .take = take_property},
    {"help", 'h', EVERY, NULL, "this", .offset = OPTION(help)},
    {"version", 'V', EVERY, NULL, "versions of the tool and its libraries",
        .offset = OPTION(version)},
};
/* clang-format on */

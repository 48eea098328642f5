#include "worker/restorectl/option_table.h"

#include "worker/restorectl/terms.h"

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

static const char *take_no_wait(struct options *options, const char *text)
{
    (void)text;
    options->no_wait = true;
    return NULL;
}

static const char *take_print(struct options *options, const char *text)
{
    (void)text;
    options->print = true;
    return NULL;
}

static const char *take_csv(struct options *options, const char *text)
{
    options->csv = text;
    return NULL;
}

static const char *take_resume(struct options *options, const char *text)
{
    options->resume = text;
    return NULL;
}

static const char *take_private_file(struct options *options, const char *text)
{
    options->private_file = text;
    return NULL;
}

static const char *take_public_file(struct options *options, const char *text)
{
    options->public_file = text;
    return NULL;
}

static const char *take_config(struct options *options, const char *text)
{
    options->config = text;
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

static const char *take_nothing(struct options *options, const char *text)
{
    (void)options;
    (void)text;
    return NULL;
}

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
    [COMMAND_RESTORE] = {"restore", NULL, "USER...|--csv FILE",
        "ask for users, by object id or user principal name, and wait"},
    [COMMAND_PLAN] = {"plan", NULL, "USER...", "what would happen; nothing is changed"},
    [COMMAND_DELETED] = {"deleted", NULL, "", "who can be restored, nearest deadline first"},
    [COMMAND_WAIT] = {"wait", NULL, "REQUEST-ID",
        "the outcome of a request sent earlier; the newest if several"},
    [COMMAND_WATCH] = {"watch", NULL, "", "outcomes of everybody as they come, until Ctrl-C"},
    [COMMAND_RETRY] = {"retry", NULL, "EVENT-FILE|-",
        "send what an event has ready: its resolution, resend, apply"},
    [COMMAND_TOPICS_CREATE] = {"topics", "create", "", "make the topics that are not there"},
    [COMMAND_TOPICS_CHECK] = {"topics", "check", "", "compare them with what the worker needs"},
    [COMMAND_TOPICS_ACLS] = {"topics", "acls", "", "print the kafka-acls commands for all parts"},
    [COMMAND_KEYS_NEW] = {"keys", "new", "",
        "a key pair for the notification service, to stdout or files"},
};

const struct option_row option_rows[OPTION_ROWS] = {
    {"csv", 0, RESTORE, "FILE", NULL, take_csv,
        "one request a row: user, newUserPrincipalName, notify, reason, ticket"},
    {"resume", 0, RESTORE, "RESULTS", NULL, take_resume,
        "leave out whom an earlier run's -o csv says succeeded"},
    {"tenant", 0, MADE, "NAME", term_tenant, NULL, "which tenant, where several are configured"},
    {"requested-by", 0, SENT, "WHO", term_requested_by, NULL,
        "object id, user principal name, or app:APPLICATION-ID"},
    {"reason", 0, USERS, "TEXT", term_reason, NULL, "why, for the record"},
    {"ticket", 0, USERS, "SYSTEM:ID", term_ticket, NULL, "the ticket it belongs to"},
    {"notify", 0, USERS, "WHOM", term_notify, NULL,
        "address, manager, requester or user-alternate; up to 5"},
    {"on-name-conflict", 0, USERS, "POLICY", term_name_policy, NULL,
        "reject, rename-restored, rename-active or replace-active"},
    {"new-name", 0, USERS, "NAME", term_new_name, NULL,
        "for whom the policy renames; one USER only"},
    {"policy", 0, RETRY, "POLICY", term_name_policy, NULL, "which of several resolutions"},
    {"match", 0, DELETED, "TEXT", term_match, NULL, "only names with this in them"},
    {"closing-within", 0, DELETED, "DAYS", term_closing_within, NULL,
        "only who is lost for good by then, 1 to 30"},
    {"request-id", 0, MADE, "ID", NULL, option_take_request_id, "instead of a random one"},
    {"timeout", 0, SENT | WAIT, "SECONDS", NULL, take_timeout,
        "how long to wait (1200); with --csv for the next outcome"},
    {"no-wait", 0, SENT, NULL, NULL, take_no_wait, "print the request ids and leave"},
    {"print", 0, SENT, NULL, NULL, take_print,
        "send nothing; show topic, key, headers and value"},
    {"replication", 0, CREATE, "N", NULL, take_replication, "instead of the broker's default"},
    {"out", 0, KEYS, "FILE", NULL, take_private_file,
        "the private key, made readable for its owner only"},
    {"public", 0, KEYS, "FILE", NULL, take_public_file,
        "the public key set, for secrets.recipient_keys_file"},
    {"output", 'o', SENT | WAIT | WATCH, "text|json|csv", NULL, take_output,
        "how to print events"},
    {"config", 'c', KAFKA, "FILE", NULL, take_config,
        "the worker's; else -b; else $RESTORECTL_CONFIG"},
    {"brokers", 'b', KAFKA, "LIST", NULL, take_brokers, "host:port, comma between"},
    {"property", 'X', KAFKA, "NAME=VALUE", NULL, take_property,
        "a librdkafka property; secrets as NAME=file:PATH"},
    {"help", 'h', EVERY, NULL, NULL, take_nothing, "this"},
    {"version", 'V', EVERY, NULL, NULL, take_nothing, "versions of the tool and its libraries"},
};
/* clang-format on */

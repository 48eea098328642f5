#include "worker/settings_table.h"

#include "worker/log.h"

#include <assert.h>
#include <string.h>
#include <syslog.h>

#define FIELD(member)                                                                              \
    .offset = offsetof(struct settings, member), .bytes = sizeof(((struct settings *)0)->member)
#define SPAN(first, last)                                                                          \
    .offset = offsetof(struct settings, first), .bytes = offsetof(struct settings, last) +         \
                                                         sizeof(((struct settings *)0)->last) -    \
                                                         offsetof(struct settings, first)
#define TENANT(member)                                                                             \
    .offset = offsetof(struct tenant_entry, member),                                               \
    .bytes = sizeof(((struct tenant_entry *)0)->member)
#define ROW(in, name, flag, kind, value, text, ...)                                                \
    {                                                                                              \
        .section = in, .key = name, .type = SETTING_##kind, .flags = flag, .initial = value,       \
        .sentence = text, __VA_ARGS__                                                              \
    }
#define TEXT(in, name, flag, test, value, text, ...)                                               \
    ROW(in, name, flag, TEXT, value, text, .check = test, __VA_ARGS__)
#define BOOL(in, name, flag, value, text, ...) ROW(in, name, flag, BOOL, value, text, __VA_ARGS__)
#define WORD(in, name, flag, list, value, text, ...)                                               \
    ROW(in, name, flag, WORD, value, text, .words = list, __VA_ARGS__)
#define LIST(in, name, flag, take, value, text, ...)                                               \
    ROW(in, name, flag, LIST, value, text, .add = take, __VA_ARGS__)
#define INTEGER(in, name, flag, low, high, factor, of, value, text, ...)                           \
    ROW(in, name, flag, INTEGER, value, text, .min = low, .max = high, .scale = factor,            \
        .unit = of, __VA_ARGS__)
#define TOPIC(name, flag, member, value, text)                                                     \
    TEXT("kafka.topics", #name, flag, check_topic, "\"user-restore." value "\"", text,             \
         FIELD(kafka.member))

const char *const setting_sections[] = {
    "kafka",   "kafka.topics", "tenants", "tenants.credential",
    "policy",  "directory",    "events",  "secrets",
    "journal", "admin",        "log",     "shutdown",
    NULL,
};

static const struct setting_word start_words[] = {{"earliest", 0}, {"latest", 1}, {0}};
static const struct setting_word requester_words[] = {
    {"directory-role", 1}, {"not-checked", 0}, {0}};
static const struct setting_word reject_words[] = {{"reject", 1}, {"allow", 0}, {0}};
static const struct setting_word name_words[] = {{"reject", NAME_POLICY_REJECT},
                                                 {"rename-restored", NAME_POLICY_RENAME_RESTORED},
                                                 {"rename-active", NAME_POLICY_RENAME_ACTIVE},
                                                 {0}};
static const struct setting_word address_words[] = {
    {"remove", ADDRESS_POLICY_REMOVE}, {"reject", ADDRESS_POLICY_REJECT}, {0}};
static const struct setting_word cloud_words[] = {
    {"global", 0}, {"us-gov", 1}, {"dod", 2}, {"china", 3}, {0}};
static const struct setting_word credential_words[] = {
    {"secret", CREDENTIAL_SECRET},
    {"certificate", CREDENTIAL_CERTIFICATE},
    {"federated", CREDENTIAL_FEDERATED},
    {"managed-identity", CREDENTIAL_MANAGED_IDENTITY},
    {0}};
static const struct setting_word level_words[] = {
    {"error", LOG_ERR}, {"warn", LOG_WARNING}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {0}};
static const struct setting_word format_words[] = {{"auto", LOG_FORMAT_AUTO},
                                                   {"json", LOG_FORMAT_JSON},
                                                   {"logfmt", LOG_FORMAT_LOGFMT},
                                                   {"text", LOG_FORMAT_TEXT},
                                                   {0}};

/* Graph's national clouds. Microsoft's pages name two login hosts for China; this is the one of its
 * identity platform, and login_url can say otherwise. */
const struct cloud_preset cloud_presets[CLOUDS] = {
    {"https://graph.microsoft.com", "https://login.microsoftonline.com"},
    {"https://graph.microsoft.us", "https://login.microsoftonline.us"},
    {"https://dod-graph.microsoft.us", "https://login.microsoftonline.us"},
    {"https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"},
};

const struct setting_row setting_rows[] = {
    TEXT("kafka", "brokers", 0, check_not_empty, "\"127.0.0.1:9092\"",
         "brokers to start from, host:port, comma between", FIELD(kafka.brokers)),
    TEXT("kafka", "group", 0, check_not_empty, "\"restore-worker\"",
         "consumer group; workers of one group share the requests", FIELD(kafka.group)),
    TEXT("kafka", "instance", 0, check_identity, "\"\"",
         "stable name of this process in the group; \"\": the host name. Of two processes with one "
         "name the older ends with 78",
         FIELD(kafka.instance)),
    LIST("kafka", "properties", 0, add_property, "[ ]",
         "\"name=value\" for librdkafka, but for those the worker owns; secrets as name=file:PATH "
         "or name=credential:NAME",
         FIELD(kafka.properties)),
    BOOL("kafka", "accept_plain_json", 0, "true", "also take requests that are not CloudEvents",
         FIELD(kafka.accept_plain_json)),
    WORD("kafka", "start", 0, start_words, "\"earliest\"",
         "where to begin when the group has committed no offset", FIELD(kafka.start_latest)),
    TOPIC(requests, 0, requests_topic, "requests", "topic that requests come from"),
    TOPIC(succeeded, 0, topics[TOPIC_SUCCEEDED], "succeeded",
          "topic of the success events; this and the five after it may be one"),
    TOPIC(conflicts, 0, topics[TOPIC_CONFLICTS], "conflicts", "topic of the conflict events"),
    TOPIC(failed, 0, topics[TOPIC_FAILED], "failed", "topic of the failure events"),
    TOPIC(plans, 0, topics[TOPIC_PLANS], "plans", "topic of the answers to plan and list"),
    TOPIC(batches, 0, topics[TOPIC_BATCHES], "batches",
          "topic of the summaries of requests with several users"),
    TOPIC(notifications, 0, topics[TOPIC_NOTIFICATIONS], "notifications",
          "topic of the orders to the mail service"),
    TOPIC(dead_letters, 0, topics[TOPIC_DEAD_LETTERS], "dead-letters",
          "topic of the records that are no request"),
    TOPIC(journal, 0, topics[TOPIC_JOURNAL], "journal",
          "topic of the worker's own journal; as many partitions as the requests"),

    TEXT("tenants", "name", SETTING_REQUIRED, check_tenant_name, "\"contoso\"",
         "what requests call the tenant", TENANT(settings.name)),
    TEXT("tenants", "id", SETTING_REQUIRED, check_tenant_id, "\"contoso.onmicrosoft.com\"",
         "tenant id or one of its domains", TENANT(settings.id)),
    WORD("tenants", "cloud", 0, cloud_words, "\"global\"",
         "which cloud's addresses to use where the two below are \"\"", TENANT(cloud)),
    TEXT("tenants", "graph_url", 0, check_url, "\"\"", "address of Microsoft Graph",
         TENANT(settings.graph_url)),
    TEXT("tenants", "login_url", 0, check_url, "\"\"", "address that issues tokens",
         TENANT(settings.login_url)),
    TEXT("tenants", "client_id", SETTING_OF_TYPE, check_guid,
         "\"00000000-0000-0000-0000-000000000000\"",
         "application id of the worker's app registration; needed, but for a managed identity, "
         "where it names one of several",
         TENANT(settings.client_id)),
    INTEGER("tenants", "resource_units_per_10s", 0, 1, 10000000, 1, NULL, "8000",
            "Graph's limit for the tenant; an instance uses its share",
            TENANT(settings.resource_units_per_10s)),
    INTEGER("tenants", "writes_per_150s", 0, 1, 10000000, 1, NULL, "3000",
            "Graph's limit of changes for the tenant; an instance uses its share",
            TENANT(settings.writes_per_150s)),

    WORD("tenants.credential", "type", 0, credential_words, "\"secret\"",
         "how the worker proves who it is", TENANT(settings.credential_type)),
    TEXT("tenants.credential", "file", SETTING_OF_TYPE, check_not_empty, "\"credential:graph\"",
         "secret: file with the client secret, not readable by others; credential:NAME is "
         "$CREDENTIALS_DIRECTORY/NAME",
         TENANT(credential_file)),
    TEXT("tenants.credential", "certificate_file", SETTING_OF_TYPE | SETTING_ASIDE, check_not_empty,
         "\"/etc/restore-worker/graph.crt\"", "certificate: the certificate, PEM",
         TENANT(certificate_file)),
    TEXT("tenants.credential", "key_file", SETTING_OF_TYPE | SETTING_ASIDE, check_not_empty,
         "\"credential:graph-key\"",
         "certificate: its RSA key, PEM without passphrase, not readable by others",
         TENANT(key_file)),
    TEXT("tenants.credential", "token_file", SETTING_OF_TYPE | SETTING_ASIDE, check_not_empty,
         "\"/var/run/secrets/azure/tokens/azure-identity-token\"",
         "federated: file with the other issuer's token, read anew for each of ours",
         TENANT(settings.token_file)),
    TEXT("tenants.credential", "endpoint", SETTING_OF_TYPE | SETTING_ASIDE, check_endpoint,
         "\"http://169.254.169.254/metadata/identity/oauth2/token\"",
         "managed-identity: address of the metadata service; this one when left out",
         TENANT(settings.identity_endpoint)),

    INTEGER("policy", "retention_days", SETTING_RELOADABLE, 1, 30, 1, "days", "30",
            "how long after the deletion a user is restored", FIELD(policy.retention_days)),
    WORD("policy", "requester", SETTING_RELOADABLE, requester_words, "\"directory-role\"",
         "who may ask", FIELD(policy.check_requester)),
    LIST("policy", "requester_roles", SETTING_RELOADABLE, add_requester_role,
         "[ \"Global Administrator\", \"User Administrator\" ]",
         "directory roles of which a requester must hold one: built-in name or template id",
         SPAN(policy.n_requester_roles, policy.requester_roles)),
    LIST("policy", "requester_apps", SETTING_RELOADABLE, add_requester_app, "[ ]",
         "application ids that may ask; each must be enabled in the tenant",
         SPAN(policy.n_requester_apps, policy.requester_apps)),
    WORD("policy", "user_principal_name", SETTING_RELOADABLE, name_words, "\"reject\"",
         "what to do when the user's name is taken and the request does not say",
         FIELD(policy.name_policy)),
    LIST("policy", "allow", SETTING_RELOADABLE, add_allowed_policy, "[ \"rename-restored\" ]",
         "policies that a request may ask for; reject always is allowed",
         FIELD(policy.name_policy_allowed)),
    TEXT("policy", "rename_template", SETTING_RELOADABLE, check_template,
         "\"{local}.{n}@{domain}\"", "name of a user restored under another one; {n} is 2 to 20",
         FIELD(policy.rename_template)),
    WORD("policy", "proxy_addresses", SETTING_RELOADABLE, address_words, "\"remove\"",
         "what to do with mail addresses that another account holds by now",
         FIELD(policy.address_policy)),
    WORD("policy", "synced_users", SETTING_RELOADABLE, reject_words, "\"reject\"",
         "users that were synchronised from an on-premises directory",
         FIELD(policy.reject_synced_users)),
    WORD("policy", "privileged_targets", SETTING_RELOADABLE, reject_words, "\"reject\"",
         "users that hold a directory role", FIELD(policy.reject_privileged_targets)),
    LIST("policy", "notify_default", SETTING_RELOADABLE, add_notify_default, "[ \"manager\" ]",
         "whom to notify when the request does not say: manager, requester, user-alternate, or "
         "addresses",
         FIELD(policy.notify_default)),
    LIST("policy", "secret_recipients", SETTING_RELOADABLE, add_secret_recipient, "[ \"manager\" ]",
         "who may be sent a password: the words of notify_default, or \"@domain\"",
         SPAN(policy.secret_words, policy.secret_domains)),
    INTEGER(
        "policy", "restores_per_hour", SETTING_RELOADABLE, 0, 1000000, 1, NULL, "0",
        "limit per tenant and sliding hour, divided among the instances by their partitions and "
        "rounded up; 0: none",
        FIELD(policy.restores_per_hour)),
    INTEGER("policy", "max_request_age_hours", SETTING_RELOADABLE, 1, 720, HOUR_MS, "hours", "72",
            "older requests are refused; not above journal.dedupe_window_hours",
            FIELD(policy.max_request_age_ms)),
    INTEGER("policy", "request_deadline_seconds", SETTING_RELOADABLE, 5, 86400, SECOND_MS,
            "seconds", "900", "how long a request is worked on", FIELD(policy.request_deadline_ms)),

    INTEGER("directory", "max_in_flight", 0, 1, 4096, 1, NULL, "256", "calls at a time",
            FIELD(directory.max_in_flight)),
    INTEGER("directory", "request_timeout_ms", 0, 1000, 30000, 1, "ms", "30000",
            "how long to wait for a reply", FIELD(directory.request_timeout_ms)),
    TEXT("directory", "ca_file", 0, check_identity, "\"\"",
         "PEM file of certificate authorities; \"\": the system's", FIELD(directory.ca_file)),

    TEXT("events", "source", 0, check_identity, "\"\"",
         "source of the events; \"\": urn:restore-worker:GROUP", FIELD(events.source)),
    TEXT("events", "type_prefix", 0, check_not_empty, "\"io.restore-worker.\"",
         "what the types of events begin with", FIELD(events.type_prefix)),
    LIST("events", "notify_on", SETTING_RELOADABLE, add_notify_on, "[ \"succeeded\" ]",
         "outcomes that ask for a notification: succeeded, conflict, failed; a generated password "
         "always does",
         SPAN(policy.notify_on_succeeded, policy.notify_on_failed)),

    TEXT("secrets", "recipient_keys_file", 0, check_identity, "\"\"",
         "public keys (JWK set) of the notification service, read at the start; \"\": no password "
         "is "
         "generated",
         FIELD(recipient_keys_file)),
    INTEGER("secrets", "expire_hours", 0, 1, 720, HOUR_MS, "hours", "24",
            "until when a password may be handed on", FIELD(secret_expire_ms)),

    INTEGER("journal", "dedupe_window_hours", 0, 1, 720, HOUR_MS, "hours", "72",
            "how long a repeated request is recognised", FIELD(dedupe_window_ms)),

    TEXT("admin", "listen", 0, check_listen, "\"127.0.0.1:9464\"",
         "address of the admin pages; \"\": off, port 0: any free one", FIELD(admin_listen)),

    WORD("log", "level", SETTING_RELOADABLE, level_words, "\"info\"", "what is logged",
         FIELD(log_level)),
    WORD("log", "format", 0, format_words, "\"auto\"", "auto: text on a terminal, else json",
         FIELD(log_format)),

    INTEGER("shutdown", "grace_seconds", SETTING_RELOADABLE, 10, 300, SECOND_MS, "seconds", "25",
            "how long a drain may take; calls still open 8 s before its end are abandoned",
            FIELD(shutdown_grace_ms)),
    {0},
};

static_assert(sizeof setting_rows / sizeof setting_rows[0] <= SETTING_ROWS_MAX,
              "origins have a place per row");

const struct setting_row *setting_find(const char *section, const char *key)
{
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++)
        if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
            return row;
    return NULL;
}

bool setting_is_of_tenant(const struct setting_row *row)
{
    return strncmp(row->section, "tenants", strlen("tenants")) == 0;
}

void setting_list_words(const struct setting_row *row, char ret_words[SETTING_MESSAGE_BYTES])
{
    int used = 0;
    ret_words[0] = '\0';
    for (const struct setting_word *word = row->words; word != NULL && word->word != NULL; word++)
        used += snprintf(ret_words + used, SETTING_MESSAGE_BYTES - (size_t)used, "%s\"%s\"",
                         used > 0 ? ", " : "", word->word);
}

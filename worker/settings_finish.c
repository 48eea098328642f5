/* What takes more than one setting, or a look outside: derived values, and checks across rows. */
#include "worker/secret_file.h"
#include "worker/settings_load.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill_names(struct loader *loader)
{
    struct settings *settings = loader->settings;
    char host[HOST_NAME_MAX + 1] = "";
    if (settings->kafka.instance[0] == '\0') {
        if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0' ||
            !text_copy(settings->kafka.instance, sizeof settings->kafka.instance, host))
            setting_error(loader, settings->origins, "kafka", "instance",
                          "is needed, since this machine has no name");
    }
    if (settings->events.source[0] == '\0')
        snprintf(settings->events.source, sizeof settings->events.source,
                 "urn:restore-worker:%.230s", settings->kafka.group);
    settings->directory.promise_max_ms = settings->policy.request_deadline_ms / 2;
}

/* Only the topics of events may be one (contract 2); a record of the journal read as a request, or
 * the other way round, would be nonsense. */
static void check_topics(struct loader *loader)
{
    const struct settings *settings = loader->settings;
    static const struct {
        enum out_topic topic;
        const char *key;
    } outs[] = {
        {TOPIC_SUCCEEDED, "succeeded"},
        {TOPIC_CONFLICTS, "conflicts"},
        {TOPIC_FAILED, "failed"},
        {TOPIC_PLANS, "plans"},
        {TOPIC_BATCHES, "batches"},
        {TOPIC_NOTIFICATIONS, "notifications"},
        {TOPIC_DEAD_LETTERS, "dead_letters"},
        {TOPIC_JOURNAL, "journal"},
    };
    for (size_t i = 0; i < OUT_TOPICS; i++) {
        const char *name = settings->kafka.topics[outs[i].topic];
        const char *other = strcmp(name, settings->kafka.requests_topic) == 0 ? "requests" : NULL;
        bool alone = outs[i].topic == TOPIC_DEAD_LETTERS || outs[i].topic == TOPIC_JOURNAL;
        for (size_t k = 0; k < i && alone; k++)
            if (strcmp(name, settings->kafka.topics[outs[k].topic]) == 0)
                other = outs[k].key;
        if (other != NULL)
            setting_error(loader, settings->origins, "kafka.topics", outs[i].key,
                          "must not be the topic of \"%s\"", other);
    }
}

static void check_policy(struct loader *loader)
{
    struct settings *settings = loader->settings;
    struct policy_rules *rules = &settings->policy;
    rules->name_policy_allowed[NAME_POLICY_REJECT] = true;
    if (!rules->name_policy_allowed[rules->name_policy])
        setting_error(loader, settings->origins, "policy", "allow",
                      "must have \"%s\", the default policy", name_policy_word(rules->name_policy));
    if (rules->max_request_age_ms > settings->dedupe_window_ms) {
        const struct setting_row *age = setting_find("policy", "max_request_age_hours");
        const struct setting_row *window = setting_find("journal", "dedupe_window_hours");
        const struct setting_origin *origin = &settings->origins[age - setting_rows];
        if (origin->source == SOURCE_DEFAULT)
            origin = &settings->origins[window - setting_rows];
        loader_error(loader, origin, age->section, age->key,
                     "must not be above journal.dedupe_window_hours (%d > %d)",
                     (int)(rules->max_request_age_ms / HOUR_MS),
                     (int)(settings->dedupe_window_ms / HOUR_MS));
    }
}

static void check_files(struct loader *loader)
{
    struct settings *settings = loader->settings;
    char why[SECRET_ERROR_BYTES];
    if (settings->recipient_keys_file[0] != '\0' &&
        !public_file_check(settings->recipient_keys_file, why))
        setting_error(loader, settings->origins, "secrets", "recipient_keys_file", "%s", why);
    settings->policy.has_recipient_key = settings->recipient_keys_file[0] != '\0';
    if (settings->directory.ca_file[0] != '\0' && access(settings->directory.ca_file, R_OK) != 0)
        setting_error(loader, settings->origins, "directory", "ca_file", "%.180s: %s",
                      settings->directory.ca_file, strerror(errno));
}

static void finish_tenant(struct loader *loader, int n)
{
    struct settings *settings = loader->settings;
    struct tenant_entry *entry = &settings->tenant_entries[n];
    const struct cloud_preset *preset = &cloud_presets[entry->cloud];
    if (entry->settings.graph_url[0] == '\0')
        text_copy(entry->settings.graph_url, URL_BYTES, preset->graph_url);
    if (entry->settings.login_url[0] == '\0')
        text_copy(entry->settings.login_url, URL_BYTES, preset->login_url);
    if (entry->settings.credential_type == CREDENTIAL_MANAGED_IDENTITY &&
        entry->settings.identity_endpoint[0] == '\0')
        text_copy(entry->settings.identity_endpoint, URL_BYTES,
                  "http://169.254.169.254/metadata/identity/oauth2/token");
    for (int i = 0; i < n && entry->settings.name[0] != '\0'; i++)
        if (strcmp(settings->tenant_entries[i].settings.name, entry->settings.name) == 0)
            setting_error(loader, entry->origins, "tenants", "name", "\"%s\" is there already",
                          entry->settings.name);

    struct tenant_settings *tenant = &settings->directory.tenants[settings->directory.n_tenants++];
    *tenant = entry->settings;
    if (loader->use == SETTINGS_WORKER)
        settings_read_credential(loader, entry, tenant);
}

void settings_finish(struct loader *loader)
{
    struct settings *settings = loader->settings;
    fill_names(loader);
    check_topics(loader);
    check_policy(loader);
    for (int i = 0; i < settings->n_tenant_entries; i++)
        finish_tenant(loader, i);
    if (settings->n_tenant_entries == 1)
        text_copy(settings->policy.default_tenant, sizeof settings->policy.default_tenant,
                  settings->tenant_entries[0].settings.name);
    if (loader->use != SETTINGS_WORKER)
        return;
    check_files(loader);
    if (settings->n_tenant_entries == 0 && !loader->incomplete)
        loader_error(loader, &(struct setting_origin){.source = settings->n_sources > 0 ? 0 : -1},
                     "tenants", NULL, "at least one is needed");
}

/* What a configuration is once it is loaded: taken over, handed on, given back. */
#include "worker/directory/assertion.h"
#include "worker/secret_file.h"
#include "worker/settings_table.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static void warn_restart(const struct settings_report *report, const struct setting_row *row)
{
    char line[SETTING_MESSAGE_BYTES];
    snprintf(line, sizeof line, "%s.%s: changed; takes effect with the next start", row->section,
             row->key);
    report->on_line(report->context, LOG_WARNING, line);
}

/* Fields are zero behind their text, so bytes can be compared. */
static void reload_row(struct settings *settings, struct settings *fresh,
                       const struct setting_row *row, const struct settings_report *report)
{
    ptrdiff_t i = row - setting_rows;
    char *field = (char *)settings + row->offset;
    const char *fresh_field = (const char *)fresh + row->offset;
    if ((row->flags & SETTING_RELOADABLE) == 0) {
        if (memcmp(field, fresh_field, row->bytes) != 0)
            warn_restart(report, row);
        return;
    }
    memcpy(field, fresh_field, row->bytes);
    struct setting_origin old = settings->origins[i];
    settings->origins[i] = fresh->origins[i];
    fresh->origins[i] = old;
}

static bool row_equal(const struct settings *a, const struct settings *b,
                      const struct setting_row *row)
{
    for (int n = 0; setting_is_of_tenant(row) && n < a->n_tenant_entries; n++)
        if (memcmp((const char *)&a->tenant_entries[n] + row->offset,
                   (const char *)&b->tenant_entries[n] + row->offset, row->bytes) != 0)
            return false;
    return true;
}

static bool tenants_equal(const struct settings *a, const struct settings *b,
                          const struct settings_report *report)
{
    if (a->n_tenant_entries != b->n_tenant_entries) {
        report->on_line(report->context, LOG_WARNING,
                        "tenants: changed; takes effect with the next start");
        return false;
    }
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++) {
        if (!row_equal(a, b, row)) {
            warn_restart(report, row);
            return false;
        }
    }
    return true;
}

/* A request must not outlive what is remembered of it, and the window is the journal's until the
 * next start, whatever the file says by now. */
static bool age_fits(const struct settings *settings, const struct settings *fresh,
                     const struct settings_report *report)
{
    char line[SETTING_MESSAGE_BYTES];
    if (fresh->policy.max_request_age_ms <= settings->dedupe_window_ms)
        return true;
    snprintf(line, sizeof line,
             "policy.max_request_age_hours: must not be above journal.dedupe_window_hours, which "
             "is %d until the next start (%d > %d)",
             (int)(settings->dedupe_window_ms / HOUR_MS),
             (int)(fresh->policy.max_request_age_ms / HOUR_MS),
             (int)(settings->dedupe_window_ms / HOUR_MS));
    report->on_line(report->context, LOG_ERR, line);
    return false;
}

bool settings_reload(struct settings *settings, struct settings *fresh,
                     const struct settings_report *report)
{
    if (!age_fits(settings, fresh, report))
        return false;
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++)
        if (!setting_is_of_tenant(row))
            reload_row(settings, fresh, row, report);
    settings->policy.name_policy_allowed[NAME_POLICY_REJECT] = true;
    if (!tenants_equal(settings, fresh, report))
        return true;
    for (int n = 0; n < settings->directory.n_tenants; n++) {
        struct tenant_settings *tenant = &settings->directory.tenants[n];
        struct tenant_settings *renewed = &fresh->directory.tenants[n];
        char *old_secret = tenant->client_secret;
        struct certificate *old_certificate = tenant->certificate;
        tenant->client_secret = renewed->client_secret;
        tenant->certificate = renewed->certificate;
        renewed->client_secret = old_secret;
        renewed->certificate = old_certificate;
    }
    return true;
}

int settings_properties(const struct settings *settings,
                        const char *ret_properties[KAFKA_PROPERTIES_MAX])
{
    int n = 0;
    for (const char *s = NULL; (s = string_list_next(&settings->kafka.properties, s)) != NULL;)
        ret_properties[n++] = s;
    return n;
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (int i = 0; i < SETTING_ROWS_MAX; i++)
        free(settings->origins[i].list_text);
    for (int i = 0; i < settings->directory.n_tenants; i++) {
        secret_free(settings->directory.tenants[i].client_secret);
        certificate_free(settings->directory.tenants[i].certificate);
    }
    explicit_bzero(&settings->kafka.properties, sizeof settings->kafka.properties);
    free(settings);
}

#include "worker/settings_load.h"

#include "worker/settings_text.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum { NAME_DISTANCE_MAX = 2, KEY_BYTES = 64 };

/* The closed list of contract section 5; Kubernetes puts others of this prefix there by itself. */
static const struct {
    const char *variable, *section, *key;
} environment[] = {
    {"RESTORE_WORKER_BROKERS", "kafka", "brokers"},
    {"RESTORE_WORKER_INSTANCE", "kafka", "instance"},
    {"RESTORE_WORKER_LOG_LEVEL", "log", "level"},
    {"RESTORE_WORKER_LISTEN", "admin", "listen"},
};

void loader_error(struct loader *loader, const struct setting_origin *at, const char *section,
                  const char *key, const char *format, ...)
{
    char message[SETTING_MESSAGE_BYTES];
    char line[SETTING_MESSAGE_BYTES + PATH_BYTES + 2 * KEY_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    FILE *file = fmemopen(line, sizeof line, "w");
    assert(file != NULL);
    setting_print_origin(loader->settings, at, file);
    fprintf(file, ": %s%s%.64s%s%s", section, *section != '\0' && key != NULL ? "." : "",
            key != NULL ? key : "", *section != '\0' || key != NULL ? ": " : "", message);
    fclose(file);
    loader->n_errors++;
    loader->report->on_line(loader->report->context, LOG_ERR, line);
}

/* Of `section`'s parts, the one called `key`. */
static const char *find_section(const char *section, const char *key)
{
    size_t length = strlen(section);
    for (const char *const *s = setting_sections; *s != NULL; s++) {
        const char *rest = *s;
        if (length > 0 && (strncmp(rest, section, length) != 0 || rest[length] != '.'))
            continue;
        rest += length > 0 ? length + 1 : 0;
        if (strcmp(rest, key) == 0)
            return *s;
    }
    return NULL;
}

/* Levenshtein's distance, for words of bounded length. */
static int name_distance(const char *a, const char *b)
{
    int costs[KEY_BYTES + 1];
    size_t length = strlen(b);
    if (length > KEY_BYTES)
        return KEY_BYTES;
    for (size_t i = 0; i <= length; i++)
        costs[i] = (int)i;
    for (size_t row = 1; *a != '\0'; a++, row++) {
        int diagonal = costs[0];
        costs[0] = (int)row;
        for (size_t i = 1; i <= length; i++) {
            int above = costs[i];
            int changed = diagonal + (*a != b[i - 1]);
            int shifted = (above < costs[i - 1] ? above : costs[i - 1]) + 1;
            costs[i] = changed < shifted ? changed : shifted;
            diagonal = above;
        }
    }
    return costs[length];
}

static void unknown_key(struct loader *loader, const struct setting_origin *at, const char *section,
                        const char *key)
{
    int nearest = NAME_DISTANCE_MAX + 1;
    const char *suggestion = NULL;
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++) {
        if (strcmp(row->section, section) == 0 && name_distance(key, row->key) < nearest) {
            suggestion = row->key;
            nearest = name_distance(key, suggestion);
        }
    }
    for (const char *const *s = setting_sections; *s != NULL && *section == '\0'; s++) {
        if (name_distance(key, *s) < nearest) {
            suggestion = *s;
            nearest = name_distance(key, suggestion);
        }
    }
    if (suggestion != NULL)
        loader_error(loader, at, section, key, "unknown; did you mean \"%s\"?", suggestion);
    else
        loader_error(loader, at, section, key, "unknown");
}

static void apply_default(struct loader *loader, const struct setting_row *row,
                          const struct setting_target *target)
{
    static const struct setting_origin origin = {.source = SOURCE_DEFAULT};
    char text[SETTING_MESSAGE_BYTES];
    unsigned line;
    const char *wrong;
    snprintf(text, sizeof text, "v = %s;", row->initial);
    char *wide = settings_text_widen(text, &line, &wrong);
    config_t config;
    config_init(&config);
    int parsed = wide != NULL ? config_read_string(&config, wide) : CONFIG_FALSE;
    assert(parsed == CONFIG_TRUE);
    setting_apply(loader, row, target, config_lookup(&config, "v"), &origin);
    config_destroy(&config);
    free(wide);
}

static void apply_defaults(struct loader *loader, bool of_tenant,
                           const struct setting_target *target)
{
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++) {
        target->origins[row - setting_rows].source = SOURCE_DEFAULT;
        if (setting_is_of_tenant(row) == of_tenant &&
            (row->flags & (SETTING_REQUIRED | SETTING_OF_TYPE)) == 0)
            apply_default(loader, row, target);
    }
}

static void load_tenants(struct loader *loader, const config_setting_t *list,
                         const struct setting_origin *at);

static void walk_group(struct loader *loader, const config_setting_t *group, short source,
                       const char *section, const struct setting_target *target)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *child = config_setting_get_elem(group, (unsigned)i);
        const char *key = config_setting_name(child);
        const struct setting_origin at = {source, config_setting_source_line(child), NULL};
        const struct setting_row *row = setting_find(section, key);
        const char *part = find_section(section, key);
        if (row != NULL)
            setting_apply(loader, row, target, child, &at);
        else if (part == NULL)
            unknown_key(loader, &at, section, key);
        else if (strcmp(part, "tenants") == 0)
            load_tenants(loader, child, &at);
        else if (!config_setting_is_group(child))
            loader_error(loader, &at, part, NULL, "must be a group: { ... }");
        else
            walk_group(loader, child, source, part, target);
    }
}

static void require_rows(struct loader *loader, const struct tenant_entry *entry,
                         const struct setting_origin *at)
{
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++)
        if ((row->flags & SETTING_REQUIRED) != 0 &&
            entry->origins[row - setting_rows].source == SOURCE_DEFAULT)
            loader_error(loader, at, row->section, row->key, "is needed");
}

/* A later file's list takes the place of an earlier one's. */
static void load_tenants(struct loader *loader, const config_setting_t *list,
                         const struct setting_origin *at)
{
    struct settings *settings = loader->settings;
    settings->n_tenant_entries = 0;
    if (!config_setting_is_list(list)) {
        loader_error(loader, at, "tenants", NULL, "must be a list of groups: ( { ... } )");
        return;
    }
    for (int i = 0; i < config_setting_length(list); i++) {
        const config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        struct setting_origin here = {at->source, config_setting_source_line(group), NULL};
        if (here.line == 0)
            here.line = at->line; /* libconfig gives unnamed groups none */
        if (settings->n_tenant_entries == TENANTS_MAX) {
            loader_error(loader, &here, "tenants", NULL, "at most %d", TENANTS_MAX);
            return;
        }
        struct tenant_entry *entry = &settings->tenant_entries[settings->n_tenant_entries++];
        const struct setting_target target = {entry, entry->origins};
        memset(entry, 0, sizeof *entry); /* no lists among a tenant's rows: nothing to free */
        apply_defaults(loader, true, &target);
        if (!config_setting_is_group(group)) {
            loader_error(loader, &here, "tenants", NULL, "must be a list of groups: ( { ... } )");
            continue;
        }
        walk_group(loader, group, at->source, "tenants", &target);
        require_rows(loader, entry, &here);
        settings_check_credential(loader, entry, &here);
    }
}

static void load_file(struct loader *loader, const char *path)
{
    struct settings *settings = loader->settings;
    const struct setting_target target = {settings, settings->origins};
    struct setting_origin at = {(short)settings->n_sources, 0, NULL};
    const char *wrong = NULL;
    char *text = NULL;
    char *wide = NULL;
    config_t config;

    if (settings->n_sources == SETTING_SOURCES_MAX ||
        !text_copy(settings->source_names[settings->n_sources], sizeof settings->source_names[0],
                   path)) {
        at.source = SOURCE_DEFAULT;
        loader_error(loader, &at, "", NULL, "more than %d files, or too long a name: %.100s",
                     SETTING_SOURCES_MAX, path);
        return;
    }
    settings->n_sources++;
    config_init(&config);
    int r = settings_text_read(path, &text);
    if (r < 0) {
        wrong = r == -EILSEQ ? "has a zero byte in it" : strerror(-r);
    } else if ((wide = settings_text_widen(text, &at.line, &wrong)) != NULL &&
               config_read_string(&config, wide) != CONFIG_TRUE) {
        at.line = (unsigned)config_error_line(&config);
        wrong = config_error_text(&config);
    }
    if (wrong == NULL) {
        walk_group(loader, config_root_setting(&config), at.source, "", &target);
    } else {
        loader_error(loader, &at, "", NULL, "%s", wrong);
        loader->incomplete = true;
    }
    config_destroy(&config);
    free(text);
    free(wide);
}

static int is_settings_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && text_ends_with_ignore_case(entry->d_name, ".conf");
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* bytewise, whatever the locale */
}

static void load_directory(struct loader *loader, const char *main_path)
{
    char path[2 * PATH_BYTES + 2];
    struct dirent **entries;
    const char *slash = strrchr(main_path, '/');
    int length = slash != NULL ? (int)(slash - main_path) + 1 : 0;
    snprintf(path, sizeof path, "%.*sconf.d", length, main_path);
    int n = scandir(path, &entries, is_settings_file, compare_names);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%.*sconf.d/%s", length, main_path, entries[i]->d_name);
        load_file(loader, path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static void load_environment(struct loader *loader)
{
    static const struct setting_origin origin = {.source = SOURCE_ENVIRONMENT};
    const struct setting_target target = {loader->settings, loader->settings->origins};
    for (size_t i = 0; i < sizeof environment / sizeof environment[0]; i++) {
        const char *text = getenv(environment[i].variable);
        if (text == NULL)
            continue;
        config_t config;
        config_init(&config);
        config_setting_t *value =
            config_setting_add(config_root_setting(&config), "v", CONFIG_TYPE_STRING);
        config_setting_set_string(value, text);
        setting_apply(loader, setting_find(environment[i].section, environment[i].key), &target,
                      value, &origin);
        config_destroy(&config);
    }
}

int settings_load(const char *path, enum settings_use use, const struct settings_report *report,
                  struct settings **ret_settings)
{
    struct settings *settings = calloc(1, sizeof *settings);
    assert(settings != NULL); /* 200 KiB, at start or on SIGHUP */
    struct loader loader = {.settings = settings, .report = report, .use = use};
    const struct setting_target target = {settings, settings->origins};

    apply_defaults(&loader, false, &target);
    if (path != NULL) {
        load_file(&loader, path);
        load_directory(&loader, path);
    }
    load_environment(&loader);
    settings_finish(&loader);
    if (loader.n_errors > 0)
        settings_free(settings);
    else
        *ret_settings = settings;
    return loader.n_errors;
}

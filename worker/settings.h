/* The configuration (contract 5): one struct that the program reads, one table that says how each
 * of its fields is written, checked, printed and documented. To add a setting: one field here, one
 * row in settings.c. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "policy/rules.h"
#include "producers/event_settings.h"
#include "worker/directory/directory.h"

#include <stdio.h>

enum {
    BROKERS_BYTES = 2048,
    CLIENT_NAME_BYTES = 255, /* group, instance */
    TOPIC_BYTES = 249,       /* Kafka's own limit */
    PATH_BYTES = URL_BYTES - 1,
    KAFKA_PROPERTIES_MAX = 64,
    SETTING_ROWS_MAX = 80,
    SETTING_SOURCES_MAX = 64, /* main file and conf.d together */
    SETTING_FILE_BYTES_MAX = 1 << 20,
};

/* Where an effective value came from. */
struct setting_origin {
    short source;    /* settings_origin_name */
    unsigned line;   /* in a file */
    char *list_text; /* a list as it was written, secrets redacted; owned */
};

struct tenant_entry {
    struct tenant_settings settings;
    int cloud; /* row of the presets; a URL given explicitly wins */
    char credential_file[PATH_BYTES + 1];
    char certificate_file[PATH_BYTES + 1];
    char key_file[PATH_BYTES + 1];
    struct setting_origin origins[SETTING_ROWS_MAX];
};

struct settings {
    struct {
        char brokers[BROKERS_BYTES + 1];
        char group[CLIENT_NAME_BYTES + 1];
        char instance[CLIENT_NAME_BYTES + 1]; /* never "" */
        struct string_list properties;        /* "name=value", secrets read from their files */
        char requests_topic[TOPIC_BYTES + 1];
        char topics[OUT_TOPICS][TOPIC_BYTES + 1];
        bool accept_plain_json;
        bool start_latest;
    } kafka;
    struct directory_settings directory; /* its tenants with their secrets: not for SETTINGS_TOOL */
    struct policy_rules policy;
    struct {
        char source[IDENTITY_BYTES + 1]; /* never "" */
        char type_prefix[TYPE_PREFIX_BYTES + 1];
    } events;
    char recipient_keys_file[PATH_BYTES + 1]; /* "": no password is generated */
    int64_t secret_expire_ms;
    int64_t dedupe_window_ms;
    char admin_listen[ADDRESS_BYTES + 1];
    int log_level;  /* syslog(3): LOG_ERR LOG_WARNING LOG_INFO LOG_DEBUG */
    int log_format; /* enum log_format */
    int64_t shutdown_grace_ms;

    /* how it was written, for --print-config and the loader */
    int n_tenant_entries;
    struct tenant_entry tenant_entries[TENANTS_MAX];
    struct setting_origin origins[SETTING_ROWS_MAX];
    int n_sources;
    char source_names[SETTING_SOURCES_MAX][PATH_BYTES + 1];
};

/* SETTINGS_WORKER wants a tenant and reads every secret; SETTINGS_TOOL (restorectl) reads those of
 * `kafka.properties` only, since its user may see no other. */
enum settings_use { SETTINGS_WORKER, SETTINGS_TOOL };

/* Takes one line at a time: level LOG_ERR `file:line: section.key: message`, or LOG_INFO for a
 * setting that this version accepts without acting on it. Never a secret. */
struct settings_report {
    void (*on_line)(void *context, int level, const char *line);
    void *context;
};

/* Defaults, then `path`, then `conf.d/(*).conf` next to it in bytewise order, then the environment
 * (RESTORE_WORKER_BROKERS, _INSTANCE, _LOG_LEVEL, _LISTEN); `path` NULL: no files. Returns the
 * number of errors, all of them reported (after a syntax error the rest of that file is not read);
 * 0 gives *ret_settings, to be freed with settings_free. Reads files; at start and on SIGHUP. */
int settings_load(const char *path, enum settings_use use, const struct settings_report *report,
                  struct settings **ret_settings);
/* Clears the secrets. NULL allowed. */
void settings_free(struct settings *settings);

/* Takes over from `fresh`, which stays the caller's to free, what may change while running:
 * reloadable rows, and the secrets and keys of tenants when these stayed the same. Reports each
 * other row that differs (LOG_WARNING): it needs a restart. False, with a line (LOG_ERR), when the
 * two do not go together: then nothing is taken over. */
bool settings_reload(struct settings *settings, struct settings *fresh,
                     const struct settings_report *report);

/* `kafka.properties` as librdkafka wants them, pointing into `settings`; how many. */
int settings_properties(const struct settings *settings,
                        const char *ret_properties[KAFKA_PROPERTIES_MAX]);

/* --print-config: effective values, secrets as <redacted>, where each came from. */
void settings_print(const struct settings *settings, FILE *file);
/* deploy/restore-worker.conf.example. */
void settings_print_sample(FILE *file);

#endif

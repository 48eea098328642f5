/* The loader's parts: settings_load.c finds the values, settings_apply.c stores one of them,
 * settings_finish.c fills in and checks what takes more than one. */
#ifndef WORKER_SETTINGS_LOAD_H
#define WORKER_SETTINGS_LOAD_H

#include "worker/settings_table.h"

#include <libconfig.h>

struct loader {
    struct settings *settings;
    const struct settings_report *report;
    enum settings_use use;
    int n_errors;
    bool incomplete; /* a file could not be read: what is missing may stand there */
};

/* What a row's offset and origin count from. */
struct setting_target {
    void *base;
    struct setting_origin *origins;
};

/* Reports and counts; `key` NULL: the section itself. */
void loader_error(struct loader *loader, const struct setting_origin *at, const char *section,
                  const char *key, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same of a row, where its value came from. */
#define setting_error(loader, origins, section, key, ...)                                          \
    loader_error(loader, &(origins)[setting_find(section, key) - setting_rows], section, key,      \
                 __VA_ARGS__)

/* Checks and stores; an error leaves the value that was there (a list: what of it was right). */
void setting_apply(struct loader *loader, const struct setting_row *row,
                   const struct setting_target *target, const config_setting_t *value,
                   const struct setting_origin *origin);

/* settings_credential.c: which rows belong to the tenant's type of credential, reported at `at`;
 * and what is read from its files. */
void settings_check_credential(struct loader *loader, const struct tenant_entry *entry,
                               const struct setting_origin *at);
void settings_read_credential(struct loader *loader, const struct tenant_entry *entry,
                              struct tenant_settings *tenant);

void settings_finish(struct loader *loader);

#endif

/* The table behind settings.h: what a row says. For the loader, the printer and their tests. */
#ifndef WORKER_SETTINGS_TABLE_H
#define WORKER_SETTINGS_TABLE_H

#include "worker/settings.h"

enum { SETTING_MESSAGE_BYTES = 512 };

enum setting_type {
    SETTING_INTEGER, /* stored times `scale`, as int or int64_t */
    SETTING_BOOL,
    SETTING_TEXT,
    SETTING_WORD, /* one of `words`, stored as int or bool */
    SETTING_LIST, /* of strings, each handed to `add` */
};

enum setting_flag {
    SETTING_RELOADABLE = 1 << 0,
    SETTING_REQUIRED = 1 << 1, /* no default; the sample shows `initial` as an example */
    SETTING_OF_TYPE = 1 << 2,  /* no default; a text of some types of credential only, which
                                  settings_finish checks; the sample shows `initial` as an example */
    SETTING_ASIDE = 1 << 3,    /* the sample shows it behind "#": another type's */
};

struct setting_word {
    const char *word; /* NULL ends the list */
    int value;
};

struct setting_row {
    const char *section; /* "tenants" and below: offsets are into struct tenant_entry */
    const char *key;
    enum setting_type type;
    unsigned flags;
    size_t offset, bytes; /* the field, or the span of fields that a list fills */
    const char *initial;  /* the default as it is written in the file */
    int64_t min, max;
    const char *unit; /* NULL: none */
    int64_t scale;
    const struct setting_word *words;
    /* Text: NULL, or what is wrong with it. It may be normalised in place. */
    const char *(*check)(char *text);
    /* List: false, and what is wrong in reterr. */
    bool (*add)(struct settings *settings, const char *text, char *reterr);
    const char *sentence;
};

extern const struct setting_row setting_rows[]; /* a NULL section ends them */
/* NULL: there is none. */
const struct setting_row *setting_find(const char *section, const char *key);
bool setting_is_of_tenant(const struct setting_row *row);
/* What a word may be, as errors and the sample say it: "a", "b"; of other types "". */
void setting_list_words(const struct setting_row *row, char ret_words[SETTING_MESSAGE_BYTES]);
/* Sections in the order of the file; NULL ends them. A nested one is named "outer.inner". */
extern const char *const setting_sections[];

enum { CLOUDS = 4 };
struct cloud_preset {
    const char *graph_url, *login_url;
};
extern const struct cloud_preset cloud_presets[CLOUDS];

/* settings_checks.c */
const char *check_not_empty(char *text);
const char *check_topic(char *text);
const char *check_url(char *text); /* "" is the cloud's */
const char *check_endpoint(char *text);
const char *check_guid(char *text);
const char *check_tenant_name(char *text);
const char *check_tenant_id(char *text);
const char *check_template(char *text);
const char *check_identity(char *text); /* "" is the default */
const char *check_listen(char *text);

/* settings_lists.c */
bool add_property(struct settings *settings, const char *text, char *reterr);
bool add_requester_role(struct settings *settings, const char *text, char *reterr);
bool add_requester_app(struct settings *settings, const char *text, char *reterr);
bool add_allowed_policy(struct settings *settings, const char *text, char *reterr);
bool add_notify_default(struct settings *settings, const char *text, char *reterr);
bool add_secret_recipient(struct settings *settings, const char *text, char *reterr);
bool add_notify_on(struct settings *settings, const char *text, char *reterr);

/* settings_print.c: a row's effective value as libconfig writes it. `base` is the struct that the
 * row's offset counts from. */
void setting_print_value(const struct setting_row *row, const void *base,
                         const struct setting_origin *origin, FILE *file);
void setting_print_text(const char *text, FILE *file);
/* A file's name and line, `default` or `environment`. */
void setting_print_origin(const struct settings *settings, const struct setting_origin *origin,
                          FILE *file);
enum { SOURCE_DEFAULT = -1, SOURCE_ENVIRONMENT = -2 };

#endif

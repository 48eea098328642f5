/* The directory: tenants and what lives in them, and the changes Graph can make to users. The
 * rules are written from directory-api.md alone; nothing of the worker is used, so that this
 * program can judge it. */
#ifndef DIRECTORY_SIM_STORE_H
#define DIRECTORY_SIM_STORE_H

#include "tests/directory_sim/buffer.h"
#include "tests/directory_sim/index.h"

#include <stdbool.h>

enum {
    ID_CHARS = 36,
    MANGLE_CHARS = 32, /* hex(id) in front of a deleted user's name (directory-api 2.2) */
    TAIL_CHARS = 6,    /* of the local part, see entry_tail */
};

enum entry_kind {
    KIND_USER,
    KIND_GROUP,
    KIND_CONTACT,
    KIND_SERVICE_PRINCIPAL,
    KIND_ROLE,       /* not stored: struct role_row */
    KIND_ASSIGNMENT, /* not stored: struct role_row */
};

enum entry_state {
    STATE_ACTIVE,
    STATE_DELETED, /* in the bin */
    STATE_GONE,    /* deleted for good; kept for its effects */
};

struct text_list {
    char **at; /* owned, each text too */
    size_t n;
};

enum role_way { ROLE_DIRECT, ROLE_VIA_GROUP, ROLE_SCOPED };

struct role {
    enum role_way way;
    char *template_id;
    char *scope; /* ROLE_SCOPED: the directoryScopeId, else NULL */
};

/* What was done to one user, counted when it took effect, whatever was answered. */
struct effects {
    int64_t restores, passwords, renames, enables, deletes, purges;
    char *password; /* the last one set */
    bool must_change;
};

struct entry {
    struct tenant *tenant;
    enum entry_kind kind;
    enum entry_state state;
    size_t seq; /* position in tenant->entries */
    char *id, *name, *display_name, *given_name, *surname, *mail, *job_title;
    char *mobile_phone, *office_location, *preferred_language, *app_id, *manager;
    int account_enabled, synced; /* 0, 1, -1 null */
    int64_t licences;
    int64_t created_ms, deleted_ms, password_changed_ms;
    struct text_list proxy_addresses, other_mails;
    struct role *roles;
    size_t n_roles;
    struct effects effects;
    /* Replica lag: unseen under /users until the first, still seen in the bin until the second. */
    int64_t visible_mono_ms, ghost_until_mono_ms, ghost_deleted_ms;
    char *ghost_name;
};

struct tenant {
    char *id, *client_id, *client_secret, *display_name;
    struct text_list domains;     /* verified; empty: every domain is good */
    struct text_list permissions; /* `roles` claim of the tokens */
    struct entry **entries;       /* in order of arrival */
    size_t n_entries, room;
    struct index by_id, by_name, by_mail, by_address, by_app_id;
    struct index by_tail; /* who is or was in the bin; never pruned, callers look at the state */
};

enum store_verdict {
    STORE_DONE,
    STORE_NAME_TAKEN,
    STORE_ADDRESS_TAKEN,
    STORE_NAME_INVALID,
};

struct store_clock {
    int64_t mono_ms;
    int64_t wall_ms; /* the directory's, which may be off */
};

struct restore_wish {
    const char *new_name; /* NULL: the one it had */
    bool reconcile;
    int64_t visible_lag_ms, bin_lag_ms;
};

void text_list_add(struct text_list *list, const char *text);
bool text_is_id(const char *text);
bool text_same(const char *a, const char *b); /* ASCII case ignored; NULL is like nothing */

/* Takes the entry (already filled, unmangled); a user with deleted_ms goes to the bin. False: the
 * id is missing, malformed or already there; the entry stays the caller's. */
bool tenant_add(struct tenant *tenant, struct entry *entry);
void entry_free(struct entry *entry);
struct entry *tenant_find(const struct tenant *tenant, const char *id);
/* The active user of that id or name that readers can see now, else NULL. */
struct entry *tenant_find_user(const struct tenant *tenant, const char *key, int64_t mono_ms);
bool entry_is_visible(const struct entry *entry, int64_t mono_ms);
bool entry_is_in_bin(const struct entry *entry, int64_t mono_ms);
/* The user as the bin shows it: a restored one during bin lag still has its old name. */
struct entry entry_bin_view(const struct entry *entry);
/* The last characters of a name before its "@", and all from the "@" on: the key that makes
 * endsWith quick among 100,000 deleted users. False: too short for it. */
bool entry_tail(const char *name, char *tail, size_t tail_bytes);

enum store_verdict user_restore(struct entry *user, const struct restore_wish *wish,
                                const struct store_clock *clock);
enum store_verdict user_rename(struct entry *user, const char *name);
void user_delete(struct entry *user, const struct store_clock *clock);
void user_purge(struct entry *user);
/* False: against the directory's rules for passwords (directory-api 4.4). */
bool password_is_strong(const char *password);
void user_set_password(struct entry *user, const char *password, bool must_change,
                       const struct store_clock *clock);

#endif

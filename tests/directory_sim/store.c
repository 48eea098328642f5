#include "tests/directory_sim/store.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void text_list_add(struct text_list *list, const char *text)
{
    list->at = realloc(list->at, (list->n + 1) * sizeof *list->at);
    assert(list->at);
    list->at[list->n++] = text_dup(text);
}

static void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->at[i]);
    free(list->at);
    *list = (struct text_list){0};
}

bool text_same(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

bool text_is_id(const char *text)
{
    size_t i = 0;
    for (; text[i] && i < ID_CHARS; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return i == ID_CHARS && !text[i];
}

static void id_hex(const char *id, char hex[MANGLE_CHARS + 1])
{
    size_t n = 0;
    for (; *id && n < MANGLE_CHARS; id++) {
        if (*id != '-')
            hex[n++] = (char)tolower((unsigned char)*id);
    }
    hex[n] = '\0';
}

static char *name_mangle(const struct entry *user)
{
    char hex[MANGLE_CHARS + 1];
    id_hex(user->id, hex);
    struct buffer name = {0};
    buffer_format(&name, "%s%s", hex, user->name);
    return name.bytes;
}

static const char *name_unmangle(const struct entry *user)
{
    char hex[MANGLE_CHARS + 1];
    id_hex(user->id, hex);
    bool mangled = strncasecmp(user->name, hex, MANGLE_CHARS) == 0;
    return user->name + (mangled ? MANGLE_CHARS : 0);
}

bool entry_tail(const char *name, char *tail, size_t tail_bytes)
{
    const char *at = strrchr(name, '@');
    if (!at || at - name < TAIL_CHARS || strlen(at) + TAIL_CHARS >= tail_bytes)
        return false;
    memcpy(tail, at - TAIL_CHARS, strlen(at) + TAIL_CHARS + 1);
    return true;
}

/* Puts what is not fixed for life into the indexes; entry_unlink must precede every change. */
static void entry_link(struct entry *entry)
{
    struct tenant *tenant = entry->tenant;
    if (entry->name)
        index_add(&tenant->by_name, entry->name, entry);
    if (entry->mail)
        index_add(&tenant->by_mail, entry->mail, entry);
    for (size_t i = 0; i < entry->proxy_addresses.n; i++)
        index_add(&tenant->by_address, entry->proxy_addresses.at[i], entry);
}

static void entry_unlink(struct entry *entry)
{
    struct tenant *tenant = entry->tenant;
    if (entry->name)
        index_remove(&tenant->by_name, entry->name, entry);
    if (entry->mail)
        index_remove(&tenant->by_mail, entry->mail, entry);
    for (size_t i = 0; i < entry->proxy_addresses.n; i++)
        index_remove(&tenant->by_address, entry->proxy_addresses.at[i], entry);
}

static void user_to_bin(struct entry *user, int64_t deleted_ms)
{
    char *mangled = name_mangle(user);
    free(user->name);
    user->name = mangled;
    user->state = STATE_DELETED;
    user->deleted_ms = deleted_ms;
    char tail[512];
    if (entry_tail(mangled, tail, sizeof tail))
        index_add(&user->tenant->by_tail, tail, user);
}

bool tenant_add(struct tenant *tenant, struct entry *entry)
{
    if (!entry->id || !text_is_id(entry->id) || tenant_find(tenant, entry->id))
        return false;
    if (entry->kind == KIND_USER && !entry->name)
        return false;
    entry->tenant = tenant;
    entry->seq = tenant->n_entries;
    if (tenant->n_entries == tenant->room) {
        tenant->room = tenant->room ? tenant->room * 2 : 64;
        tenant->entries = realloc(tenant->entries, tenant->room * sizeof *tenant->entries);
        assert(tenant->entries);
    }
    tenant->entries[tenant->n_entries++] = entry;
    index_add(&tenant->by_id, entry->id, entry);
    if (entry->app_id)
        index_add(&tenant->by_app_id, entry->app_id, entry);
    if (entry->kind == KIND_USER && entry->deleted_ms != TIME_NONE)
        user_to_bin(entry, entry->deleted_ms);
    entry_link(entry);
    return true;
}

void entry_free(struct entry *entry)
{
    char *const texts[] = {entry->id,           entry->name,
                           entry->display_name, entry->given_name,
                           entry->surname,      entry->mail,
                           entry->job_title,    entry->mobile_phone,
                           entry->manager,      entry->office_location,
                           entry->app_id,       entry->preferred_language,
                           entry->ghost_name,   entry->effects.password};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    text_list_clear(&entry->proxy_addresses);
    text_list_clear(&entry->other_mails);
    for (size_t i = 0; i < entry->n_roles; i++) {
        free(entry->roles[i].template_id);
        free(entry->roles[i].scope);
    }
    free(entry->roles);
    free(entry);
}

struct entry *tenant_find(const struct tenant *tenant, const char *id)
{
    struct index_node *node = index_first(&tenant->by_id, id);
    return node ? node->value : NULL;
}

static struct entry *name_holder(const struct tenant *tenant, const char *name,
                                 const struct entry *other_than)
{
    for (struct index_node *node = index_first(&tenant->by_name, name); node;
         node = index_next(node)) {
        struct entry *entry = node->value;
        if (entry != other_than && entry->state == STATE_ACTIVE)
            return entry;
    }
    return NULL;
}

struct entry *tenant_find_user(const struct tenant *tenant, const char *key, int64_t mono_ms)
{
    struct entry *entry =
        text_is_id(key) ? tenant_find(tenant, key) : name_holder(tenant, key, NULL);
    bool seen = entry && entry->kind == KIND_USER && entry_is_visible(entry, mono_ms);
    return seen ? entry : NULL;
}

bool entry_is_visible(const struct entry *entry, int64_t mono_ms)
{
    return entry->state == STATE_ACTIVE && mono_ms >= entry->visible_mono_ms;
}

bool entry_is_in_bin(const struct entry *entry, int64_t mono_ms)
{
    bool ghost = entry->state == STATE_ACTIVE && mono_ms < entry->ghost_until_mono_ms;
    return entry->kind == KIND_USER && (entry->state == STATE_DELETED || ghost);
}

struct entry entry_bin_view(const struct entry *entry)
{
    struct entry view = *entry;
    if (entry->state == STATE_ACTIVE) {
        view.name = entry->ghost_name;
        view.deleted_ms = entry->ghost_deleted_ms;
    }
    return view;
}

static bool address_is_taken(const struct entry *user, const char *address)
{
    if (strncasecmp(address, "smtp:", 5) != 0)
        return false;
    for (struct index_node *node = index_first(&user->tenant->by_address, address); node;
         node = index_next(node)) {
        const struct entry *holder = node->value;
        if (holder != user && holder->state == STATE_ACTIVE)
            return true;
    }
    return false;
}

/* The active holder keeps the address, the restored user loses it (directory-api 1.2), and with
 * its primary address also `mail`: our reading, Microsoft does not say. */
static void addresses_reconcile(struct entry *user)
{
    struct text_list *list = &user->proxy_addresses;
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) {
        char *address = list->at[i];
        if (!address_is_taken(user, address)) {
            list->at[kept++] = address;
            continue;
        }
        if (text_same(address + 5, user->mail)) {
            free(user->mail);
            user->mail = NULL;
        }
        free(address);
    }
    list->n = kept;
}

/* directory-api 4.1: verified domain, closed set of characters, 64 before and 48 after the "@". */
static bool name_is_valid(const struct tenant *tenant, const char *name)
{
    const char *at = strchr(name, '@');
    if (!at || at == name || at[-1] == '.' || at - name > 64 || strlen(at + 1) > 48)
        return false;
    for (const char *p = name; *p; p++) {
        if (p != at && !isalnum((unsigned char)*p) && !strchr("'.-_!#^~", *p))
            return false;
    }
    for (size_t i = 0; i < tenant->domains.n; i++) {
        if (text_same(tenant->domains.at[i], at + 1))
            return true;
    }
    return tenant->domains.n == 0 && at[1];
}

enum store_verdict user_restore(struct entry *user, const struct restore_wish *wish,
                                const struct store_clock *clock)
{
    assert(user->state == STATE_DELETED);
    if (wish->new_name && !name_is_valid(user->tenant, wish->new_name))
        return STORE_NAME_INVALID;
    char *name = text_dup(wish->new_name ? wish->new_name : name_unmangle(user));
    bool address_taken = false;
    for (size_t i = 0; i < user->proxy_addresses.n; i++)
        address_taken |= address_is_taken(user, user->proxy_addresses.at[i]);
    bool name_taken = name_holder(user->tenant, name, user) != NULL;
    if (name_taken || (address_taken && !wish->reconcile)) {
        free(name);
        return name_taken ? STORE_NAME_TAKEN : STORE_ADDRESS_TAKEN;
    }
    entry_unlink(user);
    addresses_reconcile(user);
    free(user->ghost_name);
    user->ghost_name = user->name;
    user->ghost_deleted_ms = user->deleted_ms;
    user->ghost_until_mono_ms = clock->mono_ms + wish->bin_lag_ms;
    user->visible_mono_ms = clock->mono_ms + wish->visible_lag_ms;
    user->name = name;
    user->deleted_ms = TIME_NONE;
    user->state = STATE_ACTIVE;
    if (user->synced == 1)
        user->synced = 0; /* cloud-only until the next sync (directory-api 2.6) */
    user->effects.restores++;
    entry_link(user);
    return STORE_DONE;
}

enum store_verdict user_rename(struct entry *user, const char *name)
{
    if (!name_is_valid(user->tenant, name))
        return STORE_NAME_INVALID;
    if (name_holder(user->tenant, name, user))
        return STORE_NAME_TAKEN;
    entry_unlink(user);
    free(user->name);
    user->name = text_dup(name);
    user->effects.renames++;
    entry_link(user);
    return STORE_DONE;
}

void user_delete(struct entry *user, const struct store_clock *clock)
{
    assert(user->state == STATE_ACTIVE);
    entry_unlink(user);
    user_to_bin(user, clock->wall_ms);
    user->effects.deletes++;
    entry_link(user);
}

void user_purge(struct entry *user)
{
    assert(user->state == STATE_DELETED);
    entry_unlink(user);
    user->state = STATE_GONE;
    user->effects.purges++;
}

bool password_is_strong(const char *password)
{
    bool lower = false, upper = false, digit = false, symbol = false;
    size_t n = 0;
    for (; password[n]; n++) {
        unsigned char c = (unsigned char)password[n];
        if (c < 0x20 || c > 0x7e)
            return false;
        lower |= islower(c) != 0;
        upper |= isupper(c) != 0;
        digit |= isdigit(c) != 0;
        symbol |= !isalnum(c);
    }
    return n >= 8 && n <= 256 && lower + upper + digit + symbol >= 3;
}

void user_set_password(struct entry *user, const char *password, bool must_change,
                       const struct store_clock *clock)
{
    free(user->effects.password);
    user->effects.password = text_dup(password);
    user->effects.must_change = must_change;
    user->effects.passwords++;
    user->password_changed_ms = clock->wall_ms;
}

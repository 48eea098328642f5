/* What the directory said about people: values, filled by the directory client, read by the rules.
 */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include "policy/text.h"

enum { OTHER_MAILS_MAX = 3, ROLES_MAX = 64, CANDIDATES_MAX = 20 };

/* A user, active (deleted_at_ms is 0) or in the bin. The user principal name is without the
 * hex(id) prefix that a deletion puts before it (directory-api.md 2.2). */
struct user_facts {
    char id[GUID_CHARS + 1]; /* lower case */
    char user_principal_name[NAME_BYTES + 1];
    char display_name[DISPLAY_NAME_BYTES + 1];
    char mail[ADDRESS_BYTES + 1];
    char preferred_language[LOCALE_BYTES + 1];
    int n_other_mails;
    char other_mails[OTHER_MAILS_MAX][ADDRESS_BYTES + 1];
    int64_t created_at_ms;
    int64_t deleted_at_ms;
    int64_t last_password_change_at_ms;
    bool enabled;
    bool synced; /* onPremisesSyncEnabled is true */
    bool has_licence;
    struct string_list proxy_addresses; /* last: untouched pages cost nothing */
};

/* Without touching more of the list's pages than are used. */
void user_facts_clear(struct user_facts *user);
void user_facts_copy(struct user_facts *to, const struct user_facts *from);

/* Who asks. Roles are active, tenant-wide, direct or through a group. An app has neither roles nor
 * a mail address here. */
struct requester_facts {
    bool exists;
    bool enabled;
    char id[GUID_CHARS + 1];
    char display_name[DISPLAY_NAME_BYTES + 1];
    char mail[ADDRESS_BYTES + 1];
    int n_roles;
    char role_template_ids[ROLES_MAX][GUID_CHARS + 1]; /* last, as above */
};

void requester_facts_copy(struct requester_facts *to, const struct requester_facts *from);

/* One of several accounts that a name may have meant. */
struct candidate {
    char id[GUID_CHARS + 1];
    char user_principal_name[NAME_BYTES + 1];
    char display_name[DISPLAY_NAME_BYTES + 1];
    int64_t deleted_at_ms; /* 0: active */
};

/* Who bears a name or an address. Contacts and groups have a display name and no more. */
enum holder_type { HOLDER_UNKNOWN, HOLDER_USER, HOLDER_GROUP, HOLDER_CONTACT };
struct holder {
    enum holder_type type; /* UNKNOWN: nothing else is valid */
    char id[GUID_CHARS + 1];
    char user_principal_name[NAME_BYTES + 1];
    char display_name[DISPLAY_NAME_BYTES + 1];
    int64_t created_at_ms;
    bool enabled; /* a user's */
};
const char *holder_type_word(enum holder_type type); /* contract 4 */

/* Removes the prefix hex(id) from a deleted user's name, and only that prefix. */
const char *user_name_unmangle(const char *id, const char *user_principal_name);

#endif

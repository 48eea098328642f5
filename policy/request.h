/* A restore request as decoded: contract sections 2 and 3, every length already checked. Absent
 * text is "", an absent moment 0. */
#ifndef POLICY_REQUEST_H
#define POLICY_REQUEST_H

#include "policy/text.h"

enum request_mode { MODE_RESTORE, MODE_PLAN, MODE_LIST };

enum name_policy {
    NAME_POLICY_ABSENT, /* the configuration's default applies */
    NAME_POLICY_REJECT,
    NAME_POLICY_RENAME_RESTORED,
    NAME_POLICY_RENAME_ACTIVE,
    NAME_POLICY_REPLACE_ACTIVE,
};
#define NAME_POLICIES 5

enum address_policy { ADDRESS_POLICY_ABSENT, ADDRESS_POLICY_REMOVE, ADDRESS_POLICY_REJECT };

enum password_choice { PASSWORD_ABSENT, PASSWORD_GENERATE, PASSWORD_LEAVE };

/* Wire words of the enums above (contract 3), "" for ABSENT. */
const char *request_mode_word(enum request_mode mode);
const char *name_policy_word(enum name_policy policy);
const char *address_policy_word(enum address_policy policy);
const char *password_choice_word(enum password_choice choice);

enum named_by { NAMED_BY_NOTHING, NAMED_BY_ID, NAMED_BY_NAME, NAMED_BY_APP_ID };

/* A user, or an app, as somebody named it: text keeps its case. */
struct named {
    enum named_by by;
    char text[NAME_BYTES + 1];
};

/* What identifies and accompanies the record, from its envelope. */
struct request_envelope {
    char source[IDENTITY_BYTES + 1];
    char id[IDENTITY_BYTES + 1];
    char correlation_id[IDENTITY_BYTES + 1]; /* "": the id stands in */
    char traceparent[64];                    /* W3C Trace Context, passed on untouched */
    char tracestate[512 + 1];
    int64_t requested_at_ms;       /* the earlier of `time` and the record's timestamp */
    char digest[DIGEST_CHARS + 1]; /* hex SHA-256 of data: compact, keys sorted bytewise */
};

/* One user's restore: a record's own, or made of a record and one item of its `users`. */
struct restore_request {
    struct request_envelope envelope;
    enum request_mode mode;
    struct named user;
    int occurrence; /* k-th item of a batch that names the user so; 0 and 1 are the first */
    struct named requested_by;
    char tenant[TENANT_BYTES + 1]; /* "": the only one configured */
    enum name_policy name_policy;
    char new_user_principal_name[NAME_BYTES + 1];
    char rename_active_to[NAME_BYTES + 1];
    enum address_policy address_policy;
    enum password_choice password;
    bool has_notify_to; /* an absent `to` means policy.notify_default */
    struct recipients notify_to, notify_cc;
    char locale[LOCALE_BYTES + 1];
    char reason[REASON_CHARS * UTF8_BYTES_PER_CHAR + 1];
    char ticket_system[TICKET_CHARS * UTF8_BYTES_PER_CHAR + 1];
    char ticket_id[TICKET_CHARS * UTF8_BYTES_PER_CHAR + 1];
    int64_t not_after_ms;                /* the earlier of `notAfter` and `expirytime` */
    char plan_hash[PLAN_HASH_CHARS + 1]; /* carried out only if the facts still give it; "": none */
    /* LIST */
    char match[NAME_BYTES + 1];
    int closing_within_days; /* 0: absent */
};

enum {
    ITEMS_MAX = 100, /* items of `users` (contract 3) */
    USER_IN_IDS_BYTES = NAME_BYTES + 1 + DECIMAL_CHARS,
};

/* The items of `users`, each with all that its record says of everybody. */
struct request_items {
    int n;
    struct restore_request requests[];
};

/* The user as named, with `#k` from the second occurrence on. */
void request_user_in_ids(const struct restore_request *request,
                         char ret_user[USER_IN_IDS_BYTES + 1]);

/* The journal key, an event id, a ready request's id: UUIDv5 over source, id, user as named (lower
 * case, with `#k` from the second occurrence on) and kind (contract 2). */
void request_uuid(const struct restore_request *request, const char *kind,
                  char ret_uuid[GUID_CHARS + 1]);

#endif

/* The questions a job asks the directory and the few answers there are. BUSY (certainly not done)
 * and UNKNOWN (may have been done) are different words because they need different actions: a busy
 * change is repeated, a lost one is confirmed first (design 8). */
#ifndef POLICY_DIRECTORY_H
#define POLICY_DIRECTORY_H

#include "policy/facts.h"
#include "policy/user_list.h"

/* operation, wire name (directory[].operation, metric label), whether it changes something */
/* clang-format off */
#define DIRECTORY_OPERATIONS(X) \
    X(DIRECTORY_REQUESTER,       "get_requester",      false) /* user, then roles; cached for 60 s */ \
    X(DIRECTORY_REQUESTER_APP,   "get_requester_app",  false) /* service principal; cached too */ \
    X(DIRECTORY_DELETED_BY_ID,   "get_deleted_user",   false) \
    X(DIRECTORY_DELETED_BY_NAME, "find_deleted_users", false) \
    X(DIRECTORY_LIST_DELETED,    "list_deleted_users", false) \
    X(DIRECTORY_USER_BY_ID,      "get_user",           false) \
    X(DIRECTORY_USER_BY_NAME,    "get_user_by_name",   false) \
    X(DIRECTORY_TARGET_ROLES,    "get_role_assignments", false) \
    X(DIRECTORY_USERS_BY_ADDRESS,    "find_users_by_address",    false) \
    X(DIRECTORY_GROUPS_BY_ADDRESS,   "find_groups_by_address",   false) \
    X(DIRECTORY_CONTACTS_BY_ADDRESS, "find_contacts_by_address", false) \
    X(DIRECTORY_MANAGER,         "get_manager",        false) \
    X(DIRECTORY_RESTORE,         "restore",            true) \
    X(DIRECTORY_SET_PASSWORD,    "set_password",       true) \
    X(DIRECTORY_RENAME_USER,     "rename_user",        true) /* the active one, and back */ \
    X(DIRECTORY_DELETE_USER,     "delete_user",        true) \
    X(DIRECTORY_RESTORE_HOLDER,  "restore_holder",     true) /* the deletion taken back */
/* clang-format on */

enum directory_operation {
#define X(constant, wire, changes) constant,
    DIRECTORY_OPERATIONS(X)
#undef X
        DIRECTORY_OPERATION_COUNT
};

const char *directory_operation_name(enum directory_operation operation);
bool directory_operation_changes(enum directory_operation operation);

/* Of one question: each address is asked for in two spellings, and Graph refuses a filter of more
 * than 15 alternatives (microsoft-graph-docs-contrib #1238); encoded they must fit into a URL. */
enum { ASKED_ADDRESSES_MAX = 7, ASKED_ADDRESSES_BYTES = 448, NAMED_ADDRESSES_MAX = 16 };

struct directory_question {
    enum directory_operation operation;
    char id[GUID_CHARS + 1];   /* of the user, or of a requester: object or app id */
    char name[NAME_BYTES + 1]; /* _BY_NAME, and a requester named by name */
    char new_user_principal_name[NAME_BYTES + 1]; /* RESTORE, "": the old one; RENAME_USER */
    bool reconcile_proxy_addresses;               /* RESTORE: autoReconcileProxyConflict */
    bool with_roles;                              /* USER_BY_ID: also n_roles */
    /* _BY_ADDRESS: so many strings, one after the other, each with its zero; borrowed. */
    const char *addresses;
    int n_addresses;
    struct list_wish wish; /* LIST_DELETED */
    /* UUIDv5(journal key LF operation LF n-th call of it): joins the directory's audit log. A new
     * incarnation counts anew, so the log may hold one id twice: once for each of two incarnations
     * that took the same step. */
    char client_request_id[GUID_CHARS + 1];
};

enum directory_status {
    DIRECTORY_YES,           /* 2xx */
    DIRECTORY_NOT_FOUND,     /* 404, or an empty list */
    DIRECTORY_NAME_TAKEN,    /* RESTORE*, RENAME_USER: the user name clashes */
    DIRECTORY_ADDRESS_TAKEN, /* RESTORE*, RENAME_USER: a proxy address clashes */
    DIRECTORY_DENIED,        /* 403, or 401 with a fresh token */
    DIRECTORY_REJECTED,      /* any other 4xx */
    DIRECTORY_BUSY,          /* certainly not done: 429; on reads also 5xx */
    DIRECTORY_UNKNOWN,       /* a change that may have been done: reply lost, or 5xx */
    DIRECTORY_UNPROVEN, /* a change not sent: its intent was committed too long ago (design 7) */
};

struct directory_answer {
    enum directory_status status;
    int64_t retry_after_ms;          /* 0: the directory named no time */
    int http_status;                 /* 0: no reply */
    char error_code[64 + 1];         /* Graph's error.code */
    char request_id[GUID_CHARS + 1]; /* Graph's request-id header */
    int n_roles; /* TARGET_ROLES: assignments of any scope; USER_BY_ID: tenant-wide, as asked */
    int64_t requester_age_ms; /* how long ago they were read: the client keeps them */
    /* MANAGER: mail, else user principal name. YES with "" is nobody for certain; NOT_FOUND is
     * nobody, or a replica that does not know the user yet. */
    char manager_mail[ADDRESS_BYTES + 1];
    /* RESTORE, ADDRESS_TAKEN: those that the directory named. */
    int n_named_addresses;
    int n_held;       /* _BY_ADDRESS */
    int n_candidates; /* DELETED_BY_NAME: exact matches, newest first, beyond CANDIDATES_MAX counted
                         only */
    struct user_list *list;           /* LIST_DELETED: the asker's own, filled */
    struct requester_facts requester; /* REQUESTER */
    struct candidate candidates[CANDIDATES_MAX];
    char named_addresses[NAMED_ADDRESSES_MAX][PROXY_ADDRESS_BYTES + 1];
    struct held_address {
        int address; /* number in the question */
        struct holder holder;
    } held[ASKED_ADDRESSES_MAX];
    struct user_facts user; /* DELETED_*, USER_*, RESTORE: the (only) user */
};

#endif

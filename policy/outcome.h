/* How one restore ended: all that the events say. Borrows from its job; read-only once finished. */
#ifndef POLICY_OUTCOME_H
#define POLICY_OUTCOME_H

#include "policy/directory.h"
#include "policy/reason.h"
#include "policy/request.h"
#include "policy/rules.h"

enum todo { /* bits of outcome.todo; the order is the event's */
            TODO_SIGN_IN_DISABLED = 1 << 0,
            TODO_NO_LICENCE = 1 << 1,
            TODO_PASSWORD_NOT_SET = 1 << 2,
            TODO_NOT_YET_VISIBLE = 1 << 3,
            TODO_RESTORED_ADMINISTRATOR = 1 << 4,
            TODO_WAS_SYNCHRONISED = 1 << 5,
};

enum password_result { PASSWORD_UNTOUCHED, PASSWORD_GENERATED, PASSWORD_LEFT };

/* `directory[]`: changes and refusals, for the directory's audit log. */
enum { OPERATIONS_MAX = 32 };
struct operation {
    enum directory_operation operation;
    char client_request_id[GUID_CHARS + 1];
    char request_id[GUID_CHARS + 1]; /* "": no reply */
    int64_t at_ms;
};

enum conflict_property { CONFLICT_USER_PRINCIPAL_NAME, CONFLICT_PROXY_ADDRESSES };

enum { CONFLICTS_MAX = 20 };
struct conflict {
    enum conflict_property property;
    char value[PROXY_ADDRESS_BYTES + 1]; /* "": the directory did not say which */
    struct holder holder;
};

/* The active user who bore the name and gave way. */
enum freed { FREED_NOBODY, FREED_RENAMED, FREED_REPLACED };
struct freed_user {
    enum freed how;
    char id[GUID_CHARS + 1];
    char from[NAME_BYTES + 1];
    char to[NAME_BYTES + 1]; /* RENAMED */
    char display_name[DISPLAY_NAME_BYTES + 1];
    char preferred_language[LOCALE_BYTES + 1];
    int64_t restorable_until_ms; /* REPLACED; 0: not known */
    struct recipients told;      /* nobody means no notification */
};

struct outcome {
    const struct restore_request *request; /* the job's */
    enum reason reason;
    int64_t started_at_ms, finished_at_ms; /* wall clock */
    int64_t restorable_until_ms;           /* 0: not known */
    int64_t milliseconds_left;             /* of the window, at finished_at, directory clock */
    const struct user_facts *before;       /* as found in the bin; NULL: never found there */
    /* as of finished_at; id "": unresolved, the request's words stand in */
    char user_id[GUID_CHARS + 1];
    char user_principal_name[NAME_BYTES + 1];
    char display_name[DISPLAY_NAME_BYTES + 1];
    char mail[ADDRESS_BYTES + 1];
    char preferred_language[LOCALE_BYTES + 1];
    const struct string_list *removed_addresses; /* NULL, or what the restore cost */
    enum password_result password;
    unsigned todo;
    const struct user_list *list; /* LISTED; the caller's */
    /* of mode `plan` */
    char plan_hash[PLAN_HASH_CHARS + 1];          /* "": the facts were not all read */
    char new_user_principal_name[NAME_BYTES + 1]; /* that he would get; "": he keeps his */
    bool restored;                                /* needs_hands: what is certain, `done[]` */
    struct freed_user freed;                      /* succeeded, needs_hands */
    int n_conflicts;
    const struct conflict *conflicts;
    enum name_policy name_policy;   /* that was in force for the clash of names */
    bool resolution[NAME_POLICIES]; /* policies with which sending it again may help */
    bool resolution_remove;         /* ... or letting go of the addresses */
    int n_candidates;
    const struct candidate *candidates;
    /* the directory's refusal, status 0: none */
    int error_status;
    char error_code[64 + 1];
    char error_request_id[GUID_CHARS + 1];
    int n_operations;
    const struct operation *operations;
    /* the notification: nobody in `to` means none */
    struct recipients to, cc;
    char contact_display_name[DISPLAY_NAME_BYTES + 1];
    char contact_mail[ADDRESS_BYTES + 1];
};

#endif

/* Every way a restore can end, one row each: enum, wire name, verdict, owner, retryable, resend,
 * hint. From this table come the event's code, owner and hint, the metric's label and the manual's
 * line.
 *
 * retryable: the same request may succeed by itself, later. resend: it may succeed once somebody
 * has mended the cause, so the event carries it ready to send (contract 4); false where only
 * another request can. */
#ifndef POLICY_REASON_H
#define POLICY_REASON_H

#include <stdbool.h>

enum verdict { VERDICT_PROCEED, VERDICT_SUCCEEDED, VERDICT_CONFLICT, VERDICT_FAILED };
enum owner { OWNER_NOBODY, OWNER_REQUESTER, OWNER_ADMINISTRATOR, OWNER_OPERATOR, OWNER_DIRECTORY };

/* clang-format off */
#define POLICY_REASONS(X) \
    X(REASON_OK,                       "ok",                       PROCEED,   NOBODY,        false, false, "") \
    X(REASON_RESTORED,                 "restored",                 SUCCEEDED, NOBODY,        false, false, "") \
    X(REASON_ALREADY_ACTIVE,           "already-active",           SUCCEEDED, NOBODY,        false, false, "") \
    X(REASON_LISTED,                   "listed",                   SUCCEEDED, NOBODY,        false, false, "") \
    X(REASON_NAME_CONFLICT,            "name_conflict",            CONFLICT,  ADMINISTRATOR, false, true,  "Another account bears the user name: send one of the resolutions.") \
    X(REASON_ADDRESS_CONFLICT,         "address_conflict",         CONFLICT,  ADMINISTRATOR, false, true,  "Another object holds a proxy address: free it, or allow its removal from the restored user.") \
    X(REASON_MALFORMED,                "malformed",                FAILED,    REQUESTER,     false, false, "The record is not a request; the dead letter names the position of the error.") \
    X(REASON_REQUEST_ID_REUSED,        "request_id_reused",        FAILED,    REQUESTER,     false, false, "This source and id came before with other data: send the request under a new id.") \
    X(REASON_UNKNOWN_TENANT,           "unknown_tenant",           FAILED,    REQUESTER,     false, true,  "Name one of the tenants this worker is configured for.") \
    X(REASON_TOO_OLD,                  "too_old",                  FAILED,    REQUESTER,     false, true,  "The request was written before this deletion or too long ago: ask again.") \
    X(REASON_RETENTION_EXPIRED,        "retention_expired",        FAILED,    ADMINISTRATOR, false, false, "The directory no longer keeps the user: create a new account.") \
    X(REASON_NOT_FOUND,                "not_found",                FAILED,    REQUESTER,     false, false, "Nobody of that name or id is deleted or active: check the spelling, or name the object id.") \
    X(REASON_AMBIGUOUS_USER,           "ambiguous_user",           FAILED,    REQUESTER,     false, false, "Several deleted users bore the name: name one of the candidates by id.") \
    X(REASON_DUPLICATE_USER,           "duplicate_user",           FAILED,    REQUESTER,     false, false, "Another item of the batch is the same account: its outcome tells what became of it.") \
    X(REASON_REQUESTER_UNKNOWN,        "requester_unknown",        FAILED,    REQUESTER,     false, true,  "requestedBy must be an enabled user of the tenant.") \
    X(REASON_REQUESTER_NOT_AUTHORIZED, "requester_not_authorized", FAILED,    REQUESTER,     false, true,  "Ask somebody who holds one of the accepted directory roles, actively and tenant-wide.") \
    X(REASON_PRIVILEGED_TARGET,        "privileged_target",        FAILED,    ADMINISTRATOR, false, true,  "The deleted user held a directory role: a privileged administrator restores it by hand.") \
    X(REASON_SYNCED_USER,              "synced_user",              FAILED,    ADMINISTRATOR, false, true,  "The user comes from on-premises Active Directory: restore it there.") \
    X(REASON_POLICY_NOT_ALLOWED,       "policy_not_allowed",       FAILED,    OPERATOR,      false, true,  "policy.allow in the configuration does not list the requested conflict policy.") \
    X(REASON_RECIPIENT_NOT_ALLOWED,    "recipient_not_allowed",    FAILED,    OPERATOR,      false, true,  "A password may go only to policy.secret_recipients, under a configured recipient key.") \
    X(REASON_OVER_LIMIT,               "over_limit",               FAILED,    OPERATOR,      true,  true,  "policy.restores_per_hour is used up: send it again in an hour.") \
    X(REASON_PLAN_STALE,               "plan_stale",               FAILED,    REQUESTER,     false, false, "The account or its conflicts changed since the plan: ask for a new one.") \
    X(REASON_DEADLINE_EXCEEDED,        "deadline_exceeded",        FAILED,    DIRECTORY,     true,  true,  "The time allowed ran out before the first change: send it again.") \
    X(REASON_DIRECTORY_UNAVAILABLE,    "directory_unavailable",    FAILED,    DIRECTORY,     true,  true,  "The directory did not answer, or throttled, until the deadline: send it again later.") \
    X(REASON_DIRECTORY_DENIED,         "directory_denied",         FAILED,    OPERATOR,      false, true,  "The worker's own application lacks a right: restore-worker --check-config=online names it.") \
    X(REASON_DIRECTORY_REJECTED,       "directory_rejected",       FAILED,    ADMINISTRATOR, false, true,  "The directory refused the change; directoryError holds its own words.") \
    X(REASON_NEEDS_HANDS,              "needs_hands",              FAILED,    ADMINISTRATOR, false, false, "It is not certain what the directory did: look at the account before anything else.")
/* clang-format on */

enum reason {
#define X(constant, wire, verdict, owner, retryable, resend, hint) constant,
    POLICY_REASONS(X)
#undef X
        REASONS /* how many there are */
};

const char *reason_code(enum reason reason);
const char *reason_hint(enum reason reason);
const char *reason_owner(enum reason reason); /* contract 4's word, "" where nobody acts */
enum verdict reason_verdict(enum reason reason);
bool reason_retryable(enum reason reason);
bool reason_resend(enum reason reason);

#endif

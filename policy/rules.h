/* The rules, asked in order after each discovery; the first that does not say REASON_OK decides. A
 * rule whose facts are missing says OK, so a stranger is refused before the target is looked up
 * (design 9). To add a rule: one file, one line in rules.c, rows in reason.h. */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/facts.h"
#include "policy/instant.h"
#include "policy/reason.h"
#include "policy/request.h"

enum {
    RULE_ROLES_MAX = 32,
    RULE_APPS_MAX = 64,
    RULE_DOMAINS_MAX = 64,
    RENAME_NUMBER_FIRST = 2, /* `{n}` of the template, contract 3 */
    RENAME_NUMBER_LAST = 20,
};

/* The words of notify.to and secret_recipients (contract 3). */
enum recipient_word {
    RECIPIENT_MANAGER = 1 << 0,
    RECIPIENT_REQUESTER = 1 << 1,
    RECIPIENT_USER_ALTERNATE = 1 << 2,
};
/* The word's bit, 0 for an address. */
unsigned recipient_word(const char *text);

/* The `policy` section of the configuration, and what of the others a decision needs. */
struct policy_rules {
    char default_tenant[TENANT_BYTES + 1]; /* of requests that name none; "": there are several */
    int retention_days;
    bool check_requester;
    int n_requester_roles;
    char requester_roles[RULE_ROLES_MAX][GUID_CHARS + 1]; /* template ids, lower case */
    int n_requester_apps;
    char requester_apps[RULE_APPS_MAX][GUID_CHARS + 1];
    enum name_policy name_policy; /* default: never ABSENT, never REPLACE_ACTIVE */
    bool name_policy_allowed[NAME_POLICIES];
    char rename_template[NAME_BYTES + 1];
    enum address_policy address_policy; /* default: never ABSENT */
    bool reject_synced_users;
    bool reject_privileged_targets;
    struct recipients notify_default; /* words and addresses */
    unsigned secret_words;            /* recipient_word bits */
    int n_secret_domains;
    char secret_domains[RULE_DOMAINS_MAX][ADDRESS_BYTES + 1]; /* with the "@", lower case */
    bool has_recipient_key; /* secrets.recipient_keys_file holds one */
    bool notify_on_succeeded, notify_on_conflict, notify_on_failed;
    int restores_per_hour; /* per tenant, 0: no limit */
    int64_t max_request_age_ms;
    int64_t request_deadline_ms;
};

/* Restores that this instance began for the tenant within the last hour, and its share of the
 * partitions; 0 partitions: not known. */
struct recent_restores {
    int n;
    int partitions_held, partitions_all;
};

/* What is known so far; NULL, or -1, while unknown. */
struct policy_facts {
    const struct policy_rules *rules;
    const struct restore_request *request;
    const struct requester_facts *requester;
    const struct user_facts *target; /* found in the bin */
    int n_target_roles;
    struct recent_restores recent;
    struct instant now;
};

enum reason policy_decide(const struct policy_facts *facts);
/* Whether an active user, here the target, may be renamed or deleted to free a name. */
enum reason policy_decide_holder(const struct policy_facts *facts);

enum reason rule_requester(const struct policy_facts *facts);      /* authorization.c */
enum reason rule_policy_allowed(const struct policy_facts *facts); /* conflict.c */
enum reason rule_recipients(const struct policy_facts *facts);     /* recipients.c */
enum reason rule_request_age(const struct policy_facts *facts);    /* retention.c */
enum reason rule_retention(const struct policy_facts *facts);      /* retention.c */
enum reason rule_synced(const struct policy_facts *facts);         /* hybrid.c */
enum reason rule_target(const struct policy_facts *facts);         /* target.c */

/* limits.c; not one of policy_decide's: asked once, right before a restore is announced, so that
 * whoever would be refused anyway is told why, and nobody is refused half-way. */
enum reason rule_limit(const struct policy_facts *facts);

/* The choices in force: the request's where it made one, else the configuration's. */
enum name_policy name_policy_in_force(const struct policy_rules *rules,
                                      const struct restore_request *request);
enum address_policy address_policy_in_force(const struct policy_rules *rules,
                                            const struct restore_request *request);
bool password_generate_in_force(const struct policy_rules *rules,
                                const struct restore_request *request);
const struct recipients *notify_to_in_force(const struct policy_rules *rules,
                                            const struct restore_request *request);

/* Whether the requester must be looked up: somebody is checked, and it is a person or a listed app:
 * another app is refused without a call. */
bool requester_is_read(const struct policy_rules *rules, const struct restore_request *request);

/* The end of the target's window. */
int64_t restorable_until_ms(const struct policy_rules *rules, const struct user_facts *target);

/* The policies that may resolve a clash of names; `exhausted` has no other name to offer. ABSENT:
 * none is, as when a name of the request's own choice clashed and the template was not tried. */
void name_resolutions(const struct policy_rules *rules, enum name_policy exhausted,
                      bool ret_resolution[NAME_POLICIES]);

/* The template's n-th name (1..99) for `user_principal_name`; false when it is longer than Entra
 * allows. */
bool rename_from_template(const char *name_template, const char *user_principal_name, int n,
                          char ret_name[NAME_BYTES + 1]);

/* The recipient_word bits among the recipients. */
unsigned recipients_words(const struct recipients *as_named);

/* Where the notification goes: words resolved, nobody twice, at most RECIPIENTS_MAX. Words that
 * resolve to nobody are skipped. requester and user NULL, manager_mail "": not known, or nobody.
 * Whether all of them may be told a password is rule_recipients' to say. */
void recipients_resolve(const struct recipients *as_named, const struct requester_facts *requester,
                        const struct user_facts *user, const char *manager_mail,
                        struct recipients *ret_resolved);

#endif

/* What a plan stands on, in one hash: a later request that carries it is carried out only if the
 * facts still give the same (contract 4). Pure. */
#ifndef POLICY_PLAN_HASH_H
#define POLICY_PLAN_HASH_H

#include "policy/outcome.h"

struct plan_facts {
    const char *tenant;
    const struct user_facts *user; /* as found in the bin */
    /* in force */
    enum name_policy name_policy;
    enum address_policy address_policy;
    const char *new_user_principal_name; /* "": the user keeps his */
    const char *rename_active_to;        /* "": nobody is renamed */
    int n_conflicts;                     /* at most CONFLICTS_MAX */
    const struct conflict *conflicts;    /* in any order */
};

/* sha256: and the SHA-256 over JSON, compact, keys sorted bytewise, UTF-8 as it is, escapes as
 * short as RFC 8259 has them. No clock and no requester is in it. Names that are "" are absent. */
void plan_hash(const struct plan_facts *facts, char ret_hash[PLAN_HASH_CHARS + 1]);

#endif

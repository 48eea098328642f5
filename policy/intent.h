/* What a job is about to do, committed to the journal before its first change (design 7): enough
 * for another process to finish or undo it without guessing. Never a secret. */
#ifndef POLICY_INTENT_H
#define POLICY_INTENT_H

#include "policy/facts.h"
#include "policy/request.h"

enum intent_phase { INTENT_RESTORE, INTENT_FREE, INTENT_UNDO };

struct intent {
    /* the plan */
    enum name_policy name_policy;
    char new_user_principal_name[NAME_BYTES + 1]; /* "": by the template */
    char rename_template[NAME_BYTES + 1];
    enum address_policy address_policy;
    bool generate_password;
    enum intent_phase phase;
    /* the user before the first change; borrowed from the job, or owned by whoever decoded it */
    const struct user_facts *user;
    int64_t started_at_ms; /* take-up by the first incarnation, wall clock: `rw-started` */
};

#endif

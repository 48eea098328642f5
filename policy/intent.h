/* What a job is about to do, committed to the journal before its first change (design 7): enough
 * for another process to finish or undo it without guessing. Never a secret. */
#ifndef POLICY_INTENT_H
#define POLICY_INTENT_H

#include "policy/facts.h"
#include "policy/reason.h"
#include "policy/request.h"

enum intent_phase {
    INTENT_RESTORE,
    INTENT_FREE, /* the active holder of the name gives way, then the user is restored */
    INTENT_UNDO, /* the restore was refused for good: the holder gets back what was his */
};

struct intent {
    /* the plan */
    enum name_policy name_policy;
    char new_user_principal_name[NAME_BYTES + 1]; /* "": by the template */
    char rename_template[NAME_BYTES + 1];
    enum address_policy address_policy;
    bool generate_password;
    enum intent_phase phase;
    struct { /* FREE, UNDO */
        char id[GUID_CHARS + 1];
        char from[NAME_BYTES + 1]; /* the name that is to be free */
        char to[NAME_BYTES + 1];   /* "": not renamed but deleted */
    } holder;
    enum reason refusal; /* UNDO: what the job ends with */
    /* the user before the first change; borrowed from the job, or owned by whoever decoded it */
    const struct user_facts *user;
    int64_t started_at_ms; /* take-up by the first incarnation, wall clock: `rw-started` */
};

#endif

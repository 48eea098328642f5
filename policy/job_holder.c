/* Who bears the name or the addresses that clash (directory-api 3). A look-up that fails finds
 * nobody and guesses nothing: the restore stays the arbiter. */
#include "policy/job_private.h"

#include <string.h>

void job_conflicts_clear(struct job *job)
{
    job->outcome.n_conflicts = 0;
    job->look_up_failed = REASON_OK;
}

struct conflict *job_conflict_add(struct job *job, enum conflict_property property,
                                  const char *value)
{
    if (job->outcome.n_conflicts == CONFLICTS_MAX)
        return NULL;
    struct conflict *conflict = &job->conflicts[job->outcome.n_conflicts++];
    *conflict = (struct conflict){.property = property};
    (void)text_copy(conflict->value, sizeof conflict->value, value);
    return conflict;
}

bool job_has_conflict(const struct job *job, const char *value)
{
    for (int i = 0; i < job->outcome.n_conflicts; i++)
        if (text_equal_ignore_case(job->conflicts[i].value, value))
            return true;
    return false;
}

struct job_action job_look_for_name(struct job *job, const char *name,
                                    struct job_action (*then)(struct job *job))
{
    job->after_look_up = then;
    text_copy(job->sought_name, sizeof job->sought_name, name);
    return job_ask(job, JOB_HOLDER);
}

void job_holder_conflict(struct job *job, const struct user_facts *user)
{
    struct holder *holder =
        &job_conflict_add(job, CONFLICT_USER_PRINCIPAL_NAME,
                          job->sought_name[0] != '\0' ? job->sought_name
                                                      : user->user_principal_name)
             ->holder;
    holder->type = HOLDER_USER;
    memcpy(holder->id, user->id, sizeof holder->id);
    memcpy(holder->user_principal_name, user->user_principal_name,
           sizeof holder->user_principal_name);
    memcpy(holder->display_name, user->display_name, sizeof holder->display_name);
    holder->created_at_ms = user->created_at_ms;
    holder->enabled = user->enabled;
}

struct job_action job_holder_answered(struct job *job, const struct directory_answer *answer)
{
    const struct user_facts *user = &answer->user;
    if (answer->status == DIRECTORY_YES) {
        if (text_equal_ignore_case(user->id, job->user_id)) /* nobody's clash: restored */
            return job_ask(job, JOB_FIND_ACTIVE);
        job_holder_conflict(job, user);
        user_facts_copy(&job->holder, user);
        job->holder_known = true;
    }
    return job->after_look_up(job);
}

void job_seek_addresses(struct job *job, const struct directory_answer *answer)
{
    string_list_clear(&job->sought);
    job->directory_named = answer != NULL && answer->n_named_addresses > 0;
    for (int i = 0; job->directory_named && i < answer->n_named_addresses; i++)
        string_list_add(&job->sought, answer->named_addresses[i]);
    const char *address = NULL;
    while (!job->directory_named &&
           (address = string_list_next(&job->before.proxy_addresses, address)) != NULL)
        if (strlen(address) <=
            PROXY_ADDRESS_BYTES) /* X500 names may be longer: nobody mails there */
            string_list_add(&job->sought, address);
}

struct job_action job_look_for_addresses(struct job *job,
                                         struct job_action (*then)(struct job *job))
{
    job->after_look_up = then;
    job->next_address = string_list_next(&job->sought, NULL);
    return job->next_address == NULL ? then(job) : job_ask(job, JOB_ADDRESS_USERS);
}

/* As many as fit into one question, at least one. */
void job_ask_addresses(struct job *job)
{
    struct directory_question *question = &job->question;
    question->addresses = job->next_address;
    size_t bytes = 0;
    for (const char *at = job->next_address;
         at != NULL && question->n_addresses < ASKED_ADDRESSES_MAX;
         at = string_list_next(&job->sought, at)) {
        bytes += strlen(at);
        if (question->n_addresses > 0 && bytes > ASKED_ADDRESSES_BYTES)
            break;
        question->n_addresses++;
    }
}

/* The same addresses among the next kind of object, then the next addresses. */
static struct job_action next_look(struct job *job)
{
    const struct directory_question *question = &job->question;
    if (job->state == JOB_ADDRESS_USERS)
        return job_ask(job, JOB_ADDRESS_GROUPS);
    if (job->state == JOB_ADDRESS_GROUPS)
        return job_ask(job, JOB_ADDRESS_CONTACTS);
    for (int i = 0; i < question->n_addresses; i++)
        job->next_address = string_list_next(&job->sought, job->next_address);
    bool full = job->outcome.n_conflicts == CONFLICTS_MAX;
    return job->next_address == NULL || full ? job->after_look_up(job)
                                             : job_ask(job, JOB_ADDRESS_USERS);
}

struct job_action job_addresses_answered(struct job *job, const struct directory_answer *answer)
{
    for (int i = 0; answer->status == DIRECTORY_YES && i < answer->n_held; i++) {
        const struct held_address *held = &answer->held[i];
        const char *address = job->question.addresses;
        for (int n = 0; n < held->address; n++)
            address += strlen(address) + 1;
        if (text_equal_ignore_case(held->holder.id, job->user_id) || job_has_conflict(job, address))
            continue;
        struct conflict *conflict = job_conflict_add(job, CONFLICT_PROXY_ADDRESSES, address);
        if (conflict != NULL)
            conflict->holder = held->holder;
    }
    return next_look(job);
}

/* Without the right to read groups, users are still found. Out of time, nothing more is asked. */
struct job_action job_without_holder(struct job *job, enum reason reason)
{
    job->look_up_failed = reason;
    bool refused = reason == REASON_DIRECTORY_DENIED || reason == REASON_DIRECTORY_REJECTED;
    return refused && job->state != JOB_HOLDER ? next_look(job) : job->after_look_up(job);
}

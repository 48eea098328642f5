/* How long a user can be restored, and how old a request may be (contract 3, age). */
#include "policy/rules.h"

#include "policy/time_text.h"

/* Clocks of producers and of the directory differ; more than this is another deletion. */
enum { REQUEST_BEFORE_DELETION_MS = 5 * MINUTE_MS };

/* Keeps a replayed topic, an offset reset or a mirror from bringing back somebody deleted since. A
 * request without a time is as old as can be. */
enum reason rule_request_age(const struct policy_facts *facts)
{
    int64_t requested_at_ms = facts->request->envelope.requested_at_ms;
    if (facts->now.directory_ms - requested_at_ms > facts->rules->max_request_age_ms)
        return REASON_TOO_OLD;
    /* On the directory's date: a record's timestamp may be any number, and a sum overflow. */
    if (facts->target != NULL &&
        requested_at_ms < facts->target->deleted_at_ms - REQUEST_BEFORE_DELETION_MS)
        return REASON_TOO_OLD;
    return REASON_OK;
}

int64_t restorable_until_ms(const struct policy_rules *rules, const struct user_facts *target)
{
    int64_t until_ms = target->deleted_at_ms + rules->retention_days * DAY_MS;
    return until_ms < TIME_LAST_MS ? until_ms : TIME_LAST_MS; /* events must be able to say it */
}

/* The exact second of the purge is not published (directory-api 2.4): the window is closed when its
 * last moment is reached, and the directory has the last word before. */
enum reason rule_retention(const struct policy_facts *facts)
{
    if (facts->target == NULL)
        return REASON_OK;
    return facts->now.directory_ms >= restorable_until_ms(facts->rules, facts->target)
               ? REASON_RETENTION_EXPIRED
               : REASON_OK;
}

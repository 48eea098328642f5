/* Who can be restored (contract 3, mode `list`): one question, read to its end or to the list's. */
#include "policy/job_private.h"

#include <string.h>

void job_list_wish(const struct job *job, struct list_wish *ret_wish)
{
    int days = job->request.closing_within_days;
    memcpy(ret_wish->match, job->request.match, sizeof ret_wish->match);
    ret_wish->retention_ms = job->rules->retention_days * DAY_MS;
    ret_wish->now_ms = job->now.directory_ms;
    ret_wish->until_ms = days > 0 ? job->now.directory_ms + days * DAY_MS : INT64_MAX;
}

struct job_action job_list_answered(struct job *job, const struct directory_answer *answer)
{
    if (answer->status == DIRECTORY_NOT_FOUND) /* there always is a bin */
        return job_refused(job, answer);
    job->outcome.list = answer->list;
    return job_finish(job, REASON_LISTED);
}

#include "producers/publication_encode.h"

#include "producers/dead_letter_encode.h"
#include "producers/journal_encode.h"
#include "producers/notification_encode.h"
#include "producers/out_message.h"
#include "producers/outcome_encode.h"
#include "producers/replay_encode.h"
#include "producers/summary_encode.h"

#include <errno.h>

static int encode_outcome(const struct event_settings *settings, struct publication *publication,
                          struct json_out *scratch)
{
    const struct outcome *outcome = publication->of.outcome.outcome;
    char *password = publication->of.outcome.password;
    struct out_message *event = NULL, *message = NULL;
    int rc = outcome_encode(settings, outcome, scratch, &event);
    rc = publication_add(publication, rc, event);
    if (rc == 0 && outcome->to.n > 0) {
        rc = notification_encode(settings, outcome, password, scratch, &message);
        rc = publication_add(publication, rc, message);
    }
    if (rc == 0 && outcome->freed.told.n > 0) {
        rc = notification_encode_freed(settings, outcome, scratch, &message);
        rc = publication_add(publication, rc, message);
    }
    if (rc < 0)
        return rc;
    rc = journal_encode_done(publication, outcome->request, outcome->finished_at_ms, event,
                             &message);
    return publication_add(publication, rc, message);
}

static int encode_summary(const struct event_settings *settings, struct publication *publication,
                          struct json_out *scratch)
{
    const struct summary *summary = publication->of.summary;
    struct out_message *event = NULL, *message = NULL;
    int rc = summary_encode(settings, summary, scratch, &event);
    if (publication_add(publication, rc, event) < 0)
        return rc;
    rc = journal_encode_done(publication, summary->request, summary->finished_at_ms, event,
                             &message);
    return publication_add(publication, rc, message);
}

static int encode_reused(const struct event_settings *settings, struct publication *publication,
                         struct json_out *scratch)
{
    const struct outcome *outcome = publication->of.reused;
    struct out_message *event = NULL, *message = NULL;
    int rc = outcome_encode(settings, outcome, scratch, &event);
    if (publication_add(publication, rc, event) < 0)
        return rc;
    if (publication->item > 0) /* its summary will want to know */
        rc = journal_encode_done(publication, outcome->request, outcome->finished_at_ms, event,
                                 &message);
    else
        rc = journal_encode_skipped(publication, outcome->request->envelope.digest,
                                    outcome->finished_at_ms, &message);
    return publication_add(publication, rc, message);
}

int publication_encode(const struct event_settings *settings, struct publication *publication,
                       struct json_out *scratch)
{
    if (publication->messages != NULL)
        return 0;
    struct out_message *message = NULL;
    int rc = -EINVAL;
    switch (publication->kind) {
    case PUBLISH_INTENT:
        rc = journal_encode_intent(publication, scratch, &message);
        rc = publication_add(publication, rc, message);
        break;
    case PUBLISH_OUTCOME: rc = encode_outcome(settings, publication, scratch); break;
    case PUBLISH_SUMMARY: rc = encode_summary(settings, publication, scratch); break;
    case PUBLISH_REUSED: rc = encode_reused(settings, publication, scratch); break;
    case PUBLISH_REPLAY: rc = replay_encode(publication); break;
    case PUBLISH_DEAD_LETTER: rc = dead_letter_encode(settings, publication, scratch); break;
    }
    if (rc < 0)
        publication_free_messages(publication);
    return rc;
}

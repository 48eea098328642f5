#include "producers/summary_encode.h"

#include "producers/cloudevent_out.h"
#include "producers/outcome_encode.h"
#include "producers/request_encode.h"

#include <string.h>

/* What the failures that are still to come take at most without their requests: names of 113 and
 * 1,024 bytes, escaped. */
enum { FAILURE_BYTES = 3000 };

static int count(const struct summary *summary, enum verdict verdict)
{
    int n = 0;
    for (int i = 0; i < summary->n_parts; i++)
        n += summary->parts[i].verdict == verdict;
    return n;
}

static bool has_room(const struct json_out *out, const char *requests, int n_after)
{
    return out->used + strlen(requests) + (size_t)(n_after + 1) * FAILURE_BYTES <=
           SUMMARY_BYTES_MAX;
}

static void encode_failure(struct json_out *out, const struct summary_part *part, int n_after)
{
    const char *kind = part->planned                       ? "planned"
                       : part->verdict == VERDICT_CONFLICT ? "conflict"
                                                           : "failed";
    const char *requests = part->requests != NULL ? part->requests : "[]";
    json_out_open_object(out, NULL);
    if (part->user != NULL)
        json_out_json(out, "user", part->user);
    json_out_text(out, "kind", kind);
    json_out_text(out, "code", part->code);
    json_out_json(out, "requests", has_room(out, requests, n_after) ? requests : "[]");
    json_out_close_object(out);
}

static void encode_data(struct json_out *out, const struct event_settings *settings,
                        const struct summary *summary)
{
    const struct restore_request *request = summary->request;
    int n_succeeded = count(summary, VERDICT_SUCCEEDED);
    int n_left = summary->n_parts - n_succeeded;
    json_out_bool(out, "replayed", false); /* OUTCOME_BEGIN */
    json_out_text(out, "requestId", request->envelope.id);
    json_out_text(out, "tenant",
                  request->tenant[0] != '\0' ? request->tenant : settings->default_tenant);
    request_encode_named(out, "requestedBy", &request->requested_by);
    json_out_text(out, "reason", request->reason);
    request_encode_ticket(out, request);
    json_out_time(out, "startedAt", summary->started_at_ms);
    json_out_time(out, "finishedAt", summary->finished_at_ms);
    json_out_number(out, "total", summary->n_parts);
    json_out_number(out, "succeeded", n_succeeded);
    json_out_number(out, "conflicts", count(summary, VERDICT_CONFLICT));
    json_out_number(out, "failed", count(summary, VERDICT_FAILED));
    json_out_open_array(out, "failures");
    for (int i = 0; i < summary->n_parts; i++)
        if (summary->parts[i].verdict != VERDICT_SUCCEEDED)
            encode_failure(out, &summary->parts[i], --n_left);
    json_out_close_array(out);
}

int summary_encode(const struct event_settings *settings, const struct summary *summary,
                   struct json_out *scratch, struct out_message **ret_event)
{
    char id[GUID_CHARS + 1];
    request_uuid(summary->request, "batch-completed", id);
    json_out_reset(scratch);
    json_out_open_object(scratch, NULL);
    encode_data(scratch, settings, summary);
    json_out_close_object(scratch);
    struct cloudevent event = {.kind = EVENT_BATCH_COMPLETED,
                               .id = id,
                               .object_id = "",
                               .cause = &summary->request->envelope,
                               .time_ms = summary->finished_at_ms};
    return cloudevent_encode(settings, &event, scratch, ret_event);
}

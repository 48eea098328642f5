#include "consumers/summary_part.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { OUTCOME_BYTES_MAX = 1024 * 1024 }; /* what a topic takes unless it is told otherwise */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* In every version of this program the kind shows in what only that kind has (contract 4). */
static bool verdict_read(const json_t *event, struct summary_part *part)
{
    static const struct {
        const char *word;
        enum verdict verdict;
    } woulds[] = {
        {"restore", VERDICT_SUCCEEDED}, {"conflict", VERDICT_CONFLICT}, {"fail", VERDICT_FAILED}};
    const char *would = text_of(event, "would");
    part->planned = would[0] != '\0';
    for (size_t i = 0; i < sizeof woulds / sizeof *woulds; i++) {
        if (strcmp(would, woulds[i].word) == 0) {
            part->verdict = woulds[i].verdict;
            return true;
        }
    }
    if (json_object_get(event, "disposition") != NULL)
        part->verdict = VERDICT_SUCCEEDED;
    else if (json_object_get(event, "conflicts") != NULL)
        part->verdict = VERDICT_CONFLICT;
    else if (json_object_get(event, "code") != NULL)
        part->verdict = VERDICT_FAILED;
    else
        return false;
    return !part->planned;
}

/* A conflict event has no code: its reason shows in the property that clashed. */
static const char *code_of(const json_t *event, enum verdict verdict)
{
    if (verdict != VERDICT_CONFLICT)
        return text_of(event, "code");
    const json_t *conflict = json_array_get(json_object_get(event, "conflicts"), 0);
    return reason_code(strcmp(text_of(conflict, "property"), "proxyAddresses") == 0
                           ? REASON_ADDRESS_CONFLICT
                           : REASON_NAME_CONFLICT);
}

static char *dump(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    assert(text != NULL && "out of memory");
    return text;
}

/* {key, event} of every resolution, and the request itself where it may be sent again. */
static char *requests_read(const json_t *event)
{
    json_t *requests = json_array();
    assert(requests != NULL && "out of memory");
    json_t *resolutions = json_object_get(event, "resolutions");
    size_t i;
    json_t *resolution;
    json_array_foreach(resolutions, i, resolution)
    {
        json_t *request = json_object_get(resolution, "request");
        if (json_is_object(request))
            json_array_append(requests, request);
    }
    json_t *resend = json_object_get(event, "resend");
    if (json_is_object(resend))
        json_array_append(requests, resend);
    char *text = json_array_size(requests) > 0 ? dump(requests) : NULL;
    json_decref(requests);
    return text;
}

/* Resolved is who is named by id and name; else the event says only what the request said. So an
 * item that was another's duplicate has nobody of its own, and takes him from nobody. */
static void user_read(const json_t *event, struct summary_part *part)
{
    const json_t *user = json_object_get(event, "user");
    if (json_object_get(user, "userPrincipalName") != NULL)
        (void)text_copy(part->user_id, sizeof part->user_id, text_of(user, "id"));
    if (json_is_object(user))
        part->user = dump(user);
}

int summary_part_read(const struct journal_record *record, struct summary_part *ret_part)
{
    const struct record *stored = record->record;
    if (record->state != JOURNAL_DONE || stored->value == NULL ||
        stored->value_bytes > OUTCOME_BYTES_MAX)
        return -EPROTO;
    json_t *event = json_loadb(stored->value, stored->value_bytes, JSON_REJECT_DUPLICATES, NULL);
    struct summary_part part = {.started_at_ms = record->started_ms};
    bool read = json_is_object(event) && verdict_read(event, &part);
    if (read && part.verdict != VERDICT_SUCCEEDED) {
        (void)text_copy(part.code, sizeof part.code, code_of(event, part.verdict));
        part.requests = requests_read(event);
    }
    if (read) {
        user_read(event, &part);
        *ret_part = part;
    }
    json_decref(event);
    return read ? 0 : -EPROTO;
}

void summary_part_clear(struct summary_part *part)
{
    free(part->user);
    free(part->requests);
    part->user = part->requests = NULL;
}

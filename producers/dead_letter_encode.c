#include "producers/dead_letter_encode.h"

#include "policy/digest.h"
#include "producers/cloudevent_out.h"
#include "producers/journal_encode.h"
#include "producers/outcome_encode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_HEADERS = 7, NUMBER_CHARS = 20 };

struct dead_letter *dead_letter_new(const struct record *record, const char *message,
                                    const struct request_envelope *cause, int64_t finished_at_ms)
{
    size_t record_bytes = record_copy_bytes(record);
    size_t message_bytes = strlen(message) + 1;
    size_t bytes = sizeof(struct dead_letter) + record_bytes + message_bytes;
    struct dead_letter *letter = malloc(bytes);
    if (letter == NULL)
        return NULL;
    letter->record = record_copy(record, letter + 1);
    letter->message = memcpy((char *)(letter + 1) + record_bytes, message, message_bytes);
    letter->cause = cause != NULL ? *cause : (struct request_envelope){0};
    letter->finished_at_ms = finished_at_ms;
    letter->held_bytes = bytes;
    return letter;
}

void dead_letter_free(struct dead_letter *letter)
{
    free(letter);
}

static int encode_record(const struct dead_letter *letter, struct out_message **ret_message)
{
    const struct record *record = letter->record;
    char partition[NUMBER_CHARS + 1], offset[NUMBER_CHARS + 1];
    (void)snprintf(partition, sizeof partition, "%" PRId32, record->partition);
    (void)snprintf(offset, sizeof offset, "%" PRId64, record->offset);
    const struct {
        const char *name, *value;
    } errors[ERROR_HEADERS] = {
        {"__connect.errors.topic", record->topic},
        {"__connect.errors.partition", partition},
        {"__connect.errors.offset", offset},
        {"__connect.errors.stage", "VALUE_CONVERTER"}, /* Connect's word for "cannot be read" */
        {"__connect.errors.exception.class.name", reason_code(REASON_MALFORMED)},
        {"__connect.errors.exception.message", letter->message},
        {"__connect.errors.truncated", "true"}, /* counted in by dead_letter_shrink */
    };
    struct record_header *headers = malloc((record->n_headers + ERROR_HEADERS) * sizeof *headers);
    if (headers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < record->n_headers; i++)
        headers[i] = *record_header_at(record, i);
    for (size_t i = 0; i < ERROR_HEADERS; i++)
        headers[record->n_headers + i] =
            (struct record_header){.name = errors[i].name,
                                   .value = errors[i].value,
                                   .value_bytes = strlen(errors[i].value)};
    const struct out_message model = {.topic = TOPIC_DEAD_LETTERS,
                                      .partition = -1,
                                      .key = record->key,
                                      .key_bytes = record->key_bytes,
                                      .value = record->value,
                                      .value_bytes = record->value_bytes,
                                      .n_headers = record->n_headers + ERROR_HEADERS,
                                      .headers = headers,
                                      .n_record_headers = record->n_headers};
    int rc = out_message_new(&model, ret_message);
    free(headers); /* the message has copies */
    if (rc == 0)
        (*ret_message)->n_headers--;
    return rc;
}

bool dead_letter_shrink(struct out_message *message)
{
    if (message->topic != TOPIC_DEAD_LETTERS || message->shrunk == 2)
        return false;
    if (message->shrunk++ == 0) {
        if (message->value != NULL)
            message->value = "";
        message->value_bytes = 0;
        message->n_headers++; /* __connect.errors.truncated */
        return true;
    }
    message->key = NULL;
    message->key_bytes = 0;
    message->headers += message->n_record_headers;
    message->n_headers -= message->n_record_headers;
    return true;
}

/* Only what holds for a request that nobody could read (contract 3, malformed). */
static int encode_failure(const struct event_settings *settings,
                          const struct publication *publication, struct json_out *scratch,
                          struct out_message **ret_event)
{
    const struct dead_letter *letter = publication->of.dead_letter;
    const struct request_envelope *cause = &letter->cause;
    const char *parts[] = {cause->source, cause->id, "", "failed"};
    char id[GUID_CHARS + 1];
    digest_uuid5(parts, 4, -1, id);
    json_out_reset(scratch);
    json_out_open_object(scratch, NULL);
    json_out_text(scratch, "requestId", cause->id);
    json_out_text(scratch, "code", reason_code(REASON_MALFORMED));
    json_out_text(scratch, "message", letter->message);
    json_out_text(scratch, "owner", reason_owner(REASON_MALFORMED));
    json_out_bool(scratch, "retryable", reason_retryable(REASON_MALFORMED));
    json_out_text(scratch, "hint", reason_hint(REASON_MALFORMED));
    json_out_time(scratch, "startedAt", publication->started_ms);
    json_out_time(scratch, "finishedAt", letter->finished_at_ms);
    json_out_close_object(scratch);
    struct cloudevent event = {.kind = EVENT_FAILED,
                               .id = id,
                               .object_id = "",
                               .cause = cause,
                               .time_ms = letter->finished_at_ms};
    return cloudevent_encode(settings, &event, scratch, ret_event);
}

int dead_letter_encode(const struct event_settings *settings, struct publication *publication,
                       struct json_out *scratch)
{
    const struct dead_letter *letter = publication->of.dead_letter;
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    struct out_message *message = NULL;
    int rc = encode_record(letter, &message);
    if (publication_add(publication, rc, message) < 0)
        return rc;
    if (letter->cause.id[0] != '\0') {
        rc = encode_failure(settings, publication, scratch, &message);
        if (publication_add(publication, rc, message) < 0)
            return rc;
    }
    /* There is no `data` to digest: the value's bytes stand in. */
    digest_sha256(letter->record->value != NULL ? letter->record->value : "",
                  letter->record->value_bytes, digest);
    digest_hex(digest, sizeof digest, hex);
    rc = journal_encode_skipped(publication, hex, letter->finished_at_ms, &message);
    return publication_add(publication, rc, message);
}

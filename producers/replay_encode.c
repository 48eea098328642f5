#include "producers/replay_encode.h"

#include "producers/cloudevent_out.h"
#include "producers/journal_encode.h"
#include "producers/outcome_encode.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define REPLAY_BEGIN "{\"replayed\":true,"

/* "true" is one byte shorter than "false", so the new beginning fits over the old, one further on.
 */
static void turn_flag(struct out_message *event)
{
    static_assert(sizeof OUTCOME_BEGIN == sizeof REPLAY_BEGIN + 1, "the flag grows in place");
    char *value = (char *)event->value + 1; /* the message's own copy */
    memcpy(value, REPLAY_BEGIN, sizeof REPLAY_BEGIN - 1);
    event->value = value;
    event->value_bytes--;
}

/* The outcome's own type and key, whatever the topics and the prefix are called by now. */
struct stored_event {
    enum event_kind kind;
    const struct record_header *key;
};

static bool find_event(const struct record *stored, struct stored_event *ret_event)
{
    if (stored->n_headers > RECORD_HEADERS_MAX)
        return false;
    const struct record_header *type = header_find(stored->headers, stored->n_headers, "ce_type");
    ret_event->key = header_find(stored->headers, stored->n_headers, "ce_partitionkey");
    if (type == NULL || type->value == NULL || ret_event->key == NULL)
        return false;
    ret_event->kind = event_kind_of_type(type->value, type->value_bytes);
    return ret_event->kind != EVENT_KIND_COUNT && stored->value_bytes >= strlen(OUTCOME_BEGIN) &&
           memcmp(stored->value, OUTCOME_BEGIN, strlen(OUTCOME_BEGIN)) == 0;
}

bool replay_is_possible(const struct record *stored)
{
    struct stored_event event;
    return find_event(stored, &event);
}

static int encode_event(const struct record *stored, enum request_mode mode,
                        struct out_message **ret_event)
{
    struct record_header headers[RECORD_HEADERS_MAX];
    struct stored_event event;
    size_t n_headers = 0;
    if (!find_event(stored, &event))
        return -EPROTO;
    for (size_t i = 0; i < stored->n_headers; i++)
        if (strncmp(stored->headers[i].name, "rw-", 3) != 0)
            headers[n_headers++] = stored->headers[i];
    const struct out_message model = {.topic = event_topic(event.kind, mode),
                                      .partition = -1,
                                      .key = event.key->value,
                                      .key_bytes = event.key->value_bytes,
                                      .value = stored->value,
                                      .value_bytes = stored->value_bytes,
                                      .n_headers = n_headers,
                                      .headers = headers};
    int rc = out_message_new(&model, ret_event);
    if (rc == 0)
        turn_flag(*ret_event);
    return rc;
}

int replay_encode(struct publication *publication)
{
    const struct record *stored = publication->of.replay.record;
    struct out_message *message = NULL;
    int rc = encode_event(stored, publication->of.replay.mode, &message);
    if (publication_add(publication, rc, message) < 0)
        return rc;
    rc = journal_encode_done_again(publication, &message);
    return publication_add(publication, rc, message);
}

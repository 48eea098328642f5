#include "worker/restorectl/request.h"

#include "policy/digest.h"
#include "policy/time_text.h"
#include "producers/request_encode.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* RFC 9562 5.4 */
static int make_uuid4(char ret_uuid[GUID_CHARS + 1])
{
    uint8_t bytes[16];
    ssize_t got;
    do {
        got = getrandom(bytes, sizeof bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof bytes)
        return got < 0 ? -errno : -EIO;
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    char hex[2 * sizeof bytes + 1];
    digest_hex(bytes, sizeof bytes, hex);
    snprintf(ret_uuid, GUID_CHARS + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
             hex + 16, hex + 20);
    return 0;
}

int request_begin(const struct options *options, int user, int64_t wall_ms,
                  struct restore_request *ret_request)
{
    struct request_envelope *envelope = &ret_request->envelope;
    *ret_request = options->request;
    ret_request->user = options->users[user];
    (void)text_copy(envelope->source, sizeof envelope->source, "urn:restorectl");
    envelope->requested_at_ms = wall_ms;
    if (options->request_id == NULL)
        return make_uuid4(envelope->id);
    bool fits = text_copy(envelope->id, sizeof envelope->id, options->request_id);
    assert(fits);
    return 0;
}

/* The encoder writes the whole event; in binary mode its data is the record's value. */
static char *encode_data(const struct restore_request *request, const char *type_prefix)
{
    struct json_out out = {0};
    char *data = NULL;
    request_encode(&out, NULL, request, type_prefix);
    if (!out.failed) {
        json_t *event = json_loadb(out.bytes, out.used, 0, NULL);
        assert(event != NULL);
        data = json_dumps(json_object_get(event, "data"), JSON_COMPACT);
        json_decref(event);
    }
    json_out_free(&out);
    return data;
}

int request_record_init(const struct restore_request *request, const char *type_prefix,
                        struct request_record *ret_record)
{
    const struct request_envelope *envelope = &request->envelope;
    char time[TIME_CHARS + 1], type[IDENTITY_BYTES + 64];
    time_format(envelope->requested_at_ms, time);
    snprintf(type, sizeof type, "%.250suser.restore.requested.v1", type_prefix);
    const char *const headers[REQUEST_HEADERS][2] = {
        {"ce_specversion", "1.0"}, {"ce_id", envelope->id}, {"ce_source", envelope->source},
        {"ce_type", type},         {"ce_time", time},       {"content-type", "application/json"},
    };
    *ret_record = (struct request_record){0};
    request_key(request, ret_record->key);
    for (int i = 0; i < REQUEST_HEADERS; i++) {
        ret_record->headers[i].name = headers[i][0];
        (void)text_copy(ret_record->headers[i].value, sizeof ret_record->headers[i].value,
                        headers[i][1]);
    }
    ret_record->value = encode_data(request, type_prefix);
    return ret_record->value != NULL ? 0 : -ENOMEM;
}

void request_record_deinit(struct request_record *record)
{
    free(record->value);
    record->value = NULL;
}

void request_record_print(const struct request_record *record, const char *topic, bool json,
                          FILE *out)
{
    if (!json) {
        fprintf(out, "topic: %s\nkey: %s\n", topic, record->key);
        for (int i = 0; i < REQUEST_HEADERS; i++)
            fprintf(out, "header: %s: %s\n", record->headers[i].name, record->headers[i].value);
        fprintf(out, "value: %s\n", record->value);
        return;
    }
    json_t *headers = json_object();
    for (int i = 0; i < REQUEST_HEADERS; i++)
        json_object_set_new(headers, record->headers[i].name,
                            json_string(record->headers[i].value));
    json_t *shown = json_pack("{s:s, s:s, s:o, s:o}", "topic", topic, "key", record->key, "headers",
                              headers, "value", json_loads(record->value, 0, NULL));
    json_dumpf(shown, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(shown);
}

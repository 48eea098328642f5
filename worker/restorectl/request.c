#include "worker/restorectl/request.h"

#include "policy/digest.h"
#include "policy/time_text.h"
#include "producers/request_encode.h"

#include <assert.h>
#include <errno.h>
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

static bool is_whole(const struct request *request)
{
    return request->id != NULL && request->key != NULL && request->value != NULL;
}

int request_make(const struct restore_request *terms, const struct named *users, int n_users,
                 const char *id, struct request *ret_request)
{
    char made[GUID_CHARS + 1];
    int r = id == NULL ? make_uuid4(made) : 0;
    if (r < 0)
        return r;
    const char *own = id != NULL ? id : made;
    struct json_out data = {0};
    request_encode_data(&data, NULL, terms, users, n_users);
    *ret_request = (struct request){
        .id = strdup(own),
        .key = strdup(n_users == 1 ? users->text : own),
        .user = n_users == 1 ? strdup(users->text) : NULL,
        .value = data.failed ? NULL : strndup(data.bytes, data.used),
        .is_batch = n_users > 1,
    };
    json_out_free(&data);
    if (!is_whole(ret_request)) {
        request_deinit(ret_request);
        return -ENOMEM;
    }
    if (n_users == 1)
        text_lower(ret_request->key);
    return 0;
}

static const char *user_named(const json_t *data)
{
    const json_t *user = json_object_get(data, "user");
    const char *id = json_string_value(json_object_get(user, "id"));
    return id != NULL ? id : json_string_value(json_object_get(user, "userPrincipalName"));
}

bool request_from_ready(const json_t *ready, const struct named *requested_by,
                        struct request *ret_request)
{
    json_t *event = json_deep_copy(json_object_get(ready, "event"));
    json_t *data = json_object_get(event, "data");
    const char *key = json_string_value(json_object_get(ready, "key"));
    const char *id = json_string_value(json_object_get(event, "id"));
    const char *user = user_named(data);
    bool is_ready = key != NULL && id != NULL && json_is_object(data) &&
                    json_is_string(json_object_get(event, "source")) &&
                    json_is_string(json_object_get(event, "specversion"));
    if (is_ready) {
        if (requested_by->by != NAMED_BY_NOTHING)
            json_object_set_new(
                data, "requestedBy",
                json_pack("{s:s}", request_named_member(requested_by->by), requested_by->text));
        *ret_request = (struct request){.id = strdup(id),
                                        .key = strdup(key),
                                        .user = user != NULL ? strdup(user) : NULL,
                                        .value = json_dumps(event, JSON_COMPACT),
                                        .is_event = true,
                                        .is_batch = json_object_get(data, "users") != NULL};
        assert(is_whole(ret_request));
    }
    json_decref(event);
    return is_ready;
}

void request_deinit(struct request *request)
{
    free(request->id);
    free(request->key);
    free(request->value);
    free(request->user);
    *request = (struct request){0};
}

int request_headers(const struct request *request, const char *type_prefix, int64_t wall_ms,
                    struct request_header ret_headers[REQUEST_HEADERS])
{
    char time[TIME_CHARS + 1], type[IDENTITY_BYTES + 64];
    if (request->is_event) {
        ret_headers[0] = (struct request_header){"content-type", "application/cloudevents+json"};
        return 1;
    }
    time_format(wall_ms, time);
    snprintf(type, sizeof type, "%.250suser.restore.requested.v1", type_prefix);
    const char *const headers[REQUEST_HEADERS][2] = {
        {"ce_specversion", "1.0"}, {"ce_id", request->id}, {"ce_source", TOOL_SOURCE},
        {"ce_type", type},         {"ce_time", time},      {"content-type", "application/json"},
    };
    for (int i = 0; i < REQUEST_HEADERS; i++) {
        ret_headers[i].name = headers[i][0];
        bool fits = text_copy(ret_headers[i].value, sizeof ret_headers[i].value, headers[i][1]);
        assert(fits);
    }
    return REQUEST_HEADERS;
}

void request_print(const struct request *request, const struct settings *settings, int64_t wall_ms,
                   bool json, FILE *out)
{
    struct request_header headers[REQUEST_HEADERS];
    const char *topic = settings->kafka.requests_topic;
    int n = request_headers(request, settings->events.type_prefix, wall_ms, headers);
    if (!json) {
        fprintf(out, "topic: %s\nkey: %s\n", topic, request->key);
        for (int i = 0; i < n; i++)
            fprintf(out, "header: %s: %s\n", headers[i].name, headers[i].value);
        fprintf(out, "value: %s\n", request->value);
        return;
    }
    json_t *shown = json_object();
    for (int i = 0; i < n; i++)
        json_object_set_new(shown, headers[i].name, json_string(headers[i].value));
    shown = json_pack("{s:s, s:s, s:o, s:o}", "topic", topic, "key", request->key, "headers", shown,
                      "value", json_loads(request->value, 0, NULL));
    json_dumpf(shown, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(shown);
}

#include "consumers/cloudevent_in.h"

#include "consumers/request_data.h"
#include "policy/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(a)[0])

static const char PLAIN_SOURCE[] = "urn:restore-worker:plain";
static const char REQUEST_TYPE[] = "user.restore.requested.v1"; /* after events.type_prefix */

enum mode { MODE_BINARY, MODE_STRUCTURED, MODE_PLAIN };

/* The text of an attribute wherever it stood: header bytes or a JSON string. Borrowed. */
struct value {
    bool given;
    const char *text; /* NULL: given, but not as text */
    size_t bytes;
};

/* What all the readers work with. */
struct reading {
    struct json_in *in;
    const struct decode_settings *settings;
    struct cloudevent *event;
};

struct attribute {
    const char *name;
    bool required;
    bool (*read)(const struct reading *reading, const struct value *value,
                 const struct attribute *attribute);
    size_t offset; /* in struct cloudevent */
    size_t limit;
};

/* ---- one attribute ---- */

/* Fits, is UTF-8 and has no control character: copied with a closing zero. */
static bool value_copy(const struct value *value, char *to, size_t limit)
{
    if (value->bytes > limit || !utf8_is_valid(value->text, value->bytes) ||
        utf8_has_control(value->text, value->bytes))
        return false;
    memcpy(to, value->text, value->bytes);
    to[value->bytes] = '\0';
    return true;
}

static bool value_equals(const struct value *value, const char *text)
{
    return value->bytes == strlen(text) && memcmp(value->text, text, value->bytes) == 0;
}

static bool read_identity(const struct reading *reading, const struct value *value,
                          const struct attribute *attribute)
{
    char *to = (char *)reading->event + attribute->offset;
    if (value->bytes == 0 || !value_copy(value, to, attribute->limit))
        return json_in_fail(reading->in,
                            "must be 1 to %zu bytes of UTF-8 without control characters",
                            attribute->limit);
    return true;
}

static bool read_version(const struct reading *reading, const struct value *value,
                         const struct attribute *attribute)
{
    (void)attribute;
    return value_equals(value, "1.0") || json_in_fail(reading->in, "must be 1.0");
}

static bool read_type(const struct reading *reading, const struct value *value,
                      const struct attribute *attribute)
{
    (void)attribute;
    char wanted[IDENTITY_BYTES + sizeof REQUEST_TYPE]; /* the prefix is shorter than that */
    snprintf(wanted, sizeof wanted, "%s%s", reading->settings->type_prefix, REQUEST_TYPE);
    return value_equals(value, wanted) || json_in_fail(reading->in, "must be %s", wanted);
}

static bool read_time(const struct reading *reading, const struct value *value,
                      const struct attribute *attribute)
{
    char text[64 + 1];
    if (!value_copy(value, text, attribute->limit))
        text[0] = '\0'; /* no time either */
    return request_time_read(reading->in, text,
                             (int64_t *)((char *)reading->event + attribute->offset));
}

/* A trace that does not fit is dropped: it accompanies the request, it is not part of it. */
static bool read_trace(const struct reading *reading, const struct value *value,
                       const struct attribute *attribute)
{
    value_copy(value, (char *)reading->event + attribute->offset, attribute->limit);
    return true;
}

/* JSON by its media type: subtype `json` or suffix `+json` (CloudEvents JSON format 3.1). */
static bool read_media_type(const struct reading *reading, const struct value *value,
                            const struct attribute *attribute)
{
    char text[254 + 1]; /* RFC 6838 4.2: 127 each for type and subtype */
    struct value bare = *value;
    const char *parameters = memchr(value->text, ';', value->bytes);
    if (parameters != NULL)
        bare.bytes = (size_t)(parameters - value->text);
    while (bare.bytes > 0 && bare.text[bare.bytes - 1] == ' ')
        bare.bytes--;
    while (bare.bytes > 0 && bare.text[0] == ' ') {
        bare.text++;
        bare.bytes--;
    }
    if (value_copy(&bare, text, attribute->limit)) {
        const char *slash = strchr(text, '/');
        if (slash != NULL && slash > text &&
            (text_equal_ignore_case(slash, "/json") ||
             (slash[1] != '+' && text_ends_with_ignore_case(slash, "+json"))))
            return true;
    }
    return json_in_fail(reading->in, "must be application/json or another JSON type");
}

/* ---- all of them ---- */

enum attribute_index {
    ID,
    SOURCE,
    CORRELATION,
    TRACEPARENT,
    TRACESTATE,
    VERSION,
    TYPE,
    TIME,
    EXPIRY,
    MEDIA_TYPE,
    ATTRIBUTES
};

#define EVENT(member) offsetof(struct cloudevent, member)

/* Those that are not here (subject, dataschema, extensions) are allowed and not read. */
/* clang-format off */
static const struct attribute TABLE[ATTRIBUTES] = {
    [ID]          = {"id",              true,  read_identity,   EVENT(envelope.id),              IDENTITY_BYTES},
    [SOURCE]      = {"source",          true,  read_identity,   EVENT(envelope.source),          IDENTITY_BYTES},
    [CORRELATION] = {"correlationid",   false, read_identity,   EVENT(envelope.correlation_id),  IDENTITY_BYTES},
    [TRACEPARENT] = {"traceparent",     false, read_trace,      EVENT(envelope.traceparent),     63},
    [TRACESTATE]  = {"tracestate",      false, read_trace,      EVENT(envelope.tracestate),      512},
    [VERSION]     = {"specversion",     true,  read_version,    0,                               0},
    [TYPE]        = {"type",            true,  read_type,       0,                               0},
    [TIME]        = {"time",            false, read_time,       EVENT(envelope.requested_at_ms), 64},
    [EXPIRY]      = {"expirytime",      false, read_time,       EVENT(expires_at_ms),            64},
    [MEDIA_TYPE]  = {"datacontenttype", false, read_media_type, 0,                               254},
};
/* clang-format on */

static bool attribute_read(const struct reading *reading, enum attribute_index i,
                           const struct value *value)
{
    const struct attribute *attribute = &TABLE[i];
    if (!value->given)
        return !attribute->required || json_in_fail(reading->in, "is missing");
    if (value->text == NULL)
        return json_in_fail(reading->in, "must be a string");
    return attribute->read(reading, value, attribute);
}

/* An attribute that stands under a name of its own. */
static void attribute_read_at(const struct reading *reading, const char *name,
                              enum attribute_index i, const struct value *value)
{
    size_t mark = json_in_enter(reading->in, name);
    attribute_read(reading, i, value);
    json_in_leave(reading->in, mark);
}

/* Goes on after a complaint, of which the first one stands: what identifies the request is wanted
 * all the same. */
static void attributes_read(const struct reading *reading, const char *prefix,
                            const struct value values[ATTRIBUTES])
{
    for (enum attribute_index i = 0; i < ATTRIBUTES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%s", prefix, TABLE[i].name);
        attribute_read_at(reading, name, i, &values[i]);
    }
}

/* ---- where they stand ---- */

/* Headers that accompany a record in any mode, without the prefix ce_. */
static const struct {
    const char *name;
    enum attribute_index index;
} BARE[] = {
    {"content-type", MEDIA_TYPE},
    {"traceparent", TRACEPARENT},
    {"tracestate", TRACESTATE},
};

/* Names in any case, the last of several counts; a null value is none. */
static void headers_read(const struct record *record, struct value ce[ATTRIBUTES],
                         struct value bare[ATTRIBUTES])
{
    for (size_t i = 0; i < record->n_headers && i < RECORD_HEADERS_MAX; i++) {
        const struct record_header *header = &record->headers[i];
        struct value value = {header->value != NULL, header->value, header->value_bytes};
        if (strncasecmp(header->name, "ce_", 3) == 0) {
            for (size_t k = 0; k < ATTRIBUTES; k++)
                if (text_equal_ignore_case(header->name + 3, TABLE[k].name))
                    ce[k] = value;
        }
        for (size_t k = 0; k < ARRAY_SIZE(BARE); k++)
            if (text_equal_ignore_case(header->name, BARE[k].name))
                bare[BARE[k].index] = value;
    }
}

/* A member that is null counts as absent (CloudEvents JSON format 2.1). */
static void members_read(const json_t *root, struct value ret_values[ATTRIBUTES])
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        const json_t *member = json_object_get(root, TABLE[i].name);
        ret_values[i] = (struct value){
            .given = member != NULL && !json_is_null(member),
            .text = json_string_value(member), /* NULL unless a string */
            .bytes = json_string_length(member),
        };
    }
}

static bool value_check(struct json_in *in, const struct record *record)
{
    if (record->value == NULL)
        return json_in_fail(in, "is null");
    if (record->value_bytes == 0)
        return json_in_fail(in, "is empty");
    if (record->value_bytes > REQUEST_BYTES_MAX)
        return json_in_fail(in, "has %zu bytes, allowed are %d", record->value_bytes,
                            REQUEST_BYTES_MAX);
    if (*(const char *)record->value == '\0')
        return json_in_fail(in, "begins with byte 0: Schema Registry framing, send plain JSON");
    return true;
}

static json_t *value_parse(struct json_in *in, const struct record *record)
{
    size_t mark = json_in_enter(in, "value");
    bool readable = value_check(in, record);
    json_in_leave(in, mark);
    return readable ? json_in_parse(in, record->value, record->value_bytes, REQUEST_DEPTH_MAX)
                    : NULL;
}

/* ---- the three modes ---- */

/* In this order (contract 2). What has the marks of an event but not its specversion is an event
 * that lacks it, not plain JSON: a request has no member `data`. */
static enum mode mode_recognise(const json_t *root, const struct value ce[ATTRIBUTES])
{
    if (json_object_get(root, TABLE[VERSION].name) != NULL)
        return MODE_STRUCTURED;
    if (ce[VERSION].given || ce[ID].given || ce[SOURCE].given || ce[TYPE].given)
        return MODE_BINARY;
    return json_object_get(root, "data") != NULL ? MODE_STRUCTURED : MODE_PLAIN;
}

/* Extensions are welcome, but not under a name that no attribute can have: an `expiryTime` would be
 * overlooked, and nobody would know. */
static void member_names_check(struct json_in *in, json_t *root)
{
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    const char *name;
    json_t *member;
    json_object_foreach(root, name, member)
    {
        size_t mark = json_in_enter(in, name);
        if (strcmp(name, "data_base64") == 0)
            json_in_fail(in, "is not accepted, send JSON in `data`");
        else if (name[0] == '\0' || name[strspn(name, ALLOWED)] != '\0')
            json_in_fail(in, "cannot be an attribute: lower-case letters and digits only");
        json_in_leave(in, mark);
    }
}

static json_t *structured_read(const struct reading *reading, json_t *root)
{
    struct value members[ATTRIBUTES];
    members_read(root, members);
    attributes_read(reading, "", members);
    member_names_check(reading->in, root);
    json_t *data = json_object_get(root, "data");
    if (data == NULL)
        json_in_fail(reading->in, "data: is missing");
    return data;
}

/* `data` itself, and in it `requestId`, which is no part of it: the digest is taken without. */
static json_t *plain_read(const struct reading *reading, json_t *root)
{
    if (!reading->settings->accept_plain_json)
        json_in_fail(reading->in, "value: is not a CloudEvent, and plain JSON is not accepted");
    if (!json_is_object(root))
        return root;
    memcpy(reading->event->envelope.source, PLAIN_SOURCE, sizeof PLAIN_SOURCE);
    const json_t *id = json_object_get(root, "requestId");
    if (id != NULL) {
        const struct value value = {true, json_string_value(id), json_string_length(id)};
        attribute_read_at(reading, "requestId", ID, &value);
        json_object_del(root, "requestId");
    }
    return root;
}

/* content-type is datacontenttype in binary mode (CloudEvents Kafka binding 3.2.1); in structured
 * mode the headers have no say. The plain trace headers stand in where the event has no trace. */
static void bare_headers_use(const struct reading *reading, enum mode mode,
                             const struct value bare[ATTRIBUTES])
{
    struct request_envelope *envelope = &reading->event->envelope;
    if (mode != MODE_STRUCTURED)
        attribute_read_at(reading, "content-type", MEDIA_TYPE, &bare[MEDIA_TYPE]);
    if (envelope->traceparent[0] == '\0') {
        envelope->tracestate[0] = '\0'; /* means nothing without */
        attribute_read(reading, TRACEPARENT, &bare[TRACEPARENT]);
        attribute_read(reading, TRACESTATE, &bare[TRACESTATE]);
    }
}

bool cloudevent_read(struct json_in *in, const struct decode_settings *settings,
                     const struct record *record, struct cloudevent *ret_event)
{
    struct value ce[ATTRIBUTES] = {0}, bare[ATTRIBUTES] = {0};
    const struct reading reading = {in, settings, ret_event};
    *ret_event = (struct cloudevent){0};
    if (record->timestamp_ms > 0)
        ret_event->envelope.requested_at_ms = record->timestamp_ms;
    if (record->n_headers > RECORD_HEADERS_MAX)
        json_in_fail(in, "headers: are %zu, allowed are %d", record->n_headers, RECORD_HEADERS_MAX);
    headers_read(record, ce, bare);

    json_t *root = value_parse(in, record);
    json_t *data = root;
    enum mode mode = mode_recognise(root, ce);
    switch (mode) {
    case MODE_BINARY: attributes_read(&reading, "ce_", ce); break;
    case MODE_STRUCTURED: data = structured_read(&reading, root); break;
    case MODE_PLAIN: data = plain_read(&reading, root); break;
    }
    bare_headers_use(&reading, mode, bare);
    /* A request from the future would never be too old (contract 3, age). */
    if (record->timestamp_ms > 0 && ret_event->envelope.requested_at_ms > record->timestamp_ms)
        ret_event->envelope.requested_at_ms = record->timestamp_ms;

    if (!in->failed)
        ret_event->data = json_incref(data);
    json_decref(root);
    return !in->failed;
}

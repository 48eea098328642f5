#include "consumers/json_in.h"

#include "policy/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void json_in_init(struct json_in *in, char *reterr, size_t reterr_bytes)
{
    *in = (struct json_in){.reterr = reterr, .reterr_bytes = reterr_bytes};
}

bool json_in_fail(struct json_in *in, const char *format, ...)
{
    if (in->failed)
        return false;
    in->failed = true;
    int used = 0;
    if (in->path_bytes > 0)
        used = snprintf(in->reterr, in->reterr_bytes, "%s: ", in->path);
    assert(used >= 0 && (size_t)used < in->reterr_bytes);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(in->reterr + used, in->reterr_bytes - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

static void path_append(struct json_in *in, const char *text)
{
    static const char CUT[] = "...";
    size_t bytes = strlen(text);
    size_t room = JSON_PATH_BYTES - in->path_bytes;
    if (bytes > room) {
        if (room < sizeof CUT)
            return; /* it ends in "..." already */
        bytes = room - (sizeof CUT - 1);
        while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
            bytes--; /* never half a code point */
        memcpy(in->path + in->path_bytes, text, bytes);
        memcpy(in->path + in->path_bytes + bytes, CUT, sizeof CUT);
        in->path_bytes = JSON_PATH_BYTES; /* full */
        return;
    }
    memcpy(in->path + in->path_bytes, text, bytes + 1);
    in->path_bytes += bytes;
}

size_t json_in_enter(struct json_in *in, const char *name)
{
    size_t mark = in->path_bytes;
    if (mark > 0)
        path_append(in, ".");
    /* Messages go to logs and headers: a name that could write there is not repeated. */
    path_append(in, utf8_has_control(name, strlen(name)) ? "?" : name);
    return mark;
}

size_t json_in_enter_index(struct json_in *in, size_t index)
{
    char text[32];
    size_t mark = in->path_bytes;
    snprintf(text, sizeof text, "[%zu]", index);
    path_append(in, text);
    return mark;
}

void json_in_leave(struct json_in *in, size_t mark)
{
    in->path_bytes = mark;
    in->path[mark] = '\0';
}

static bool depth_check(struct json_in *in, const json_t *value, int depth, int depth_max)
{
    const char *name;
    json_t *child;
    size_t i;
    if (!json_is_object(value) && !json_is_array(value))
        return true;
    if (depth > depth_max)
        return json_in_fail(in, "is nested deeper than %d", depth_max);
    json_object_foreach((json_t *)value, name, child)
    {
        size_t mark = json_in_enter(in, name);
        if (!depth_check(in, child, depth + 1, depth_max))
            return false;
        json_in_leave(in, mark);
    }
    json_array_foreach(value, i, child)
    {
        size_t mark = json_in_enter_index(in, i);
        if (!depth_check(in, child, depth + 1, depth_max))
            return false;
        json_in_leave(in, mark);
    }
    return true;
}

/* jansson's own text quotes the value, which may hold names and mail addresses: not repeated. */
static const char *parse_complaint(enum json_error_code code)
{
    static const struct {
        enum json_error_code code;
        const char *complaint;
    } COMPLAINTS[] = {
        {json_error_duplicate_key, "the key stands twice in its object"},
        {json_error_end_of_input_expected, "something follows the JSON value"},
        {json_error_invalid_utf8, "not UTF-8"},
        {json_error_null_byte_in_key, "a zero character (\\u0000) is not accepted"},
        {json_error_null_character, "a zero character (\\u0000) is not accepted"},
        {json_error_numeric_overflow, "the number is too large"},
        {json_error_premature_end_of_input, "the JSON value is cut off"},
        {json_error_stack_overflow, "the JSON value is nested too deep"},
    };
    for (size_t i = 0; i < sizeof COMPLAINTS / sizeof COMPLAINTS[0]; i++)
        if (COMPLAINTS[i].code == code)
            return COMPLAINTS[i].complaint;
    return "not JSON";
}

json_t *json_in_parse(struct json_in *in, const void *text, size_t bytes, int depth_max)
{
    json_error_t error;
    const size_t flags = JSON_DECODE_ANY;
    json_t *root = json_loadb(text, bytes, flags | JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        enum json_error_code code = json_error_code(&error);
        assert(code != json_error_out_of_memory); /* says nothing about the text */
        json_in_fail(in, "line %d, column %d (byte %d): %s", error.line, error.column,
                     error.position, parse_complaint(code));
        if (code == json_error_duplicate_key)
            root = json_loadb(text, bytes, flags, NULL);
    } else {
        size_t mark = in->path_bytes;
        depth_check(in, root, 1, depth_max);
        json_in_leave(in, mark);
    }
    return root;
}

static bool type_fail(struct json_in *in, const char *wanted, const json_t *value)
{
    static const char *const NAMES[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return json_in_fail(in, "must be %s, not %s", wanted, NAMES[json_typeof(value)]);
}

bool json_in_object(struct json_in *in, const json_t *value, const struct json_fields *fields,
                    void *to)
{
    const char *name;
    json_t *member;
    if (!json_is_object(value))
        return type_fail(in, "an object", value);
    json_object_foreach((json_t *)value, name, member)
    {
        const struct json_field *field = fields->fields;
        const struct json_field *end = field + fields->n_fields;
        while (field < end && strcmp(field->name, name) != 0)
            field++;
        size_t mark = json_in_enter(in, name);
        if (field == end)
            return json_in_fail(in, "is not a known field");
        if (!field->read(in, member, field, (char *)to + field->offset))
            return false;
        json_in_leave(in, mark);
    }
    return true;
}

bool json_in_array(struct json_in *in, const json_t *value, size_t min, size_t max)
{
    if (!json_is_array(value))
        return type_fail(in, "an array", value);
    size_t n = json_array_size(value);
    if (n < min || n > max)
        return json_in_fail(in, "has %zu elements, allowed are %zu to %zu", n, min, max);
    return true;
}

const char *json_in_text(struct json_in *in, const json_t *value, size_t limit)
{
    if (!json_is_string(value)) {
        type_fail(in, "a string", value);
        return NULL;
    }
    const char *text = json_string_value(value);
    size_t bytes = json_string_length(value);
    if (bytes == 0) {
        json_in_fail(in, "is empty");
        return NULL;
    }
    if (bytes > limit) {
        json_in_fail(in, "has %zu bytes, allowed are %zu", bytes, limit);
        return NULL;
    }
    if (utf8_has_control(text, bytes)) {
        json_in_fail(in, "holds a control character");
        return NULL;
    }
    return text;
}

bool json_read_object(struct json_in *in, const json_t *value, const struct json_field *field,
                      void *to)
{
    return json_in_object(in, value, field->detail, to);
}

bool json_read_text(struct json_in *in, const json_t *value, const struct json_field *field,
                    void *to)
{
    const char *text = json_in_text(in, value, field->limit);
    if (text == NULL)
        return false;
    memcpy(to, text, strlen(text) + 1);
    return true;
}

bool json_read_prose(struct json_in *in, const json_t *value, const struct json_field *field,
                     void *to)
{
    if (!json_is_string(value))
        return type_fail(in, "a string", value);
    const char *text = json_string_value(value);
    size_t bytes = json_string_length(value);
    size_t n = utf8_count(text, bytes);
    if (n > field->limit)
        return json_in_fail(in, "has %zu characters, allowed are %zu", n, field->limit);
    memcpy(to, text, bytes + 1);
    return true;
}

bool json_read_word(struct json_in *in, const json_t *value, const struct json_field *field,
                    void *to)
{
    const struct json_words *words = field->detail;
    char all[128] = "";
    size_t used = 0;
    if (!json_is_string(value))
        return type_fail(in, "a string", value);
    for (unsigned i = 0; i < words->n; i++) {
        const char *word = words->word(i);
        if (word[0] == '\0')
            continue;
        if (strcmp(word, json_string_value(value)) == 0) {
            *(unsigned *)to = i; /* gcc and clang: an enum without negative values */
            return true;
        }
        int n = snprintf(all + used, sizeof all - used, "%s%s", used > 0 ? ", " : "", word);
        assert(n > 0 && (size_t)n < sizeof all - used);
        used += (size_t)n;
    }
    return json_in_fail(in, "must be one of: %s", all);
}

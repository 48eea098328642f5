#include "producers/json_out.h"

#include "policy/time_text.h"
#include "policy/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST_BYTES = 4096, ROOM_MAX_BYTES = 16 * 1024 * 1024 };

void json_out_reset(struct json_out *out)
{
    out->used = 0;
    out->comma = false;
    out->failed = false;
}

void json_out_free(struct json_out *out)
{
    if (out->bytes != NULL)
        explicit_bzero(out->bytes, out->room);
    free(out->bytes);
    *out = (struct json_out){0};
}

static bool make_room(struct json_out *out, size_t bytes)
{
    if (out->failed)
        return false;
    if (bytes <= out->room - out->used)
        return true;
    size_t room = out->room == 0 ? ROOM_FIRST_BYTES : out->room;
    while (room - out->used < bytes && room < ROOM_MAX_BYTES)
        room *= 2;
    /* Not realloc: it may leave the old bytes, and a password in them, in freed memory. */
    char *grown = room - out->used < bytes ? NULL : malloc(room);
    if (grown == NULL) {
        out->failed = true;
        return false;
    }
    if (out->bytes != NULL) {
        memcpy(grown, out->bytes, out->used);
        explicit_bzero(out->bytes, out->room);
        free(out->bytes);
    }
    out->bytes = grown;
    out->room = room;
    return true;
}

static void append(struct json_out *out, const char *text, size_t bytes)
{
    if (!make_room(out, bytes))
        return;
    memcpy(out->bytes + out->used, text, bytes);
    out->used += bytes;
}

static void begin_value(struct json_out *out, const char *name)
{
    if (out->comma)
        append(out, ",", 1);
    out->comma = true;
    if (name == NULL)
        return;
    append(out, "\"", 1);
    append(out, name, strlen(name));
    append(out, "\":", 2);
}

static void open_container(struct json_out *out, const char *name, const char *bracket)
{
    begin_value(out, name);
    append(out, bracket, 1);
    out->comma = false;
}

static void close_container(struct json_out *out, const char *bracket)
{
    append(out, bracket, 1);
    out->comma = true;
}

void json_out_open_object(struct json_out *out, const char *name)
{
    open_container(out, name, "{");
}

void json_out_close_object(struct json_out *out)
{
    close_container(out, "}");
}

void json_out_open_array(struct json_out *out, const char *name)
{
    open_container(out, name, "[");
}

void json_out_close_array(struct json_out *out)
{
    close_container(out, "]");
}

static void append_escaped(struct json_out *out, unsigned char c)
{
    static const char names[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *known = strchr(names, c);
    char escape[8];
    int length = known != NULL ? snprintf(escape, sizeof escape, "\\%c", letters[known - names])
                               : snprintf(escape, sizeof escape, "\\u%04x", c);
    append(out, escape, (size_t)length);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void json_out_text(struct json_out *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    begin_value(out, name);
    append(out, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        size_t plain = 0;
        while (is_plain(at[plain]))
            plain++;
        append(out, (const char *)at, plain);
        at += plain;
        if (*at == '\0')
            break;
        size_t length = utf8_sequence(at, UTF8_BYTES_PER_CHAR);
        if (length == 0)
            append(out, "\xEF\xBF\xBD", 3); /* U+FFFD */
        else if (length == 1)
            append_escaped(out, *at);
        else
            append(out, (const char *)at, length);
        at += length == 0 ? 1 : length;
    }
    append(out, "\"", 1);
}

void json_out_time(struct json_out *out, const char *name, int64_t ms)
{
    if (ms == 0)
        return;
    char text[TIME_CHARS + 1];
    time_format(ms, text);
    json_out_text(out, name, text);
}

void json_out_bool(struct json_out *out, const char *name, bool value)
{
    begin_value(out, name);
    append(out, value ? "true" : "false", value ? 4 : 5);
}

void json_out_json(struct json_out *out, const char *name, const char *json)
{
    begin_value(out, name);
    append(out, json, strlen(json));
}

void json_out_number(struct json_out *out, const char *name, int64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    begin_value(out, name);
    append(out, digits, (size_t)length);
}

void json_out_recipients(struct json_out *out, const char *name, const struct recipients *list)
{
    json_out_open_array(out, name);
    for (int i = 0; i < list->n; i++)
        json_out_text(out, NULL, list->address[i]);
    json_out_close_array(out);
}

void json_out_strings(struct json_out *out, const char *name, const struct string_list *list)
{
    json_out_open_array(out, name);
    for (const char *s = NULL; (s = string_list_next(list, s)) != NULL;)
        json_out_text(out, NULL, s);
    json_out_close_array(out);
}

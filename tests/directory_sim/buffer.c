#include "tests/directory_sim/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_BYTES = 64 }; /* many buffers become one name of one user */

void *memory_zeroed(size_t bytes)
{
    void *memory = calloc(1, bytes);
    assert(memory);
    return memory;
}

char *text_dup(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    assert(copy || !text);
    return copy;
}

static void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->n + more + 1 <= buffer->room)
        return;
    size_t room = buffer->room ? buffer->room : FIRST_BYTES;
    while (room < buffer->n + more + 1)
        room *= 2;
    buffer->bytes = realloc(buffer->bytes, room);
    assert(buffer->bytes);
    buffer->room = room;
}

void buffer_add(struct buffer *buffer, const char *bytes, size_t n)
{
    buffer_reserve(buffer, n);
    memcpy(buffer->bytes + buffer->n, bytes, n);
    buffer->n += n;
    buffer->bytes[buffer->n] = '\0';
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    buffer_reserve(buffer, (size_t)n);
    va_start(args, format);
    vsnprintf(buffer->bytes + buffer->n, (size_t)n + 1, format, args);
    va_end(args);
    buffer->n += (size_t)n;
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

void json_comma(struct buffer *buffer)
{
    if (buffer->n && !strchr("{[:,", buffer->bytes[buffer->n - 1]))
        buffer_add(buffer, ",", 1);
}

void json_text(struct buffer *buffer, const char *text)
{
    json_comma(buffer);
    if (!text) {
        buffer_text(buffer, "null");
        return;
    }
    buffer_add(buffer, "\"", 1);
    for (const char *p = text; *p;) {
        size_t plain = 0;
        while ((unsigned char)p[plain] >= 0x20 && p[plain] != '"' && p[plain] != '\\')
            plain++;
        buffer_add(buffer, p, plain);
        p += plain;
        if (*p)
            buffer_format(buffer, "\\u%04x", (unsigned)(unsigned char)*p++);
    }
    buffer_add(buffer, "\"", 1);
}

void json_key(struct buffer *buffer, const char *name)
{
    json_text(buffer, name);
    buffer_add(buffer, ":", 1);
}

void json_pair(struct buffer *buffer, const char *name, const char *text)
{
    json_key(buffer, name);
    json_text(buffer, text);
}

void json_number_pair(struct buffer *buffer, const char *name, int64_t number)
{
    json_key(buffer, name);
    buffer_format(buffer, "%lld", (long long)number);
}

void json_time(struct buffer *buffer, int64_t wall_ms)
{
    char text[32] = "";
    if (wall_ms != TIME_NONE) {
        time_t seconds = (time_t)(wall_ms / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    json_text(buffer, wall_ms == TIME_NONE ? NULL : text);
}

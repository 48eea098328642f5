/* Growing text, and JSON printed straight into it: a reply costs no object tree (10,000 replies a
 * second are asked of this program). Running out of memory is a bug here: assert. */
#ifndef DIRECTORY_SIM_BUFFER_H
#define DIRECTORY_SIM_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#define TIME_NONE INT64_MIN /* a time that is null in JSON */

struct buffer {
    char *bytes; /* owned; always closed with a zero once anything was added */
    size_t n;
    size_t room;
};

void *memory_zeroed(size_t bytes);
/* A copy the caller frees; NULL for NULL. */
char *text_dup(const char *text);

void buffer_add(struct buffer *buffer, const char *bytes, size_t n);
void buffer_text(struct buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3))) void buffer_format(struct buffer *buffer, const char *format,
                                                         ...);
void buffer_clear(struct buffer *buffer);

/* JSON. A comma is put where one is needed, judged by the last byte, so callers keep no state. */
void json_comma(struct buffer *buffer);
void json_text(struct buffer *buffer, const char *text); /* quoted and escaped; NULL is null */
void json_key(struct buffer *buffer, const char *name);
void json_pair(struct buffer *buffer, const char *name, const char *text);
void json_number_pair(struct buffer *buffer, const char *name, int64_t number);
/* Whole seconds with "Z", as Graph prints them; TIME_NONE is null. */
void json_time(struct buffer *buffer, int64_t wall_ms);

#endif

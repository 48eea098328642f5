/* JSON, written front to back into one growing buffer: no tree, so an event costs no allocation
 * once the buffer has its size. What is written is always valid UTF-8: bytes that are none become
 * U+FFFD. Out of memory makes the writer `failed`, asked once at the end. */
#ifndef PRODUCERS_JSON_OUT_H
#define PRODUCERS_JSON_OUT_H

#include "policy/text.h"

struct json_out { /* starts as {0} */
    char *bytes;
    size_t used, room;
    bool comma; /* the next member needs one before it */
    bool failed;
};

/* Empties the writer, keeps its buffer. */
void json_out_reset(struct json_out *out);
/* Clears the memory before it is given back: a password may have stood in it. */
void json_out_free(struct json_out *out);

/* `name` is the program's own and needs no escaping; NULL: an element, or the root. */
void json_out_open_object(struct json_out *out, const char *name);
void json_out_close_object(struct json_out *out);
void json_out_open_array(struct json_out *out, const char *name);
void json_out_close_array(struct json_out *out);

/* What is not known is absent, never null (contract, head): NULL and "" write nothing. */
void json_out_text(struct json_out *out, const char *name, const char *text);
/* 0: not known, writes nothing. */
void json_out_time(struct json_out *out, const char *name, int64_t ms);
void json_out_bool(struct json_out *out, const char *name, bool value);
void json_out_number(struct json_out *out, const char *name, int64_t value);
/* A value that is JSON already. */
void json_out_json(struct json_out *out, const char *name, const char *json);
/* The strings of a list; an empty list is an empty array. */
void json_out_recipients(struct json_out *out, const char *name, const struct recipients *list);
void json_out_strings(struct json_out *out, const char *name, const struct string_list *list);

#endif

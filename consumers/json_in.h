/* Strict JSON in: one parse, then a walk over the tree by tables, which knows where it is. The
 * first complaint ends the walk and stands in `reterr` with its place: "line 3, column 7 (byte
 * 41): ..." for what is not JSON, "data.notify.to[2]: ..." for what is.
 *
 * A new field: one row in its object's table, a member to fill, a reader if none of those below
 * serves, a golden case. */
#ifndef CONSUMERS_JSON_IN_H
#define CONSUMERS_JSON_IN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { JSON_PATH_BYTES = 160 }; /* longer paths, made of a stranger's names, end in "..." */

struct json_in {
    char *reterr; /* borrowed; written by the first json_in_fail and by nothing else */
    size_t reterr_bytes;
    bool failed;
    size_t path_bytes;
    char path[JSON_PATH_BYTES + 1];
};

void json_in_init(struct json_in *in, char *reterr, size_t reterr_bytes);

/* Says what is wrong at the current place, unless something was wrong before. False, always. */
__attribute__((format(printf, 2, 3))) bool json_in_fail(struct json_in *in, const char *format,
                                                        ...);

/* Steps down to a member or an element; json_in_leave with what they returned steps back. */
size_t json_in_enter(struct json_in *in, const char *name);
size_t json_in_enter_index(struct json_in *in, size_t index);
void json_in_leave(struct json_in *in, size_t mark);

/* Parses any JSON value; owned by the caller. Duplicate keys at any depth, values nested deeper
 * than `depth_max` and all that RFC 8259 does not allow are complaints. After one about a duplicate
 * key or the depth the tree is returned all the same, so that an envelope can be read from it;
 * else NULL. */
json_t *json_in_parse(struct json_in *in, const void *text, size_t bytes, int depth_max);

/* A member that an object may have. `read` turns the value into what lies at `to`, which is the
 * owner's struct plus `offset`; false after json_in_fail. */
struct json_field {
    const char *name;
    bool (*read)(struct json_in *in, const json_t *value, const struct json_field *field, void *to);
    size_t offset;
    size_t limit;       /* see the readers */
    const void *detail; /* see the readers */
};

struct json_fields {
    const struct json_field *fields;
    size_t n_fields;
};

/* Every member of the object through its row, in the object's order; one without a row is a
 * complaint. Members that are absent leave the target as it is. */
bool json_in_object(struct json_in *in, const json_t *value, const struct json_fields *fields,
                    void *to);

/* An array of min to max elements; the caller walks them. */
bool json_in_array(struct json_in *in, const json_t *value, size_t min, size_t max);

/* Text that names something: not empty, no control characters, at most `limit` bytes.
 * Borrowed from value, NULL after a complaint. */
const char *json_in_text(struct json_in *in, const json_t *value, size_t limit);

/* Readers for rows. */

/* json_in_object over `detail`, a struct json_fields. */
bool json_read_object(struct json_in *in, const json_t *value, const struct json_field *field,
                      void *to);
/* json_in_text into char[limit + 1]. */
bool json_read_text(struct json_in *in, const json_t *value, const struct json_field *field,
                    void *to);
/* Any text of at most `limit` code points into char[4 * limit + 1]. */
bool json_read_prose(struct json_in *in, const json_t *value, const struct json_field *field,
                     void *to);

/* One of a set of words into an enum (unsigned), by `detail`. word(i) is the word of value i;
 * values whose word is "" cannot be written down. */
struct json_words {
    const char *(*word)(unsigned value);
    unsigned n;
};
bool json_read_word(struct json_in *in, const json_t *value, const struct json_field *field,
                    void *to);

#endif

/* One table says what a property is called, which kinds of object have it, where it lies, and
 * whether Graph returns it unasked. Loading, replies, $select and $filter all go by it. */
#ifndef DIRECTORY_SIM_PROPERTY_H
#define DIRECTORY_SIM_PROPERTY_H

#include "tests/directory_sim/store.h"

#include <jansson.h>

enum property_type {
    PROPERTY_TEXT,
    PROPERTY_BOOL,
    PROPERTY_TIME,
    PROPERTY_LIST,
    PROPERTY_LICENCES,
    PROPERTY_NO_LIST, /* always [] */
    PROPERTY_NULL,    /* always null */
};

struct property {
    const char *name;
    unsigned kinds;         /* bit per enum entry_kind */
    unsigned kinds_unasked; /* subset: returned without $select */
    enum property_type type;
    size_t offset; /* into struct entry, or struct role_row for the two role kinds */
};

/* A directoryRole or a unifiedRoleAssignment, made up for one reply. Texts are not owned. */
struct role_row {
    const char *id, *display_name, *template_id; /* KIND_ROLE */
    const char *principal_id, *scope;            /* KIND_ASSIGNMENT, with template_id */
};

typedef uint64_t property_mask; /* bit per row of the table */

const struct property *property_find(enum entry_kind kind, const char *name, size_t name_n);
const char *property_text(const struct property *property, const void *object);
property_mask property_unasked(enum entry_kind kind);
property_mask property_every(enum entry_kind kind);
/* NULL `select`: the unasked ones. False: `*unknown` points at the first name not in the table. */
bool property_select(enum entry_kind kind, const char *select, property_mask *mask,
                     const char **unknown);
const char *kind_type(enum entry_kind kind); /* "#microsoft.graph.user" */

/* Writes "name":value pairs into an object that the caller opens and closes. */
void property_write(struct buffer *buffer, const void *object, property_mask mask);

/* Sets one property from the load format. False: unknown name or wrong type. */
bool property_load(struct entry *entry, const char *name, const json_t *value);

/* RFC 3339 in UTC; TIME_NONE when it is not. */
int64_t time_parse(const char *text);

#endif

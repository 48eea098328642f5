/* The part of OData's $filter that Graph documents for finding people (directory-api 2.3, 3):
 * terms joined by "or", each one of
 *   property eq 'text' | startsWith(property,'text') | endsWith(property,'text')
 *   list/any(x:x eq 'text')
 * A quote inside a text is doubled. */
#ifndef DIRECTORY_SIM_FILTER_H
#define DIRECTORY_SIM_FILTER_H

#include "tests/directory_sim/property.h"

enum {
    FILTER_TERMS = 15, /* "Too many child clauses", microsoft-graph-docs-contrib #1238 */
    FILTER_TEXT_BYTES = 512
};

enum filter_op { FILTER_EQ, FILTER_STARTS, FILTER_ENDS, FILTER_ANY };

struct filter_term {
    enum filter_op op;
    const struct property *property;
    char text[FILTER_TEXT_BYTES];
};

struct filter {
    int n;
    bool needs_advanced; /* some term works only as an advanced query */
    struct filter_term term[FILTER_TERMS];
};

/* False: not in the grammar above, or a property that cannot be asked that way. */
bool filter_parse(enum entry_kind kind, const char *text, struct filter *filter);
bool filter_matches(const struct filter *filter, const struct entry *entry);

#endif

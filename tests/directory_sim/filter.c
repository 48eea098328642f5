#include "tests/directory_sim/filter.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct cursor {
    const char *at;
};

static void skip_blanks(struct cursor *cursor)
{
    cursor->at += strspn(cursor->at, " ");
}

/* Function names and keywords of OData ignore case in Graph. */
static bool take(struct cursor *cursor, const char *word)
{
    skip_blanks(cursor);
    size_t n = strlen(word);
    if (strncasecmp(cursor->at, word, n) != 0)
        return false;
    cursor->at += n;
    return true;
}

static bool take_literal(struct cursor *cursor, char text[FILTER_TEXT_BYTES])
{
    if (!take(cursor, "'"))
        return false;
    size_t n = 0;
    for (;; cursor->at++) {
        if (!*cursor->at || n + 1 == FILTER_TEXT_BYTES)
            return false;
        if (*cursor->at == '\'' && *++cursor->at != '\'')
            break;
        text[n++] = *cursor->at;
    }
    text[n] = '\0';
    return true;
}

static bool take_property(struct cursor *cursor, enum entry_kind kind, struct filter_term *term)
{
    skip_blanks(cursor);
    size_t n = 0;
    while (isalnum((unsigned char)cursor->at[n]))
        n++;
    term->property = property_find(kind, cursor->at, n);
    cursor->at += n;
    return term->property != NULL;
}

/* list/any(x:x eq 'text'), the cursor behind "list". */
static bool take_any(struct cursor *cursor, struct filter_term *term)
{
    term->op = FILTER_ANY;
    if (!take(cursor, "/any(") || term->property->type != PROPERTY_LIST)
        return false;
    skip_blanks(cursor);
    size_t n = strspn(cursor->at, "abcdefghijklmnopqrstuvwxyz");
    const char *variable = cursor->at;
    cursor->at += n;
    if (!n || !take(cursor, ":"))
        return false;
    skip_blanks(cursor);
    if (strncmp(cursor->at, variable, n) != 0)
        return false;
    cursor->at += n;
    return take(cursor, "eq ") && take_literal(cursor, term->text) && take(cursor, ")");
}

static bool take_term(struct cursor *cursor, enum entry_kind kind, struct filter_term *term)
{
    bool starts = take(cursor, "startsWith(");
    if (starts || take(cursor, "endsWith(")) {
        term->op = starts ? FILTER_STARTS : FILTER_ENDS;
        return take_property(cursor, kind, term) && term->property->type == PROPERTY_TEXT &&
               take(cursor, ",") && take_literal(cursor, term->text) && take(cursor, ")");
    }
    if (!take_property(cursor, kind, term))
        return false;
    if (*cursor->at == '/')
        return take_any(cursor, term);
    term->op = FILTER_EQ;
    return term->property->type == PROPERTY_TEXT && take(cursor, "eq ") &&
           take_literal(cursor, term->text);
}

bool filter_parse(enum entry_kind kind, const char *text, struct filter *filter)
{
    struct cursor cursor = {text};
    filter->n = 0;
    filter->needs_advanced = false;
    do {
        if (filter->n == FILTER_TERMS)
            return false;
        struct filter_term *term = &filter->term[filter->n++];
        if (!take_term(&cursor, kind, term))
            return false;
        filter->needs_advanced |= term->op == FILTER_ENDS;
    } while (take(&cursor, "or "));
    skip_blanks(&cursor);
    return !*cursor.at;
}

/* The scheme as written, the address without case: whether Graph ignores the scheme's case is not
 * documented (directory-api 3), and a client that asks for one spelling only must not get away. */
static bool address_matches(const char *address, const char *text)
{
    size_t scheme = strcspn(address, ":");
    return strncmp(address, text, scheme) == 0 && strcasecmp(address, text) == 0;
}

static bool term_matches(const struct filter_term *term, const struct entry *entry)
{
    if (term->op == FILTER_ANY) {
        const struct text_list *list =
            (const struct text_list *)((const char *)entry + term->property->offset);
        for (size_t i = 0; i < list->n; i++) {
            if (address_matches(list->at[i], term->text))
                return true;
        }
        return false;
    }
    const char *value = property_text(term->property, entry);
    size_t n = strlen(term->text), value_n = value ? strlen(value) : 0;
    if (!value || value_n < n)
        return false;
    const char *part = term->op == FILTER_ENDS ? value + value_n - n : value;
    return strncasecmp(part, term->text, n) == 0 && (term->op != FILTER_EQ || value_n == n);
}

bool filter_matches(const struct filter *filter, const struct entry *entry)
{
    for (int i = 0; i < filter->n; i++) {
        if (term_matches(&filter->term[i], entry))
            return true;
    }
    return false;
}

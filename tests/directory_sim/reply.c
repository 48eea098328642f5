/* Bodies as Graph writes them: errors, single objects, collections with paging. */
#include "tests/directory_sim/filter.h"
#include "tests/directory_sim/graph.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DEFAULT = 100, PAGE_MAX = 999, MESSAGE_BYTES = 512 }; /* directory-api 2.1 */

/* The end of every error body: the date has no zone (directory-api 1.5). */
static void error_close(struct call *call)
{
    struct buffer *reply = &call->reply;
    json_key(reply, "innerError");
    buffer_text(reply, "{");
    json_key(reply, "date");
    json_time(reply, sim_clock(call->sim).wall_ms);
    reply->n -= 2; /* Z" */
    buffer_text(reply, "\"");
    json_pair(reply, "request-id", call->request_id);
    json_pair(reply, "client-request-id", call->client_request_id);
    buffer_text(reply, "}}}");
}

static void error_open(struct call *call, int status, const char *code, const char *message)
{
    buffer_clear(&call->reply);
    call->status = status;
    buffer_text(&call->reply, "{\"error\":{");
    json_pair(&call->reply, "code", code);
    json_pair(&call->reply, "message", message);
}

void reply_error(struct call *call, int status, const char *code, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    error_open(call, status, code, message);
    error_close(call);
}

void reply_not_found(struct call *call, const char *id)
{
    reply_error(call, 404, "Request_ResourceNotFound",
                "Resource '%s' does not exist or one of its queried reference-property objects are "
                "not present.",
                id);
}

/* Both shapes were observed for the same conflict (directory-api 1.5, [S20] and [S21]). */
void reply_clash(struct call *call, const char *property)
{
    bool newer = call->sim->options.clash_status == 409;
    struct buffer *reply = &call->reply;
    char message[MESSAGE_BYTES];
    snprintf(message, sizeof message,
             "Another object with the same value for property %s already exists.", property);
    error_open(call, newer ? 409 : 400,
               newer ? "Request_MultipleObjectsWithSameKeyValue" : "Request_BadRequest", message);
    json_key(reply, "details");
    buffer_text(reply, "[{");
    json_pair(reply, "code", "ObjectConflict");
    if (newer)
        json_pair(reply, "message", message);
    json_pair(reply, "target", newer ? "None" : property);
    if (newer)
        buffer_text(reply, ",\"blockedWord\":\"\",\"prefix\":\"\",\"suffix\":\"\"");
    buffer_text(reply, "}]");
    error_close(call);
}

void reply_context(struct call *call, const char *what, bool entity)
{
    struct buffer context = {0};
    const char *select = call_query(call, "$select");
    call_base(call, &context);
    buffer_format(&context, "/v1.0/$metadata#%s%s%s%s%s", what, select ? "(" : "",
                  select ? select : "", select ? ")" : "", entity ? "/$entity" : "");
    call->status = 200;
    buffer_text(&call->reply, "{");
    json_pair(&call->reply, "@odata.context", context.bytes);
    buffer_clear(&context);
}

/* One is known, of one user, and never beside an advanced query (directory-api 2.3). */
static bool expand_is_known(const struct call *call, const char *expand)
{
    return call->route->serve == user_get && strcmp(expand, "memberOf($select=id)") == 0 &&
           !call_header(call, "ConsistencyLevel");
}

bool reply_selection(struct call *call, enum entry_kind kind, property_mask *mask)
{
    const char *unknown;
    const char *expand = call_query(call, "$expand");
    if (expand && !expand_is_known(call, expand)) {
        reply_error(call, 400, "Request_UnsupportedQuery", "Unsupported expand: '%s'.", expand);
        return false;
    }
    if (property_select(kind, call_query(call, "$select"), mask, &unknown))
        return true;
    reply_error(call, 400, "BadRequest",
                "Parsing OData Select and Expand failed: Could not find a property named '%.*s' on "
                "type '%s'.",
                (int)strcspn(unknown, ", "), unknown, kind_type(kind) + 1);
    return false;
}

void reply_entry(struct call *call, const struct entry *entry, property_mask mask, bool as_object)
{
    reply_context(call, as_object ? "directoryObjects" : "users", true);
    if (as_object)
        json_pair(&call->reply, "@odata.type", kind_type(entry->kind));
    property_write(&call->reply, entry, mask);
    buffer_text(&call->reply, "}");
}

bool call_is_advanced(const struct call *call)
{
    const char *count = call_query(call, "$count");
    return text_same(call_header(call, "ConsistencyLevel"), "eventual") && text_same(count, "true");
}

/* One entry of a collection and where it stands in it. */
struct row {
    int64_t key; /* deletedDateTime when ordered by it (negated when descending), else 0 */
    const struct entry *entry;
};

struct collection {
    struct call *call;
    enum entry_kind kind;
    bool bin;
    bool filtered, ordered, descending, advanced;
    struct filter filter;
    property_mask mask;
    long top;
    struct row *rows;
    size_t n, room;
};

static int row_compare(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->entry->seq > b->entry->seq) - (a->entry->seq < b->entry->seq);
}

/* Keeps the entry if readers see it here and the filter fits. */
static void row_offer(struct collection *c, const struct entry *entry)
{
    int64_t mono_ms = c->call->sim->mono_ms;
    bool seen = c->bin ? entry_is_in_bin(entry, mono_ms) : entry_is_visible(entry, mono_ms);
    if (entry->kind != c->kind || !seen)
        return;
    struct entry view = c->bin ? entry_bin_view(entry) : *entry;
    if (c->filtered && !filter_matches(&c->filter, &view))
        return;
    if (c->n == c->room) {
        c->room = c->room ? c->room * 2 : 16;
        c->rows = realloc(c->rows, c->room * sizeof *c->rows);
        assert(c->rows);
    }
    int64_t key = c->ordered ? view.deleted_ms : 0;
    c->rows[c->n++] = (struct row){c->descending ? -key : key, entry};
}

/* The index that holds every match of the term, and the key to it; NULL: none does. */
static const struct index *term_index(const struct collection *c, const struct filter_term *term,
                                      char key[FILTER_TEXT_BYTES])
{
    const struct tenant *tenant = c->call->tenant;
    const struct {
        const char *property;
        enum filter_op op;
        const struct index *index;
    } indexed[] = {{"userPrincipalName", FILTER_EQ, &tenant->by_name},
                   {"mail", FILTER_EQ, &tenant->by_mail},
                   {"id", FILTER_EQ, &tenant->by_id},
                   {"appId", FILTER_EQ, &tenant->by_app_id},
                   {"proxyAddresses", FILTER_ANY, &tenant->by_address}};
    bool name = strcmp(term->property->name, "userPrincipalName") == 0;
    if (c->bin && name && term->op == FILTER_ENDS)
        return entry_tail(term->text, key, FILTER_TEXT_BYTES) ? &tenant->by_tail : NULL;
    snprintf(key, FILTER_TEXT_BYTES, "%s", term->text);
    for (size_t i = 0; i < sizeof indexed / sizeof *indexed; i++) {
        if (term->op == indexed[i].op && strcmp(term->property->name, indexed[i].property) == 0)
            return indexed[i].index;
    }
    return NULL;
}

static bool rows_from_indexes(struct collection *c)
{
    for (int i = 0; c->filtered && i < c->filter.n; i++) {
        char key[FILTER_TEXT_BYTES];
        const struct index *index = term_index(c, &c->filter.term[i], key);
        if (!index) {
            c->n = 0;
            return false;
        }
        for (struct index_node *node = index_first(index, key); node; node = index_next(node))
            row_offer(c, node->value);
    }
    return c->filtered;
}

static void rows_collect(struct collection *c)
{
    const struct tenant *tenant = c->call->tenant;
    bool sorted = false;
    if (!rows_from_indexes(c)) {
        for (size_t i = 0; i < tenant->n_entries; i++)
            row_offer(c, tenant->entries[i]);
        sorted = !c->ordered;
    }
    if (!sorted && c->n)
        qsort(c->rows, c->n, sizeof *c->rows, row_compare);
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++) { /* several terms may have found the same entry */
        if (!kept || c->rows[kept - 1].entry != c->rows[i].entry)
            c->rows[kept++] = c->rows[i];
    }
    c->n = kept;
}

/* Reads the query options; false: answered with what is wrong with them. */
static bool collection_read(struct collection *c)
{
    struct call *call = c->call;
    const char *filter = call_query(call, "$filter");
    const char *order = call_query(call, "$orderby");
    const char *top = call_query(call, "$top");
    c->advanced = call_is_advanced(call);
    c->filtered = filter != NULL;
    c->ordered = order != NULL;
    c->descending = text_same(order, "deletedDateTime desc");
    char *end = NULL;
    c->top = top ? strtol(top, &end, 10) : PAGE_DEFAULT;
    if (c->top < 1 || c->top > PAGE_MAX || (end && *end)) {
        reply_error(call, 400, "Request_UnsupportedQuery", "Invalid page size specified: '%s'.",
                    top);
        return false;
    }
    if (c->filtered && !filter_parse(c->kind, filter, &c->filter)) {
        reply_error(call, 400, "Request_UnsupportedQuery", "Unsupported or invalid query filter.");
        return false;
    }
    for (int i = 0; c->bin && c->filtered && i < c->filter.n; i++) {
        if (c->filter.term[i].op == FILTER_ANY) { /* not in the bin, directory-api 2.3 */
            reply_error(call, 400, "Request_UnsupportedQuery", "Unsupported Query.");
            return false;
        }
    }
    bool order_known = c->descending || text_same(order, "deletedDateTime") ||
                       text_same(order, "deletedDateTime asc");
    bool needs = (c->filtered && c->filter.needs_advanced) || c->ordered;
    if ((c->ordered && !order_known) || (needs && !c->advanced)) {
        reply_error(call, 400, "Request_UnsupportedQuery",
                    "The specified filter or sort order is not supported, or parameters might be "
                    "missing: add $count=true and the header ConsistencyLevel: eventual.");
        return false;
    }
    return reply_selection(call, c->kind, &c->mask);
}

/* The page's first row: behind the row that the token names, wherever that one is by now. */
static bool rows_skip(const struct collection *c, size_t *first)
{
    const char *token = call_query(c->call, "$skiptoken");
    long long key;
    unsigned long long seq;
    int taken = 0;
    *first = 0;
    if (!token)
        return true;
    if (sscanf(token, "%lld.%llu%n", &key, &seq, &taken) != 2 || token[taken]) {
        reply_error(c->call, 400, "Directory_ExpiredPageToken",
                    "The specified page token value has expired.");
        return false;
    }
    while (*first < c->n && (c->rows[*first].key < key ||
                             (c->rows[*first].key == key && c->rows[*first].entry->seq <= seq)))
        ++*first;
    return true;
}

/* The same target with another $skiptoken, as an absolute URL. */
static void next_link_write(struct call *call, const struct row *last)
{
    struct buffer link = {0};
    const char *query = strchr(call->target, '?');
    call_base(call, &link);
    buffer_add(&link, call->target, query ? (size_t)(query - call->target) : strlen(call->target));
    buffer_text(&link, "?");
    for (const char *part = query ? query + 1 : ""; *part;) {
        size_t n = strcspn(part, "&");
        if (strncmp(part, "$skiptoken=", 11) != 0 && strncmp(part, "%24skiptoken=", 13) != 0) {
            buffer_add(&link, part, n);
            buffer_text(&link, "&");
        }
        part += n + (part[n] == '&');
    }
    buffer_format(&link, "$skiptoken=%lld.%zu", (long long)last->key, last->entry->seq);
    json_pair(&call->reply, "@odata.nextLink", link.bytes);
    buffer_clear(&link);
}

void reply_collection(struct call *call, enum entry_kind kind, bool bin)
{
    static const char *const sets[] = {[KIND_USER] = "users",
                                       [KIND_GROUP] = "groups",
                                       [KIND_CONTACT] = "contacts",
                                       [KIND_SERVICE_PRINCIPAL] = "servicePrincipals"};
    struct collection c = {.call = call, .kind = kind, .bin = bin};
    size_t first;
    if (!collection_read(&c))
        return;
    rows_collect(&c);
    if (rows_skip(&c, &first)) {
        size_t end = first + (size_t)c.top < c.n ? first + (size_t)c.top : c.n;
        reply_context(call, sets[kind], false);
        if (c.advanced)
            json_number_pair(&call->reply, "@odata.count", (int64_t)c.n);
        if (end < c.n)
            next_link_write(call, &c.rows[end - 1]);
        json_key(&call->reply, "value");
        buffer_text(&call->reply, "[");
        for (size_t i = first; i < end; i++) {
            struct entry view = bin ? entry_bin_view(c.rows[i].entry) : *c.rows[i].entry;
            json_comma(&call->reply);
            buffer_text(&call->reply, "{");
            property_write(&call->reply, &view, c.mask);
            buffer_text(&call->reply, "}");
        }
        buffer_text(&call->reply, "]}");
    }
    free(c.rows);
}

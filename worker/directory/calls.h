/* What an operation is over HTTP: method, URL, headers, body; one row of one table each. Pure. */
#ifndef WORKER_DIRECTORY_CALLS_H
#define WORKER_DIRECTORY_CALLS_H

#include "policy/directory.h"

/* An operation is one kind of call, but for REQUESTER, whose roles are a second one. */
enum call_kind { CALL_REQUESTER_ROLES = DIRECTORY_OPERATION_COUNT, CALL_KINDS };

enum {
    CALL_URL_BYTES = 4096, /* the directory's own next links too: what is longer is not followed */
    CALL_BODY_BYTES = 2048,
    CALL_PAGES_MAX = 50,
};

/* "GET", "POST", "PATCH", "DELETE" */
const char *call_method(int kind);
bool call_changes(int kind);
/* An advanced query (directory-api.md 2.3): it goes with ConsistencyLevel: eventual. */
bool call_is_advanced(int kind);

/* What it takes from the tenant's budget (budget.h); each page of a list costs as much again. */
struct call_cost {
    int units, writes;
};
struct call_cost call_cost(int kind, const struct directory_question *question);

/* False: longer than ret_url. `graph_url` is without a trailing slash. */
bool call_write_url(int kind, const char *graph_url, const struct directory_question *question,
                    char ret_url[CALL_URL_BYTES]);

/* The JSON body, its length, 0 when the kind has none, or when it does not fit. The password is in
 * it in clear: whoever owns the buffer clears it. */
size_t call_write_body(int kind, const struct directory_question *question, const char *password,
                       char ret_body[CALL_BODY_BYTES]);

/* application/x-www-form-urlencoded, and what a URL's path or query needs: everything but letters,
 * digits and "-._~" becomes %XX (RFC 3986 2.3). False: it does not fit, ret_text is cut. */
bool percent_encode(const char *text, char *ret_text, size_t bytes);

#endif

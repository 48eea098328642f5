/* Retry-After (RFC 9110 10.2.3), as servers really write it. Pure. */
#ifndef WORKER_DIRECTORY_RETRY_AFTER_H
#define WORKER_DIRECTORY_RETRY_AFTER_H

#include "policy/instant.h"

#include <stdbool.h>

#define RETRY_AFTER_MAX_MS DAY_MS /* a longer wait ends every job anyway */

/* Milliseconds to wait from now on: whole or broken seconds, rounded up, or an HTTP date, of which
 * `now_ms` (directory time) is taken. 0 for "", for what cannot be read, and for the past. */
int64_t retry_after_parse(const char *value, int64_t now_ms);

/* The moment of an HTTP date (any of the three forms of RFC 9110 5.6.7), -1 when it is none. */
int64_t http_date_parse(const char *value);

#endif

/* Moments as text: RFC 3339 in with any offset, RFC 3339 out in UTC (contract, head). */
#ifndef POLICY_TIME_TEXT_H
#define POLICY_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define TIME_LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

enum { TIME_CHARS = 24 }; /* 2026-11-22T12:00:00.000Z */

/* What RFC 3339 5.6 allows, between the years 0000 and 9999 of UTC: a day that its month does not
 * have and the leap second :60 are refused, digits beyond the millisecond are dropped. Milliseconds
 * since 1970, negative before; written only when true. */
bool time_parse(const char *text, int64_t *ret_ms);

/* `ms` lies within the years that time_parse gives. */
void time_format(int64_t ms, char ret_text[TIME_CHARS + 1]);

#endif

#include "worker/directory/retry_after.h"

#include <curl/curl.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "120", "1.5": milliseconds, -1 when it is not a number alone. Stops counting at the maximum. */
static int64_t parse_seconds(const char *at)
{
    int64_t ms = 0;
    if (!is_digit(*at))
        return -1;
    for (; is_digit(*at); at++)
        ms = ms < RETRY_AFTER_MAX_MS ? ms * 10 + (*at - '0') * SECOND_MS : RETRY_AFTER_MAX_MS;
    if (*at == '.') {
        int64_t unit = SECOND_MS / 10;
        bool more = false; /* a rest below the millisecond */
        for (at++; is_digit(*at); at++, unit /= 10) {
            ms += (*at - '0') * unit;
            more = more || (unit == 0 && *at != '0');
        }
        ms += more;
    }
    while (*at == ' ' || *at == '\t')
        at++;
    return *at == '\0' ? ms : -1;
}

int64_t http_date_parse(const char *value)
{
    time_t at = curl_getdate(value, NULL);
    return at < 0 ? -1 : (int64_t)at * SECOND_MS;
}

int64_t retry_after_parse(const char *value, int64_t now_ms)
{
    while (*value == ' ' || *value == '\t')
        value++;
    int64_t wait_ms = parse_seconds(value);
    /* curl_getdate reads much else as a date; every HTTP date begins with the weekday. */
    if (wait_ms < 0 && ((*value >= 'A' && *value <= 'Z') || (*value >= 'a' && *value <= 'z'))) {
        int64_t at_ms = http_date_parse(value);
        wait_ms = at_ms < 0 ? 0 : at_ms - now_ms;
    }
    if (wait_ms < 0)
        return 0;
    return wait_ms < RETRY_AFTER_MAX_MS ? wait_ms : RETRY_AFTER_MAX_MS;
}

#include "policy/time_text.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */

enum { ERA_DAYS = 146097, ERA_YEARS = 400, DAYS_TO_1970 = 719468 }; /* from 0000-03-01 */

/* A year counted from March puts the leap day last, so that the days before month m (March = 0)
 * follow one formula: 31,30,31,30,31 repeats every five months, 153 days. */
static int64_t days_since_1970(int year, int month, int day)
{
    int march_year = month <= 2 ? year - 1 : year;
    int era = (march_year >= 0 ? march_year : march_year - (ERA_YEARS - 1)) / ERA_YEARS;
    int year_of_era = march_year - era * ERA_YEARS;
    int march_month = (month + 9) % 12;
    int day_of_year = (153 * march_month + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

static bool year_is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && year_is_leap(year) ? 29 : DAYS[month - 1];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads exactly n digits between low and high, and moves on; false leaves *at anywhere. */
static bool read_number(const char **at, int n, int low, int high, int *ret_number)
{
    int number = 0;
    for (int i = 0; i < n; i++, (*at)++) {
        if (!is_digit(**at))
            return false;
        number = number * 10 + (**at - '0');
    }
    *ret_number = number;
    return number >= low && number <= high;
}

static bool read_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool read_fraction(const char **at, int *ret_ms)
{
    int ms = 0;
    int weight = 100;
    if (read_char(at, '.')) {
        if (!is_digit(**at))
            return false;
        for (; is_digit(**at); (*at)++, weight /= 10)
            ms += (**at - '0') * weight;
    }
    *ret_ms = ms;
    return true;
}

static bool read_offset(const char **at, int *ret_minutes)
{
    int sign = **at == '-' ? -1 : 1;
    int hours, minutes;
    if (read_char(at, 'Z') || read_char(at, 'z')) {
        *ret_minutes = 0;
        return true;
    }
    if (!(read_char(at, '+') || read_char(at, '-')))
        return false;
    if (!read_number(at, 2, 0, 23, &hours) || !read_char(at, ':') ||
        !read_number(at, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool time_parse(const char *text, int64_t *ret_ms)
{
    const char *at = text;
    int year, month, day, hour, minute, second, ms, offset_minutes;
    if (!read_number(&at, 4, 0, 9999, &year) || !read_char(&at, '-') ||
        !read_number(&at, 2, 1, 12, &month) || !read_char(&at, '-') ||
        !read_number(&at, 2, 1, month_days(year, month), &day))
        return false;
    if (!(read_char(&at, 'T') || read_char(&at, 't')))
        return false;
    if (!read_number(&at, 2, 0, 23, &hour) || !read_char(&at, ':') ||
        !read_number(&at, 2, 0, 59, &minute) || !read_char(&at, ':') ||
        !read_number(&at, 2, 0, 59, &second))
        return false;
    if (!read_fraction(&at, &ms) || !read_offset(&at, &offset_minutes) || *at != '\0')
        return false;

    int64_t minutes = days_since_1970(year, month, day) * 1440 + hour * 60 + minute;
    int64_t result_ms = ((minutes - offset_minutes) * 60 + second) * 1000 + ms;
    if (result_ms < FIRST_MS || result_ms > TIME_LAST_MS)
        return false;
    *ret_ms = result_ms;
    return true;
}

static void put_number(char *to, int n, int64_t number)
{
    for (int i = n - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
}

void time_format(int64_t ms, char ret_text[TIME_CHARS + 1])
{
    enum { DAY = 24 * 60 * 60 * 1000 };
    assert(ms >= FIRST_MS && ms <= TIME_LAST_MS);
    int64_t since_first_ms = ms - FIRST_MS; /* never negative: plain division is right */
    int64_t of_day_ms = since_first_ms % DAY;

    /* Back from days to year and month, by the same March years. 0000-01-01 is 60 days before
     * 0000-03-01; one era is added so that nothing below is negative. */
    int64_t march_days = since_first_ms / DAY - 60 + ERA_DAYS;
    int64_t day_of_era = march_days % ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    int64_t year = (march_days / ERA_DAYS - 1) * ERA_YEARS + year_of_era + (month <= 2 ? 1 : 0);

    memcpy(ret_text, "0000-00-00T00:00:00.000Z", TIME_CHARS + 1);
    put_number(ret_text, 4, year);
    put_number(ret_text + 5, 2, month);
    put_number(ret_text + 8, 2, day_of_year - (153 * march_month + 2) / 5 + 1);
    put_number(ret_text + 11, 2, of_day_ms / (60 * 60 * 1000));
    put_number(ret_text + 14, 2, of_day_ms / (60 * 1000) % 60);
    put_number(ret_text + 17, 2, of_day_ms / 1000 % 60);
    put_number(ret_text + 20, 3, of_day_ms % 1000);
}

/* Who can be restored, as the worker listed it: nearest deadline first. */
#include "worker/restorectl/printer.h"

#include "policy/instant.h"
#include "policy/time_text.h"
#include "policy/utf8.h"
#include "worker/restorectl/csv.h"

#include <inttypes.h>
#include <string.h>

enum { LEFT_TEXT_BYTES = 32, DATE_CHARS = 10 };

static bool read_left(const json_t *user, int64_t wall_ms, int64_t *ret_left_ms)
{
    int64_t until_ms;
    if (!time_parse(text_of(user, "restorableUntil"), &until_ms))
        return false;
    *ret_left_ms = until_ms > wall_ms ? until_ms - wall_ms : 0;
    return true;
}

/* Whole ones; the last two days in hours. */
static void write_left(const json_t *user, int64_t wall_ms, char ret_text[LEFT_TEXT_BYTES])
{
    int64_t left_ms;
    bool is_near, known = read_left(user, wall_ms, &left_ms);
    ret_text[0] = '\0';
    if (!known)
        return;
    is_near = left_ms < 2 * DAY_MS;
    snprintf(ret_text, LEFT_TEXT_BYTES, "%" PRId64 " %s", left_ms / (is_near ? HOUR_MS : DAY_MS),
             is_near ? "hours" : "days");
}

static int width_of(const json_t *users, const char *name, int at_least)
{
    int width = at_least;
    size_t i;
    json_t *user;
    json_array_foreach(users, i, user)
    {
        const char *text = text_of(user, name);
        int chars = (int)utf8_count(text, strlen(text));
        width = chars > width ? chars : width;
    }
    return width;
}

/* printf's widths count bytes, not characters. */
static void put_padded(FILE *out, const char *text, int width)
{
    print_clean(out, text);
    fprintf(out, "%*s", width - (int)utf8_count(text, strlen(text)) + 2, "");
}

void list_print_text(const struct event *event, int64_t wall_ms, FILE *out)
{
    const json_t *users = json_object_get(event->data, "users");
    size_t n = json_array_size(users), i;
    json_t *user;
    int name_width = width_of(users, "userPrincipalName", (int)strlen("NAME"));
    int display_width = width_of(users, "displayName", (int)strlen("DISPLAY NAME"));
    if (n == 0) {
        fputs("nobody\n", out);
        return;
    }
    fprintf(out, "%-36s  %-*s  %-*s  %-10s  %-9s  SYNCED\n", "ID", name_width, "NAME",
            display_width, "DISPLAY NAME", "DELETED", "LEFT");
    json_array_foreach(users, i, user)
    {
        char left[LEFT_TEXT_BYTES], date[DATE_CHARS + 1];
        snprintf(date, sizeof date, "%.10s", text_of(user, "deletedAt"));
        write_left(user, wall_ms, left);
        put_padded(out, text_of(user, "id"), GUID_CHARS);
        put_padded(out, text_of(user, "userPrincipalName"), name_width);
        put_padded(out, text_of(user, "displayName"), display_width);
        put_padded(out, date, DATE_CHARS);
        put_padded(out, left, (int)strlen("DAYS LEFT"));
        fprintf(out, "%s\n", json_is_true(json_object_get(user, "synced")) ? "yes" : "no");
    }
    if (json_is_true(json_object_get(event->data, "truncated")))
        fprintf(out,
                "only the %zu nearest deadlines are shown, there are more: narrow it with "
                "--match or --closing-within\n",
                n);
}

void list_print_csv(const struct event *event, int64_t wall_ms, FILE *out)
{
    static const char *const columns[] = {"id", "userPrincipalName", "displayName", "deletedAt",
                                          "restorableUntil"};
    size_t i;
    json_t *user;
    fputs("id,userPrincipalName,displayName,deletedAt,restorableUntil,daysLeft,synced\n", out);
    json_array_foreach(json_object_get(event->data, "users"), i, user)
    {
        int64_t left_ms;
        for (size_t k = 0; k < sizeof columns / sizeof columns[0]; k++) {
            csv_put(out, text_of(user, columns[k]));
            fputc(',', out);
        }
        if (read_left(user, wall_ms, &left_ms))
            fprintf(out, "%" PRId64, left_ms / DAY_MS);
        fprintf(out, ",%s\n", json_is_true(json_object_get(user, "synced")) ? "yes" : "no");
    }
    /* On the other stream: whoever counts the rows must not take them for all. */
    if (json_is_true(json_object_get(event->data, "truncated")))
        fputs("restorectl: the list is cut off; narrow it with --match or --closing-within\n",
              stderr);
}

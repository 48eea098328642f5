#include "worker/restorectl/printer.h"

#include "worker/restorectl/csv.h"

#include <string.h>

/* The failure's code, what a success was, or the property that clashes. */
static const char *code_of(const json_t *data)
{
    const char *code = text_of(data, "code");
    if (*code == '\0')
        code = text_of(data, "disposition");
    return *code != '\0'
               ? code
               : text_of(json_array_get(json_object_get(data, "conflicts"), 0), "property");
}

/* --resume reads the first two columns (bulk.c). */
static void put_row(struct printer *printer, const struct event *event, const char *user)
{
    const json_t *data = event->data;
    const json_t *found = json_object_get(data, "user");
    const char *name = text_of(found, "userPrincipalName"), *id = text_of(found, "id");
    if (!printer->has_header)
        fputs("user,outcome,code,id,userPrincipalName,requestId,finishedAt,restorableUntil,"
              "planHash\n",
              printer->out);
    printer->has_header = true;
    const char *const fields[] = {
        user != NULL    ? user
        : *name != '\0' ? name
                        : id,
        event->kind == EVENT_PLANNED ? text_of(data, "would") : event_kind_word(event->kind),
        code_of(data),
        id,
        name,
        event->request_id,
        text_of(data, "finishedAt"),
        text_of(data, "restorableUntil"),
        text_of(data, "planHash"),
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (i > 0)
            fputc(',', printer->out);
        csv_put(printer->out, fields[i]);
    }
    fputc('\n', printer->out);
}

void printer_put(struct printer *printer, const struct event *event, const char *user)
{
    bool is_list = event->kind == EVENT_LISTED;
    switch (printer->output) {
    case OUTPUT_JSON:
        json_dumpf(event->whole, printer->out, JSON_COMPACT);
        fputc('\n', printer->out);
        break;
    case OUTPUT_CSV:
        if (is_list)
            list_print_csv(event, printer->wall_ms, printer->out);
        else if (event->kind != EVENT_BATCH_COMPLETED)
            put_row(printer, event, user);
        break;
    case OUTPUT_TEXT:
        if (is_list)
            list_print_text(event, printer->wall_ms, printer->out);
        else
            event_print_text(event, printer->out);
        break;
    }
    fflush(printer->out); /* whole lines: what is killed leaves a file that --resume can read */
}

void print_clean(FILE *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_c1 = c == 0xc2 && (unsigned char)text[1] < 0xa0;
        fputc(c < 0x20 || c == 0x7f || is_c1 ? '?' : c, out);
        text += is_c1;
    }
}

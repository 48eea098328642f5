#include "worker/restorectl/csv.h"

#include <string.h>

void csv_begin(struct csv *csv, char *bytes, size_t n_bytes)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool has_mark = n_bytes >= 3 && memcmp(bytes, mark, 3) == 0;
    *csv = (struct csv){.at = bytes + (has_mark ? 3 : 0), .end = bytes + n_bytes, .line = 1};
}

static enum csv_result wrong(const struct csv *csv, const char *line_begin, const char *what,
                             struct csv_row *row)
{
    row->wrong_line = csv->line;
    row->wrong_column = (int)(csv->at - line_begin) + 1;
    row->wrong = what;
    return CSV_WRONG;
}

/* CR LF or LF; 0: the line goes on. */
static int line_end_bytes(const struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\n')
        return 1;
    return csv->end - csv->at >= 2 && csv->at[0] == '\r' && csv->at[1] == '\n' ? 2 : 0;
}

/* What stands between quotes moves down over the quotes that are gone. */
static enum csv_result read_quoted(struct csv *csv, const char **line_begin, struct csv_row *row)
{
    char *to = csv->at++;
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"' && csv->at + 1 < csv->end && csv->at[1] == '"')
            csv->at++;
        else if (*csv->at == '"')
            break;
        if (*csv->at == '\0')
            return wrong(csv, *line_begin, "a zero byte", row);
        if (*csv->at == '\n') {
            csv->line++;
            *line_begin = csv->at + 1;
        }
        *to++ = *csv->at;
    }
    if (csv->at == csv->end)
        return wrong(csv, *line_begin, "a quote is not closed", row);
    *to = '\0';
    csv->at++;
    return CSV_ROW;
}

static enum csv_result read_bare(struct csv *csv, const char *line_begin, struct csv_row *row)
{
    for (; csv->at < csv->end && *csv->at != ',' && line_end_bytes(csv) == 0; csv->at++)
        if (*csv->at == '"' || *csv->at == '\0' || *csv->at == '\r')
            return wrong(csv, line_begin,
                         *csv->at == '"' ? "a quote inside a field that does not begin with one"
                                         : "a control character outside quotes",
                         row);
    return CSV_ROW;
}

enum csv_result csv_next(struct csv *csv, struct csv_row *ret_row)
{
    for (int bytes; (bytes = line_end_bytes(csv)) > 0; csv->line++)
        csv->at += bytes;
    *ret_row = (struct csv_row){.line = csv->line};
    const char *line_begin = csv->at;
    if (csv->at == csv->end)
        return CSV_END;
    for (;;) {
        if (ret_row->n == CSV_FIELDS_MAX)
            return wrong(csv, line_begin, "more than 64 fields", ret_row);
        ret_row->fields[ret_row->n++] = csv->at;
        enum csv_result result = csv->at < csv->end && *csv->at == '"'
                                     ? read_quoted(csv, &line_begin, ret_row)
                                     : read_bare(csv, line_begin, ret_row);
        if (result == CSV_WRONG)
            return result;
        int bytes = line_end_bytes(csv);
        bool more = csv->at < csv->end && *csv->at == ',';
        if (!more && bytes == 0 && csv->at < csv->end)
            return wrong(csv, line_begin, "something behind a closing quote", ret_row);
        *csv->at = '\0'; /* the comma, the line's end, or the zero behind the last byte */
        csv->at += more ? 1 : bytes;
        csv->line += bytes > 0;
        if (!more)
            return CSV_ROW;
    }
}

void csv_put(FILE *out, const char *field)
{
    if (strpbrk(field, ",\"\r\n") == NULL) {
        fputs(field, out);
        return;
    }
    fputc('"', out);
    for (; *field != '\0'; field++) {
        if (*field == '"')
            fputc('"', out);
        fputc(*field, out);
    }
    fputc('"', out);
}

#include "worker/log.h"

#include "policy/text.h"
#include "policy/time_text.h"
#include "policy/utf8.h"
#include "worker/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_END_BYTES = 2 }; /* "}" and newline: kept free while fields are added */

/* As stderr itself, there is one per process. */
static _Atomic int log_level = LOG_INFO;
static enum log_format log_form = LOG_FORMAT_JSON;
static bool log_to_journal;

struct line {
    size_t used;
    bool full; /* what was begun last did not fit */
    char *bytes;
};

static void add_bytes(struct line *line, const char *bytes, size_t n)
{
    if (line->full || n > LOG_LINE_BYTES - LINE_END_BYTES - line->used) {
        line->full = true;
        return;
    }
    memcpy(line->bytes + line->used, bytes, n);
    line->used += n;
}

static void add(struct line *line, const char *text)
{
    add_bytes(line, text, strlen(text));
}

/* One character that may not stand as it is, as JSON writes it; the other formats use the same. */
static void add_escaped(struct line *line, unsigned char c)
{
    char escape[8];
    switch (c) {
    case '"': add(line, "\\\""); break;
    case '\\': add(line, "\\\\"); break;
    case '\n': add(line, "\\n"); break;
    case '\r': add(line, "\\r"); break;
    case '\t': add(line, "\\t"); break;
    default: snprintf(escape, sizeof escape, "\\u%04x", c); add(line, escape);
    }
}

static void add_quoted(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t taken = 0;
    add(line, "\"");
    while (*at != '\0') {
        size_t length = utf8_sequence(at, UTF8_BYTES_PER_CHAR);
        if (taken + (length > 0 ? length : 1) > LOG_VALUE_BYTES) {
            add(line, "...");
            break;
        }
        if (length == 0)
            add(line, "\\ufffd");
        else if (length == 1 && (*at < 0x20 || *at == 0x7f || *at == '"' || *at == '\\'))
            add_escaped(line, *at);
        else if (length == 2 && at[0] == 0xc2 && at[1] < 0xa0) /* C1: a terminal obeys them */
            add_escaped(line, at[1]);
        else
            add_bytes(line, (const char *)at, length);
        at += length > 0 ? length : 1;
        taken += length > 0 ? length : 1;
    }
    add(line, "\"");
}

/* logfmt and text leave out the quotes where nothing could be mistaken. */
static bool is_bare(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > LOG_VALUE_BYTES)
        return false;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f || *at == '"' || *at == '=' || *at == '\\')
            return false;
    return true;
}

static void add_text(struct line *line, enum log_format format, const char *text)
{
    if (format != LOG_FORMAT_JSON && is_bare(text))
        add(line, text);
    else
        add_quoted(line, text);
}

static void add_field(struct line *line, enum log_format format, const struct log_field *field)
{
    char number[24];
    if (field->type == LOG_IS_TEXT && field->text == NULL)
        return;
    size_t used_before = line->used;
    if (format == LOG_FORMAT_JSON) {
        add(line, line->used > 1 ? ",\"" : "\"");
        add(line, field->key);
        add(line, "\":");
    } else {
        add(line, line->used > 0 ? " " : "");
        add(line, field->key);
        add(line, "=");
    }
    if (field->type == LOG_IS_TEXT) {
        add_text(line, format, field->text);
    } else {
        snprintf(number, sizeof number, "%" PRId64, field->number);
        add(line, number);
    }
    /* A field stands as a whole or not at all: half of one would be no JSON. */
    if (line->full)
        line->used = used_before;
    line->full = false;
}

static const char *level_word(int level)
{
    if (level <= LOG_ERR)
        return "error";
    if (level == LOG_WARNING)
        return "warn";
    return level <= LOG_INFO ? "info" : "debug";
}

size_t log_format_line(enum log_format format, int64_t wall_ms, int level,
                       const struct log_field *fields, char ret_line[LOG_LINE_BYTES])
{
    assert(format != LOG_FORMAT_AUTO);
    struct line line = {.bytes = ret_line};
    char time[TIME_CHARS + 1];
    time_format(wall_ms, time);
    if (format == LOG_FORMAT_TEXT) {
        add(&line, time);
        add(&line, " ");
        add(&line, level_word(level));
        add(&line, " ");
        add_text(&line, format, fields[0].text);
        fields++;
    } else {
        add(&line, format == LOG_FORMAT_JSON ? "{" : "");
        add_field(&line, format, &(struct log_field)LOG_TEXT("time", time));
        add_field(&line, format, &(struct log_field)LOG_TEXT("level", level_word(level)));
    }
    for (; fields->key != NULL; fields++)
        add_field(&line, format, fields);
    if (format == LOG_FORMAT_JSON)
        line.bytes[line.used++] = '}';
    line.bytes[line.used++] = '\n';
    return line.used;
}

/* systemd says in JOURNAL_STREAM which stream is the journal's: device and inode. Comparing them
 * tells whether stderr still is that one (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char ours[64];
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, ours) == 0;
}

void log_open(int level, enum log_format format)
{
    log_set_level(level);
    log_to_journal = stderr_is_journal();
    if (format == LOG_FORMAT_AUTO)
        format = isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    log_form = format;
}

void log_set_level(int level)
{
    atomic_store(&log_level, level);
}

bool log_wants(int level)
{
    return level <= atomic_load(&log_level);
}

void log_write(int level, const struct log_field *fields)
{
    enum { PREFIX_BYTES = 3 };
    char bytes[PREFIX_BYTES + LOG_LINE_BYTES];
    if (!log_wants(level))
        return;
    size_t used =
        log_format_line(log_form, clock_read_wall_ms(), level, fields, bytes + PREFIX_BYTES);
    bytes[0] = '<';
    bytes[1] = (char)('0' + (level & 7));
    bytes[2] = '>';
    size_t skip = log_to_journal ? 0 : PREFIX_BYTES;
    /* A log that cannot be written has nowhere to say so. */
    if (write(STDERR_FILENO, bytes + skip, PREFIX_BYTES - skip + used) < 0)
        return;
}

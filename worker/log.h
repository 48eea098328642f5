/* The log: one line per event on stderr, by one write(2). No format strings: an event is a message
 * and typed fields. What may not be logged (names, addresses, secrets) is the caller's duty.
 *
 *     log_event(LOG_INFO, "restored", LOG_TEXT("request_id", id), LOG_NUMBER("ms", ms));
 *
 * Any thread. Its settings are the process's, as stderr is: set by log_open before other threads
 * start; only the level may change later. */
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h> /* LOG_ERR LOG_WARNING LOG_INFO LOG_DEBUG: as librdkafka counts, too */

enum {
    LOG_LINE_BYTES = 4096, /* PIPE_BUF: lines of several processes on one pipe never mix */
    LOG_VALUE_BYTES = 512, /* longer values are cut */
};

enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_LOGFMT, LOG_FORMAT_TEXT };

/* A text of NULL leaves its field out: absent, never null. */
struct log_field {
    const char *key; /* NULL ends the list */
    enum { LOG_IS_TEXT, LOG_IS_INT } type;
    const char *text;
    int64_t number;
};
enum { LOG_FIELDS_MAX = 16 }; /* the message among them */

#define LOG_TEXT(name, value)                                                                      \
    {                                                                                              \
        .key = name, .type = LOG_IS_TEXT, .text = value                                            \
    }
#define LOG_INT(name, value)                                                                       \
    {                                                                                              \
        .key = name, .type = LOG_IS_INT, .number = value                                           \
    }

/* The message is the first field, so that an event without others is no special case; what is left
 * of the array is zero, so its end is marked. */
#define log_event(level, message, ...)                                                             \
    log_write(level,                                                                               \
              (const struct log_field[LOG_FIELDS_MAX + 1]){LOG_TEXT("msg", message), __VA_ARGS__})

/* LOG_FORMAT_AUTO: text on a terminal, else JSON; where stderr is the journal's stream, each line
 * is led by its level as <n> (sd-daemon(3)). */
void log_open(int level, enum log_format format);
void log_set_level(int level);
bool log_wants(int level);
void log_write(int level, const struct log_field *fields);

/* The line that log_write writes, without its journal prefix; how many bytes. `format` is not AUTO.
 */
size_t log_format_line(enum log_format format, int64_t wall_ms, int level,
                       const struct log_field *fields, char ret_line[LOG_LINE_BYTES]);

#endif

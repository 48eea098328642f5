/* The log's lines, byte for byte, and what of a hostile value reaches them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT INT64_C(1795348800123) /* 2026-11-22T12:00:00.123Z */
#define FIELDS(...)                                                                                \
    (const struct log_field[LOG_FIELDS_MAX + 1])                                                   \
    {                                                                                              \
        LOG_TEXT("msg", "restored"), __VA_ARGS__                                                   \
    }

static const char *formatted(enum log_format format, const struct log_field *fields)
{
    static char line[LOG_LINE_BYTES + 1];
    size_t used = log_format_line(format, AT, LOG_INFO, fields, line);
    assert_true(used > 0 && used <= LOG_LINE_BYTES);
    assert_int_equal(line[used - 1], '\n');
    assert_ptr_equal(memchr(line, '\n', used), line + used - 1); /* one line is one line */
    line[used - 1] = '\0';
    return line;
}

static void one_event_in_three_formats(void **state)
{
    (void)state;
    const struct log_field *fields =
        FIELDS(LOG_TEXT("request_id", "INC 1"), LOG_INT("ms", -7), LOG_TEXT("code", "ok"));
    assert_string_equal(formatted(LOG_FORMAT_JSON, fields),
                        "{\"time\":\"2026-11-22T12:00:00.123Z\",\"level\":\"info\","
                        "\"msg\":\"restored\",\"request_id\":\"INC 1\",\"ms\":-7,\"code\":\"ok\"}");
    assert_string_equal(formatted(LOG_FORMAT_LOGFMT, fields),
                        "time=2026-11-22T12:00:00.123Z level=info msg=restored "
                        "request_id=\"INC 1\" ms=-7 code=ok");
    assert_string_equal(
        formatted(LOG_FORMAT_TEXT, fields),
        "2026-11-22T12:00:00.123Z info restored request_id=\"INC 1\" ms=-7 code=ok");
}

static void an_absent_text_leaves_its_field_out(void **state)
{
    (void)state;
    assert_string_equal(formatted(LOG_FORMAT_LOGFMT, FIELDS(LOG_TEXT("a", NULL), LOG_INT("b", 0))),
                        "time=2026-11-22T12:00:00.123Z level=info msg=restored b=0");
}

static void what_could_break_a_line_is_escaped(void **state)
{
    (void)state;
    const char *hostile = "a\"b\\c\nd\re\tf\x01g\x7fh\xc2\x9b";
    assert_non_null(strstr(formatted(LOG_FORMAT_LOGFMT, FIELDS(LOG_TEXT("k", hostile))),
                           "k=\"a\\\"b\\\\c\\nd\\re\\tf\\u0001g\\u007fh\\u009b\""));
    assert_non_null(strstr(formatted(LOG_FORMAT_LOGFMT, FIELDS(LOG_TEXT("k", ""))), "k=\"\""));
    assert_non_null(
        strstr(formatted(LOG_FORMAT_LOGFMT, FIELDS(LOG_TEXT("k", "a=b"))), "k=\"a=b\""));
}

/* Every pair of bytes, so also every broken piece of UTF-8, in a parser that takes nothing else. */
static void json_lines_are_json_whatever_the_value(void **state)
{
    (void)state;
    for (int first = 1; first < 256; first++) {
        for (int second = 1; second < 256; second++) {
            const char value[] = {(char)first, (char)second, '\0'};
            const char *line = formatted(LOG_FORMAT_JSON, FIELDS(LOG_TEXT("k", value)));
            json_t *parsed = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
            if (parsed == NULL)
                fail_msg("%02x %02x gives %s", first, second, line);
            if (first < 0x80 && second < 0x80)
                assert_string_equal(json_string_value(json_object_get(parsed, "k")), value);
            json_decref(parsed);
        }
    }
}

static void letters_beyond_ascii_stay_and_broken_ones_are_marked(void **state)
{
    (void)state;
    assert_non_null(strstr(formatted(LOG_FORMAT_JSON, FIELDS(LOG_TEXT("k", "\xc3\xa9\xe2\x82\xac"
                                                                           "\xf0\x9f\x98\x80"))),
                           "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
    /* overlong, a surrogate, beyond U+10FFFF, cut off */
    assert_non_null(strstr(formatted(LOG_FORMAT_JSON, FIELDS(LOG_TEXT("k", "\xc0\xaf"))),
                           "\"\\ufffd\\ufffd\""));
    assert_non_null(strstr(formatted(LOG_FORMAT_JSON, FIELDS(LOG_TEXT("k", "\xed\xa0\x80"))),
                           "\"\\ufffd\\ufffd\\ufffd\""));
    assert_non_null(strstr(formatted(LOG_FORMAT_JSON, FIELDS(LOG_TEXT("k", "\xf4\x90\x80\x80"))),
                           "\"\\ufffd\\ufffd\\ufffd\\ufffd\""));
    assert_non_null(strstr(formatted(LOG_FORMAT_JSON, FIELDS(LOG_TEXT("k", "\xe2\x82"))),
                           "\"\\ufffd\\ufffd\""));
}

static void long_values_are_cut_and_a_full_line_stays_json(void **state)
{
    (void)state;
    char large[8192];
    memset(large, '\x01', sizeof large - 1); /* six bytes each once escaped */
    large[sizeof large - 1] = '\0';
    const char *line = formatted(
        LOG_FORMAT_JSON, FIELDS(LOG_TEXT("a", large), LOG_TEXT("b", large), LOG_INT("c", 1)));
    json_t *parsed = json_loads(line, 0, NULL);
    assert_non_null(parsed);
    assert_int_equal(json_string_length(json_object_get(parsed, "a")),
                     LOG_VALUE_BYTES + strlen("..."));
    assert_null(json_object_get(parsed, "b")); /* no room: left out as a whole */
    assert_non_null(json_object_get(parsed, "c"));
    json_decref(parsed);
}

/* log_write itself, to a pipe in stderr's place. */
struct pipe_log {
    int read_fd, stderr_fd;
};

static void open_pipe(struct pipe_log *log, int level, bool as_journal)
{
    int fds[2];
    struct stat status;
    char stream[64];
    assert_int_equal(pipe(fds), 0);
    log->read_fd = fds[0];
    log->stderr_fd = dup(STDERR_FILENO);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino + (as_journal ? 0 : 1));
    setenv("JOURNAL_STREAM", stream, 1);
    log_open(level, LOG_FORMAT_AUTO);
}

static void close_pipe(struct pipe_log *log, char *ret_text, size_t room)
{
    size_t used = 0;
    ssize_t n;
    assert_int_equal(dup2(log->stderr_fd, STDERR_FILENO), STDERR_FILENO);
    close(log->stderr_fd);
    while ((n = read(log->read_fd, ret_text + used, room - 1 - used)) > 0)
        used += (size_t)n;
    ret_text[used] = '\0';
    close(log->read_fd);
}

static void levels_below_the_wanted_are_not_written(void **state)
{
    (void)state;
    struct pipe_log log;
    char text[4096];
    open_pipe(&log, LOG_WARNING, false);
    log_event(LOG_INFO, "quiet");
    log_event(LOG_WARNING, "heard");
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "now heard", LOG_INT("n", 1));
    close_pipe(&log, text, sizeof text);
    assert_null(strstr(text, "quiet"));
    assert_int_equal(text[0], '{'); /* no terminal: json; not the journal: no prefix */
    assert_non_null(strstr(text, "\"level\":\"warn\",\"msg\":\"heard\"}\n{"));
    assert_non_null(strstr(text, "\"msg\":\"now heard\",\"n\":1}\n"));
}

static void lines_for_the_journal_begin_with_their_level(void **state)
{
    (void)state;
    struct pipe_log log;
    char text[4096];
    open_pipe(&log, LOG_INFO, true);
    log_event(LOG_ERR, "bad");
    close_pipe(&log, text, sizeof text);
    assert_int_equal(strncmp(text, "<3>{\"time\":\"", 12), 0);
}

static void *log_many(void *context)
{
    for (int i = 0; i < 200; i++)
        log_event(LOG_INFO, "many", LOG_TEXT("thread", context), LOG_INT("i", i));
    return NULL;
}

static void lines_of_two_threads_never_mix(void **state)
{
    (void)state;
    enum { ROOM = 65536 }; /* what a pipe holds; 400 lines are 36 KB */
    struct pipe_log log;
    pthread_t threads[2];
    char *text = malloc(ROOM);
    int lines = 0;
    open_pipe(&log, LOG_INFO, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, i == 0 ? "a" : "b"), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    close_pipe(&log, text, ROOM);
    for (char *rest, *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        json_t *parsed = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(parsed);
        json_decref(parsed);
    }
    assert_int_equal(lines, 400);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_event_in_three_formats),
        cmocka_unit_test(an_absent_text_leaves_its_field_out),
        cmocka_unit_test(what_could_break_a_line_is_escaped),
        cmocka_unit_test(json_lines_are_json_whatever_the_value),
        cmocka_unit_test(letters_beyond_ascii_stay_and_broken_ones_are_marked),
        cmocka_unit_test(long_values_are_cut_and_a_full_line_stays_json),
        cmocka_unit_test(levels_below_the_wanted_are_not_written),
        cmocka_unit_test(lines_for_the_journal_begin_with_their_level),
        cmocka_unit_test(lines_of_two_threads_never_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/producers/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_or_null(const void *bytes, size_t n_bytes)
{
    if (bytes == NULL)
        return json_null();
    json_t *text = json_stringn(bytes, n_bytes);
    return text != NULL ? text : json_string("<not UTF-8>");
}

static void mask_secret(json_t *value)
{
    const char *secret = json_string_value(json_object_get(value, "secret"));
    if (secret == NULL)
        return;
    int dots = 0;
    for (; *secret != '\0'; secret++)
        dots += *secret == '.';
    json_object_set_new(value, "secret", json_sprintf("<jwe of %d parts>", dots + 1));
}

static json_t *dump_value(const struct out_message *message, const struct out_message *first)
{
    json_error_t error;
    if (message != first && message->value_bytes > 0 &&
        message->value_bytes == first->value_bytes &&
        memcmp(message->value, first->value, first->value_bytes) == 0)
        return json_string("<the first message's>");
    json_t *value = message->value == NULL ? NULL
                                           : json_loadb(message->value, message->value_bytes,
                                                        JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return text_or_null(message->value, message->value_bytes);
    mask_secret(value);
    return value;
}

json_t *dump_messages(const struct event_settings *settings, const struct out_message *messages)
{
    json_t *list = json_array();
    for (const struct out_message *m = messages; m != NULL; m = m->next) {
        json_t *headers = json_array();
        for (size_t i = 0; i < m->n_headers; i++)
            json_array_append_new(
                headers, json_pack("[s, o]", m->headers[i].name,
                                   text_or_null(m->headers[i].value, m->headers[i].value_bytes)));
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:o, s:o, s:o}", "topic",
                                        settings->topics[m->topic], "partition", (int)m->partition,
                                        "key", text_or_null(m->key, m->key_bytes), "headers",
                                        headers, "value", dump_value(m, messages)));
    }
    return list;
}

void assert_golden(const struct event_settings *settings, const struct out_message *messages,
                   const char *folder, const char *name)
{
    char path[512];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/%s/%s/expected", TEST_DATA, folder, name);
    json_t *expected = json_load_file(path, 0, &error);
    json_t *actual = dump_messages(settings, messages);
    bool same = json_equal(expected, actual) == 1;
    if (!same) {
        char *text = json_dumps(actual, JSON_INDENT(2));
        (void)fprintf(stderr, "%s: %s\nactual:\n%s\n", path,
                      expected == NULL ? error.text : "differs", text);
        free(text);
    }
    json_decref(expected);
    json_decref(actual);
    assert_true(same);
}

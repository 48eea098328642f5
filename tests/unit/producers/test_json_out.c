#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "producers/json_out.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_written(const struct json_out *out, const char *expected)
{
    assert_false(out->failed);
    assert_int_equal(out->used, strlen(expected));
    assert_memory_equal(out->bytes, expected, out->used);
}

static void members_and_elements_are_separated(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_open_object(&out, NULL);
    json_out_bool(&out, "a", true);
    json_out_open_array(&out, "b");
    json_out_number(&out, NULL, -5);
    json_out_open_object(&out, NULL);
    json_out_close_object(&out);
    json_out_text(&out, NULL, "x");
    json_out_close_array(&out);
    json_out_number(&out, "c", INT64_MIN);
    json_out_close_object(&out);
    assert_written(&out, "{\"a\":true,\"b\":[-5,{},\"x\"],\"c\":-9223372036854775808}");
    json_out_free(&out);
}

static void what_is_not_known_is_absent(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_open_object(&out, NULL);
    json_out_text(&out, "a", NULL);
    json_out_text(&out, "b", "");
    json_out_time(&out, "c", 0);
    json_out_time(&out, "d", 1795176001234);
    json_out_close_object(&out);
    assert_written(&out, "{\"d\":\"2026-11-20T12:00:01.234Z\"}");
    json_out_free(&out);
}

static void control_characters_quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_text(&out, NULL, "\"\\/\b\f\n\r\t\x01\x1f\x7f");
    assert_written(&out, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    json_out_free(&out);
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    (void)state;
#define U "\xEF\xBF\xBD"
    static const char *const pairs[][2] = {
        {"\xC3\xA6\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA6\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"a\x80z", "a" U "z"},                                            /* no lead byte */
        {"\xC0\xAF", U U},                                                /* overlong */
        {"\xE0\x80\xAF", U U U},                                          /* overlong */
        {"\xED\xA0\x80", U U U},                                          /* surrogate */
        {"\xF4\x90\x80\x80", U U U U},                                    /* above U+10FFFF */
        {"\xF5\x80\x80\x80", U U U U},                                    /* no such lead byte */
        {"cut \xE2\x82", "cut " U U},                                     /* the zero ends it */
        {"\xED\x9F\xBF\xF4\x8F\xBF\xBF", "\xED\x9F\xBF\xF4\x8F\xBF\xBF"}, /* the last before */
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct json_out out = {0};
        char expected[64];
        (void)snprintf(expected, sizeof expected, "\"%s\"", pairs[i][1]);
        json_out_text(&out, NULL, pairs[i][0]);
        assert_written(&out, expected);
        json_out_free(&out);
    }
}

/* Every byte pair, read back by an independent parser. */
static void whatever_is_written_can_be_parsed(void **state)
{
    (void)state;
    struct json_out out = {0};
    for (unsigned pair = 0x0101; pair <= 0xffff; pair++) {
        char text[8] = {'a', (char)(pair >> 8), (char)(pair & 0xff), 'b'};
        json_out_reset(&out);
        json_out_text(&out, NULL, text);
        json_error_t error;
        json_t *parsed = json_loadb(out.bytes, out.used, JSON_DECODE_ANY, &error);
        assert_non_null(parsed);
        json_decref(parsed);
    }
    json_out_free(&out);
}

static void the_buffer_grows_and_keeps_what_was_written(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_open_array(&out, NULL);
    for (int i = 0; i < 20000; i++)
        json_out_number(&out, NULL, i);
    json_out_close_array(&out);
    json_error_t error;
    json_t *parsed = json_loadb(out.bytes, out.used, 0, &error);
    assert_int_equal(json_array_size(parsed), 20000);
    assert_int_equal(json_integer_value(json_array_get(parsed, 19999)), 19999);
    json_decref(parsed);
    json_out_free(&out);
}

static void beyond_its_maximum_the_writer_has_failed(void **state)
{
    (void)state;
    struct json_out out = {0};
    size_t bytes = 9 * 1024 * 1024;
    char *text = malloc(bytes + 1);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    json_out_open_array(&out, NULL);
    json_out_text(&out, NULL, text);
    assert_false(out.failed);
    json_out_text(&out, NULL, text);
    assert_true(out.failed);
    json_out_reset(&out);
    assert_false(out.failed);
    json_out_free(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_elements_are_separated),
        cmocka_unit_test(what_is_not_known_is_absent),
        cmocka_unit_test(control_characters_quotes_and_backslashes_are_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters),
        cmocka_unit_test(whatever_is_written_can_be_parsed),
        cmocka_unit_test(the_buffer_grows_and_keeps_what_was_written),
        cmocka_unit_test(beyond_its_maximum_the_writer_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

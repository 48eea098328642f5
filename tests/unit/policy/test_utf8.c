#include "policy/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

static void a_sequence_is_whole_shortest_and_a_character(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"a", 1},
        {"\xc3\xb8", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},             /* a continuation */
        {"\xc3", 0},             /* cut */
        {"\xe2\x82", 0},         /* cut */
        {"\xf0\x9f\x98", 0},     /* cut */
        {"\xc0\x80", 0},         /* longer than needed */
        {"\xe0\x9f\xbf", 0},     /* longer than needed */
        {"\xf0\x8f\xbf\xbf", 0}, /* longer than needed */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xff", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const unsigned char *text = (const unsigned char *)cases[i].text;
        assert_int_equal(utf8_sequence(text, 4), cases[i].length);
        assert_int_equal(utf8_sequence(text, strlen(cases[i].text)), cases[i].length);
        assert_int_equal(utf8_is_valid(cases[i].text, strlen(cases[i].text)), cases[i].length > 0);
        if (cases[i].length > 1)
            assert_int_equal(utf8_sequence(text, cases[i].length - 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequence_is_whole_shortest_and_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* New passwords: what they are made of, and that no character is likelier than another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/password.h"

#include <errno.h>
#include <string.h>

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Bytes in an order of our choosing, over and over. */
struct script {
    const uint8_t *bytes;
    size_t n, at;
    int fault;
};

static int read_script(void *context, uint8_t *ret_bytes, size_t n)
{
    struct script *script = context;
    for (size_t i = 0; i < n; i++)
        ret_bytes[i] = script->bytes[script->at++ % script->n];
    return script->fault;
}

static void a_password_has_all_four_classes_and_no_look_alikes(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        char password[PASSWORD_CHARS + 1];
        assert_int_equal(password_generate(password), 0);
        assert_int_equal(strlen(password), PASSWORD_CHARS);
        assert_non_null(strpbrk(password, UPPER));
        assert_non_null(strpbrk(password, LOWER));
        assert_non_null(strpbrk(password, DIGITS));
        assert_true(strcspn(password, "#%+=?@*$") < PASSWORD_CHARS);
        assert_null(strpbrk(password, "0Oo1lIi|"));
    }
}

static void the_kernels_failure_is_handed_on(void **state)
{
    (void)state;
    char password[PASSWORD_CHARS + 1];
    const uint8_t zero = 0;
    struct script script = {.bytes = &zero, .n = 1, .fault = -EIO};
    assert_int_equal(password_make(read_script, &script, password), -EIO);
}

/* Counts how often each index comes over all 256 bytes, by either mapping. */
static unsigned widest_difference(unsigned n, bool reject)
{
    unsigned counts[256] = {0};
    unsigned least = 256, most = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned index = byte % n;
        if (!reject || password_index((uint8_t)byte, n, &index))
            counts[index]++;
    }
    for (unsigned i = 0; i < n; i++) {
        least = counts[i] < least ? counts[i] : least;
        most = counts[i] > most ? counts[i] : most;
    }
    return most - least;
}

static void every_index_comes_from_equally_many_bytes(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 256; n++)
        assert_int_equal(widest_difference(n, true), 0);
}

/* Negative control: what the test above would find without rejection. */
static void a_plain_modulo_would_be_uneven(void **state)
{
    (void)state;
    assert_int_equal(widest_difference(63, false), 1);
}

static void a_byte_of_the_uneven_rest_is_drawn_again(void **state)
{
    (void)state;
    unsigned index = 7;
    assert_false(password_index(252, 63, &index)); /* 252 = 4 * 63 */
    assert_int_equal(index, 7);
    assert_true(password_index(251, 63, &index));
    assert_int_equal(index, 62);

    char plain[PASSWORD_CHARS + 1], rejecting[PASSWORD_CHARS + 1];
    const uint8_t bytes[] = {5};
    const uint8_t with_rest[] = {255, 5}; /* 255 is in the rest of every n used but powers of 2 */
    struct script script = {.bytes = bytes, .n = 1};
    assert_int_equal(password_make(read_script, &script, plain), 0);
    size_t drawn = script.at;
    script = (struct script){.bytes = with_rest, .n = 2};
    assert_int_equal(password_make(read_script, &script, rejecting), 0);
    assert_true(script.at > drawn);
}

/* Each place should hold a digit about as often as any other: 1/16 of the forced one, and 8/63 of
 * the 12 free ones, together 0.158. Over 20,000 passwords the standard deviation is 52; the bound
 * is 12 of them (1e-32 for a good source), and a place that no shuffle reaches is 15 or more off:
 * without one, place 2 holds a digit always. */
static void classes_are_spread_evenly_over_the_places(void **state)
{
    (void)state;
    enum { RUNS = 20000, EXPECTED = 3155, BOUND = 630 };
    int digits[PASSWORD_CHARS] = {0};
    for (int i = 0; i < RUNS; i++) {
        char password[PASSWORD_CHARS + 1];
        assert_int_equal(password_generate(password), 0);
        for (int k = 0; k < PASSWORD_CHARS; k++)
            digits[k] += strchr(DIGITS, password[k]) != NULL;
    }
    for (int k = 0; k < PASSWORD_CHARS; k++)
        assert_in_range(digits[k], EXPECTED - BOUND, EXPECTED + BOUND);
}

static void a_cleared_password_is_zero_to_its_last_byte(void **state)
{
    (void)state;
    char password[PASSWORD_CHARS + 1];
    const char zero[PASSWORD_CHARS + 1] = "";
    assert_int_equal(password_generate(password), 0);
    password_clear(password, sizeof password);
    assert_memory_equal(password, zero, sizeof zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_has_all_four_classes_and_no_look_alikes),
        cmocka_unit_test(the_kernels_failure_is_handed_on),
        cmocka_unit_test(every_index_comes_from_equally_many_bytes),
        cmocka_unit_test(a_plain_modulo_would_be_uneven),
        cmocka_unit_test(a_byte_of_the_uneven_rest_is_drawn_again),
        cmocka_unit_test(classes_are_spread_evenly_over_the_places),
        cmocka_unit_test(a_cleared_password_is_zero_to_its_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/facts.h"
#include "tests/unit/policy/given.h"

#include <string.h>

static void the_ids_own_prefix_is_cut(void **state)
{
    (void)state;
    assert_string_equal(user_name_unmangle("7e06b566-15f3-4013-8bf8-79874d52e68a",
                                           "7e06b56615f340138bf879874d52e68ajohn@contoso.com"),
                        "john@contoso.com");
    assert_string_equal(user_name_unmangle("7e06b566-15f3-4013-8bf8-79874d52e68a",
                                           "7E06B56615F340138BF879874D52E68Ajohn@contoso.com"),
                        "john@contoso.com");
}

static void another_ids_prefix_stays(void **state)
{
    (void)state;
    const char *other = "0006b56615f340138bf879874d52e68ajohn@contoso.com";
    assert_ptr_equal(user_name_unmangle("7e06b566-15f3-4013-8bf8-79874d52e68a", other), other);
}

static void a_name_without_a_prefix_stays(void **state)
{
    (void)state;
    const char *plain = "john@contoso.com";
    const char *cut_short = "7e06b56615f3";
    assert_ptr_equal(user_name_unmangle("7e06b566-15f3-4013-8bf8-79874d52e68a", plain), plain);
    assert_ptr_equal(user_name_unmangle("7e06b566-15f3-4013-8bf8-79874d52e68a", cut_short),
                     cut_short);
    assert_ptr_equal(user_name_unmangle("", plain), plain);
}

static void a_copy_has_the_addresses(void **state)
{
    (void)state;
    static struct user_facts from, to;
    given_user(&from);
    memset(&to, 0xff, sizeof to);
    user_facts_clear(&to);
    assert_null(string_list_next(&to.proxy_addresses, NULL));
    user_facts_copy(&to, &from);
    assert_string_equal(to.mail, from.mail);
    assert_int_equal(to.proxy_addresses.n, 2);
    assert_true(string_list_has_ignore_case(&to.proxy_addresses, "smtp:OLA@contoso.com"));
}

static void a_list_counts_what_does_not_fit(void **state)
{
    (void)state;
    static struct string_list list;
    char text[1000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    string_list_clear(&list);
    while (string_list_add(&list, text))
        continue;
    assert_int_equal(list.n, STRING_LIST_BYTES / (int)sizeof text);
    assert_int_equal(list.left_out, 1);
    assert_true(string_list_add(&list, "short"));
    int n = 0;
    for (const char *s = NULL; (s = string_list_next(&list, s)) != NULL;)
        n++;
    assert_int_equal(n, list.n);
    for (n = 0; n <= UINT16_MAX; n++)
        (void)string_list_add(&list, text);
    assert_int_equal(list.left_out, UINT16_MAX); /* and never 0 again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ids_own_prefix_is_cut),
        cmocka_unit_test(another_ids_prefix_stays),
        cmocka_unit_test(a_name_without_a_prefix_stays),
        cmocka_unit_test(a_copy_has_the_addresses),
        cmocka_unit_test(a_list_counts_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/fold.h"
#include "policy/instant.h"
#include "policy/time_text.h"
#include "policy/user_list.h"
#include "tests/unit/policy/given.h"

#include <stdio.h>
#include <string.h>

static struct user_list list;
static struct list_wish wish;

static int everybody_is_wanted(void **state)
{
    (void)state;
    user_list_clear(&list);
    wish = (struct list_wish){
        .retention_ms = 30 * DAY_MS, .now_ms = GIVEN_NOW_MS, .until_ms = INT64_MAX};
    return 0;
}

static void take(const char *id, const char *name, const char *display_name, int64_t days_left)
{
    user_list_take(&list, &wish,
                   &(struct listed_user){.id = id,
                                         .user_principal_name = name,
                                         .display_name = display_name,
                                         .deleted_at_ms = GIVEN_NOW_MS - 30 * DAY_MS + days_left});
}

static void whose_time_is_over_is_not_listed(void **state)
{
    (void)state;
    take("1", "a", "A", 0);
    take("2", "b", "B", 1);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.users[0].id, "2");
    assert_int_equal(list.users[0].restorable_until_ms, GIVEN_NOW_MS + 1);
    assert_false(list.complete || list.truncated);
}

static void nobody_is_wanted_behind_the_first_who_has_time(void **state)
{
    (void)state;
    wish.until_ms = GIVEN_NOW_MS + 3 * DAY_MS;
    take("1", "a", "A", 3 * DAY_MS);
    assert_false(list.complete);
    take("2", "b", "B", 3 * DAY_MS + 1);
    assert_int_equal(list.n, 1);
    assert_true(list.complete);
    assert_false(list.truncated);
}

static void a_match_is_part_of_a_name_in_any_case(void **state)
{
    (void)state;
    (void)text_copy(wish.match, sizeof wish.match, "NORD");
    take("1", "ola.nordmann@contoso.com", "", 1);
    take("2", "kari@contoso.com", "Kari Nordmann", 1);
    take("3", "per@contoso.com", "Per Hansen", 1);
    assert_int_equal(list.n, 2);
}

static void a_row_that_comes_twice_is_listed_once(void **state)
{
    (void)state;
    take("1", "a", "A", 1);
    take("1", "a", "A", 1);
    assert_int_equal(list.n, 1);
}

static void the_201st_makes_the_list_truncated(void **state)
{
    (void)state;
    for (int i = 0; i < LISTED_MAX; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        take(id, "ola@contoso.com", "Ola", 1);
    }
    assert_int_equal(list.n, LISTED_MAX);
    assert_false(list.truncated || list.complete);
    take("one more", "ola@contoso.com", "Ola", 1);
    assert_int_equal(list.n, LISTED_MAX);
    assert_true(list.truncated && list.complete);
    assert_string_equal(list.users[0].id, "0");
    assert_string_equal(list.users[LISTED_MAX - 1].id, "199");
}

static void names_that_do_not_fit_truncate_it_and_are_never_cut(void **state)
{
    (void)state;
    static char display_name[DISPLAY_NAME_BYTES + 1];
    memset(display_name, 'x', DISPLAY_NAME_BYTES);
    for (int i = 0; i < LISTED_MAX && !list.truncated; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        take(id, "ola@contoso.com", display_name, 1);
    }
    assert_true(list.truncated);
    assert_in_range(list.n, LISTED_BYTES / (DISPLAY_NAME_BYTES + 64), LISTED_MAX - 1);
    assert_string_equal(list.users[list.n - 1].display_name, display_name);
    assert_true(list.used_bytes <= LISTED_BYTES);
}

static void no_deadline_is_beyond_what_can_be_written(void **state)
{
    (void)state;
    user_list_take(&list, &wish,
                   &(struct listed_user){.id = "1",
                                         .user_principal_name = "a",
                                         .display_name = "A",
                                         .deleted_at_ms = TIME_LAST_MS});
    assert_int_equal(list.users[0].restorable_until_ms, TIME_LAST_MS);
}

static void letters_of_either_case_are_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } same[] = {
        {"Ola", ""},
        {"", ""},
        {"Ola", "OLA"},
        {"ola@contoso.com", "A@C"},
        {"\u00d8yvind", "\u00f8yv"},
        {"S\u00d8REN", "s\u00f8ren"},
        {"\u0141ukasz", "\u0142uk"},
        {"\u017bak", "\u017cAK"},
        {"\u0391\u03a9", "\u03b1\u03c9"},
        {"\u0416\u0401", "\u0436\u0451"},
        {"\u5c71\u7530", "\u7530"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (!fold_contains(same[i].text, same[i].part))
            fail_msg("%s has no %s", same[i].text, same[i].part);
}

static void other_letters_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } different[] = {
        {"", "a"},  {"Ola", "Olaf"}, {"Ola", "lA "},       {"\u00d7", "\u00f7"}, {"@", "`"},
        {"[", "{"}, {"\u00f8", "o"}, {"\u0100", "\u0102"}, {"\xc3", "\u00c3"},   {"\xff", "\xdf"},
    };
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++)
        if (fold_contains(different[i].text, different[i].part))
            fail_msg("%s has %s", different[i].text, different[i].part);
    assert_true(fold_contains("a\xff"
                              "b",
                              "\xff"
                              "B")); /* what is no UTF-8 stands for itself */
}

#define TEST(name) cmocka_unit_test_setup(name, everybody_is_wanted)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whose_time_is_over_is_not_listed),
        TEST(nobody_is_wanted_behind_the_first_who_has_time),
        TEST(a_match_is_part_of_a_name_in_any_case),
        TEST(a_row_that_comes_twice_is_listed_once),
        TEST(the_201st_makes_the_list_truncated),
        TEST(names_that_do_not_fit_truncate_it_and_are_never_cut),
        TEST(no_deadline_is_beyond_what_can_be_written),
        TEST(letters_of_either_case_are_the_same),
        TEST(other_letters_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/directory.h"
#include "policy/request.h"
#include "tests/unit/policy/given.h"

#include <string.h>

static void the_words_are_the_contracts(void **state)
{
    (void)state;
    assert_string_equal(name_policy_word(NAME_POLICY_ABSENT), "");
    assert_string_equal(name_policy_word(NAME_POLICY_REJECT), "reject");
    assert_string_equal(name_policy_word(NAME_POLICY_RENAME_RESTORED), "rename-restored");
    assert_string_equal(name_policy_word(NAME_POLICY_RENAME_ACTIVE), "rename-active");
    assert_string_equal(name_policy_word(NAME_POLICY_REPLACE_ACTIVE), "replace-active");
    assert_string_equal(address_policy_word(ADDRESS_POLICY_REMOVE), "remove");
    assert_string_equal(address_policy_word(ADDRESS_POLICY_REJECT), "reject");
    assert_string_equal(password_choice_word(PASSWORD_GENERATE), "generate");
    assert_string_equal(password_choice_word(PASSWORD_LEAVE), "leave");
}

static void an_outcomes_id_is_the_contracts_vector(void **state)
{
    (void)state;
    static struct restore_request request;
    given_request(&request);
    char uuid[GUID_CHARS + 1];
    request_uuid(&request, "succeeded", uuid);
    assert_string_equal(uuid, "3fac718e-8086-5256-a5ed-f283398b4b66");
}

static void the_user_is_named_without_regard_to_case(void **state)
{
    (void)state;
    static struct restore_request request;
    given_request(&request);
    char lower[GUID_CHARS + 1], upper[GUID_CHARS + 1];
    text_copy(request.user.text, sizeof request.user.text, "ola@contoso.com");
    request_uuid(&request, "journal", lower);
    text_copy(request.user.text, sizeof request.user.text, "OLA@Contoso.com");
    request_uuid(&request, "journal", upper);
    assert_string_equal(lower, upper);
}

static void only_five_operations_change_something(void **state)
{
    (void)state;
    for (enum directory_operation o = 0; o < DIRECTORY_OPERATION_COUNT; o++) {
        assert_true(strlen(directory_operation_name(o)) > 0);
        bool changes = o == DIRECTORY_RESTORE || o == DIRECTORY_SET_PASSWORD ||
                       o == DIRECTORY_RENAME_USER || o == DIRECTORY_DELETE_USER ||
                       o == DIRECTORY_RESTORE_HOLDER;
        assert_int_equal(directory_operation_changes(o), changes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_are_the_contracts),
        cmocka_unit_test(an_outcomes_id_is_the_contracts_vector),
        cmocka_unit_test(the_user_is_named_without_regard_to_case),
        cmocka_unit_test(only_five_operations_change_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

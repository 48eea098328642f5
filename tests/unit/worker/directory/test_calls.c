#include "worker/directory/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"
#define GRAPH "https://graph.microsoft.com"
#define USER                                                                                       \
    "$select=id,userPrincipalName,displayName,mail,preferredLanguage,otherMails,createdDateTime,"  \
    "deletedDateTime,lastPasswordChangeDateTime,accountEnabled,onPremisesSyncEnabled,"             \
    "assignedLicenses,proxyAddresses"

static void check_url(int kind, const char *id, const char *name, const char *expected)
{
    struct directory_question question = {0};
    char url[CALL_URL_BYTES];
    assert_true(text_copy(question.id, sizeof question.id, id));
    assert_true(text_copy(question.name, sizeof question.name, name));
    assert_true(call_write_url(kind, GRAPH, &question, url));
    assert_string_equal(url, expected);
}

/* directory-api.md 7.1; all reads have $select. */
static void a_call_costs_what_the_directory_charges(void **state)
{
    (void)state;
    struct directory_question question = {0};
    for (int kind = 0; kind < CALL_KINDS; kind++) {
        struct call_cost cost = call_cost(kind, &question);
        assert_int_equal(cost.units, 1);
        assert_int_equal(cost.writes, call_changes(kind));
    }
    question.with_roles = true; /* $expand */
    assert_int_equal(call_cost(DIRECTORY_USER_BY_ID, &question).units, 2);
}

static void every_kind_has_its_method_and_url(void **state)
{
    (void)state;
    check_url(DIRECTORY_REQUESTER, ID, "",
              GRAPH "/v1.0/users/" ID
                    "?$select=id,accountEnabled,displayName,mail,userPrincipalName");
    check_url(DIRECTORY_REQUESTER, "", "a@b.no",
              GRAPH "/v1.0/users/a%40b.no"
                    "?$select=id,accountEnabled,displayName,mail,userPrincipalName");
    check_url(DIRECTORY_REQUESTER_APP, ID, "",
              GRAPH "/v1.0/servicePrincipals(appId=%27" ID "%27)"
                    "?$select=id,accountEnabled,displayName");
    check_url(CALL_REQUESTER_ROLES, ID, "",
              GRAPH "/v1.0/users/" ID "/transitiveMemberOf/microsoft.graph.directoryRole"
                    "?$select=id,roleTemplateId");
    check_url(DIRECTORY_DELETED_BY_ID, ID, "",
              GRAPH "/v1.0/directory/deletedItems/" ID "/microsoft.graph.user?" USER);
    check_url(DIRECTORY_DELETED_BY_NAME, "", "ola@contoso.com",
              GRAPH "/v1.0/directory/deletedItems/microsoft.graph.user"
                    "?$filter=endsWith(userPrincipalName,%27ola%40contoso.com%27)"
                    "&$count=true&$top=200&" USER);
    check_url(DIRECTORY_LIST_DELETED, "", "",
              GRAPH "/v1.0/directory/deletedItems/microsoft.graph.user"
                    "?$orderby=deletedDateTime&$count=true&$top=500"
                    "&$select=id,userPrincipalName,displayName,deletedDateTime,"
                    "onPremisesSyncEnabled");
    check_url(DIRECTORY_USER_BY_ID, ID, "", GRAPH "/v1.0/users/" ID "?" USER);
    check_url(DIRECTORY_USER_BY_NAME, "", "ola@contoso.com",
              GRAPH "/v1.0/users/ola%40contoso.com?" USER);
    check_url(DIRECTORY_TARGET_ROLES, ID, "",
              GRAPH "/v1.0/roleManagement/directory/roleAssignments"
                    "?$filter=principalId%20eq%20%27" ID "%27&$select=id,roleDefinitionId");
    check_url(DIRECTORY_MANAGER, ID, "",
              GRAPH "/v1.0/users/" ID "/manager?$select=id,mail,userPrincipalName");
    check_url(DIRECTORY_RESTORE, ID, "", GRAPH "/v1.0/directory/deletedItems/" ID "/restore");
    check_url(DIRECTORY_SET_PASSWORD, ID, "", GRAPH "/v1.0/users/" ID);
    check_url(DIRECTORY_RENAME_USER, ID, "", GRAPH "/v1.0/users/" ID);
    check_url(DIRECTORY_DELETE_USER, ID, "", GRAPH "/v1.0/users/" ID);
    check_url(DIRECTORY_RESTORE_HOLDER, ID, "",
              GRAPH "/v1.0/directory/deletedItems/" ID "/restore");
    for (int kind = 0; kind < CALL_KINDS; kind++) {
        bool changes = kind < DIRECTORY_OPERATION_COUNT &&
                       directory_operation_changes((enum directory_operation)kind);
        assert_int_equal(call_changes(kind), changes);
        assert_int_equal(strcmp(call_method(kind), "GET") == 0, !changes);
        assert_int_equal(call_is_advanced(kind),
                         kind == DIRECTORY_DELETED_BY_NAME || kind == DIRECTORY_LIST_DELETED);
    }
    assert_string_equal(call_method(DIRECTORY_RESTORE), "POST");
    assert_string_equal(call_method(DIRECTORY_SET_PASSWORD), "PATCH");
    assert_string_equal(call_method(DIRECTORY_RENAME_USER), "PATCH");
    assert_string_equal(call_method(DIRECTORY_DELETE_USER), "DELETE");
    assert_string_equal(call_method(DIRECTORY_RESTORE_HOLDER), "POST");
}

static void roles_are_read_with_the_user_when_asked_for(void **state)
{
    (void)state;
    struct directory_question question = {.id = ID, .with_roles = true};
    char url[CALL_URL_BYTES];
    assert_true(call_write_url(DIRECTORY_USER_BY_ID, GRAPH, &question, url));
    assert_string_equal(url, GRAPH "/v1.0/users/" ID "?" USER "&$expand=memberOf($select=id)");
}

static void awkward_names_are_quoted_and_encoded(void **state)
{
    (void)state;
    check_url(DIRECTORY_USER_BY_NAME, "", "o'brien@b.no",
              GRAPH "/v1.0/users/o%27brien%40b.no?" USER);
    check_url(DIRECTORY_USER_BY_NAME, "", "x#EXT#@b.no",
              GRAPH "/v1.0/users/x%23EXT%23%40b.no?" USER);
    check_url(DIRECTORY_USER_BY_NAME, "", "$o'x@b.no",
              GRAPH "/v1.0/users(%27%24o%27%27x%40b.no%27)?" USER);
    check_url(DIRECTORY_USER_BY_NAME, "", "../me?a=b&c",
              GRAPH "/v1.0/users/..%2Fme%3Fa%3Db%26c?" USER);
    check_url(DIRECTORY_DELETED_BY_NAME, "", "o'b+r%1@b.no",
              GRAPH "/v1.0/directory/deletedItems/microsoft.graph.user"
                    "?$filter=endsWith(userPrincipalName,%27o%27%27b%2Br%251%40b.no%27)"
                    "&$count=true&$top=200&" USER);
}

static void addresses_are_asked_for_in_both_spellings_of_the_scheme(void **state)
{
    (void)state;
    struct directory_question question = {.addresses = "SMTP:o'b@b.no\0X500:/o=A",
                                          .n_addresses = 2};
    char url[CALL_URL_BYTES];
    assert_true(call_write_url(DIRECTORY_GROUPS_BY_ADDRESS, GRAPH, &question, url));
#define ANY(address) "proxyAddresses/any(p:p%20eq%20%27" address "%27)"
    assert_string_equal(
        url,
        GRAPH "/v1.0/groups?$filter=" ANY("smtp%3Ao%27%27b%40b.no") "%20or%20" ANY(
            "SMTP%3Ao%27%27b%40b."
            "no") "%20or%20" ANY("x500%3A%2Fo%3DA") "%20or%20" ANY("X500%3A%2Fo%3DA") "&$select=id,"
                                                                                      "displayName,"
                                                                                      "createdDateT"
                                                                                      "ime,"
                                                                                      "proxyAddress"
                                                                                      "es");
    question.n_addresses = 1;
    assert_true(call_write_url(DIRECTORY_USERS_BY_ADDRESS, GRAPH, &question, url));
    assert_non_null(strstr(url, GRAPH "/v1.0/users?$filter=proxyAddresses/any("));
    assert_non_null(strstr(url, "&$select=id,userPrincipalName,displayName,createdDateTime,"
                                "accountEnabled,proxyAddresses"));
    assert_true(call_write_url(DIRECTORY_CONTACTS_BY_ADDRESS, GRAPH, &question, url));
    assert_non_null(strstr(url, GRAPH "/v1.0/contacts?$filter=proxyAddresses/any("));
}

/* The most that policy/job asks for at once, all of it encoded. */
static void the_longest_question_about_addresses_fits(void **state)
{
    (void)state;
    static char addresses[2 * ASKED_ADDRESSES_BYTES];
    size_t used = 0;
    for (int i = 0; i < ASKED_ADDRESSES_MAX; i++) {
        memset(addresses + used, '#', ASKED_ADDRESSES_BYTES / ASKED_ADDRESSES_MAX);
        memcpy(addresses + used, "smtp:", 5);
        used += ASKED_ADDRESSES_BYTES / ASKED_ADDRESSES_MAX + 1;
    }
    struct directory_question question = {.addresses = addresses,
                                          .n_addresses = ASKED_ADDRESSES_MAX};
    char url[CALL_URL_BYTES];
    assert_true(call_write_url(DIRECTORY_USERS_BY_ADDRESS, GRAPH, &question, url));
}

static void check_body(const struct directory_question *question, const char *password,
                       const char *expected)
{
    char body[CALL_BODY_BYTES];
    size_t bytes = call_write_body((int)question->operation, question, password, body);
    assert_string_equal(body, expected);
    assert_int_equal(bytes, strlen(expected));
}

static void a_restore_leaves_out_what_it_does_not_say(void **state)
{
    (void)state;
    struct directory_question question = {.operation = DIRECTORY_RESTORE};
    check_body(&question, NULL, "{}");
    question.reconcile_proxy_addresses = true;
    check_body(&question, NULL, "{\"autoReconcileProxyConflict\":true}");
    (void)text_copy(question.new_user_principal_name, sizeof question.new_user_principal_name,
                    "o'b.2@b.no");
    check_body(&question, NULL,
               "{\"autoReconcileProxyConflict\":true,\"newUserPrincipalName\":\"o'b.2@b.no\"}");
    question.reconcile_proxy_addresses = false;
    check_body(&question, NULL, "{\"newUserPrincipalName\":\"o'b.2@b.no\"}");
}

static void a_password_is_escaped_and_must_be_changed(void **state)
{
    (void)state;
    struct directory_question question = {.operation = DIRECTORY_SET_PASSWORD};
    check_body(&question, "a\"b\\c\x01/",
               "{\"passwordProfile\":{\"password\":\"a\\\"b\\\\c\\u0001/\","
               "\"forceChangePasswordNextSignIn\":true}}");
}

static void the_holder_is_renamed_deleted_and_restored_with_nothing_else(void **state)
{
    (void)state;
    struct directory_question question = {.operation = DIRECTORY_RENAME_USER};
    (void)text_copy(question.new_user_principal_name, sizeof question.new_user_principal_name,
                    "o'b.2@b.no");
    check_body(&question, NULL, "{\"userPrincipalName\":\"o'b.2@b.no\"}");
    question = (struct directory_question){.operation = DIRECTORY_DELETE_USER};
    check_body(&question, NULL, "");
    question.operation = DIRECTORY_RESTORE_HOLDER;
    check_body(&question, NULL, "{}");
}

static void a_body_that_does_not_fit_is_none(void **state)
{
    (void)state;
    struct directory_question question = {.operation = DIRECTORY_SET_PASSWORD};
    char password[CALL_BODY_BYTES], body[CALL_BODY_BYTES];
    memset(password, 'x', sizeof password - 1);
    password[sizeof password - 1] = '\0';
    assert_int_equal(call_write_body(DIRECTORY_SET_PASSWORD, &question, password, body), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_method_and_url),
        cmocka_unit_test(a_call_costs_what_the_directory_charges),
        cmocka_unit_test(roles_are_read_with_the_user_when_asked_for),
        cmocka_unit_test(awkward_names_are_quoted_and_encoded),
        cmocka_unit_test(addresses_are_asked_for_in_both_spellings_of_the_scheme),
        cmocka_unit_test(the_longest_question_about_addresses_fits),
        cmocka_unit_test(a_restore_leaves_out_what_it_does_not_say),
        cmocka_unit_test(a_password_is_escaped_and_must_be_changed),
        cmocka_unit_test(the_holder_is_renamed_deleted_and_restored_with_nothing_else),
        cmocka_unit_test(a_body_that_does_not_fit_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

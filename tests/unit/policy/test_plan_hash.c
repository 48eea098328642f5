/* The vectors were computed by another program, Python's json and hashlib; how it reads the
 * contract stands in tests/support/contract.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/plan_hash.h"
#include "policy/time_text.h"
#include "tests/unit/policy/given.h"

#include <string.h>

#define HOLDER_ID "44444444-4444-4444-8444-444444444444"

static struct user_facts user;
static struct conflict conflicts[CONFLICTS_MAX];
static struct plan_facts facts;
static char hash[PLAN_HASH_CHARS + 1];

static void given_conflict(int i, enum conflict_property property, const char *value,
                           enum holder_type type)
{
    conflicts[i] = (struct conflict){.property = property, .holder.type = type};
    (void)text_copy(conflicts[i].value, sizeof conflicts[i].value, value);
    if (type != HOLDER_UNKNOWN)
        (void)text_copy(conflicts[i].holder.id, sizeof conflicts[i].holder.id, HOLDER_ID);
}

static int the_plain_case(void **state)
{
    (void)state;
    given_user(&user);
    (void)time_parse("2026-11-10T12:00:00Z", &user.deleted_at_ms);
    facts = (struct plan_facts){.tenant = "contoso",
                                .user = &user,
                                .name_policy = NAME_POLICY_REJECT,
                                .address_policy = ADDRESS_POLICY_REMOVE,
                                .new_user_principal_name = "",
                                .rename_active_to = "",
                                .conflicts = conflicts};
    given_conflict(0, CONFLICT_USER_PRINCIPAL_NAME, GIVEN_USER_NAME, HOLDER_USER);
    given_conflict(1, CONFLICT_PROXY_ADDRESSES, "smtp:o.n@contoso.com", HOLDER_UNKNOWN);
    given_conflict(2, CONFLICT_PROXY_ADDRESSES, "SMTP:ola@contoso.com", HOLDER_GROUP);
    return 0;
}

static void the_plain_case_has_its_hash(void **state)
{
    (void)state;
    plan_hash(&facts, hash);
    assert_string_equal(hash, "sha256:dc48fae6cb20ee6553f91c70a0639a552"
                              "32311d2dab35b5743958b1e87f56438");
}

static void conflicts_are_sorted(void **state)
{
    (void)state;
    user.synced = true;
    facts.name_policy = NAME_POLICY_RENAME_RESTORED;
    facts.address_policy = ADDRESS_POLICY_REJECT;
    facts.new_user_principal_name = "ola.2@contoso.com";
    facts.n_conflicts = 3;
    static const char expected[] = "sha256:b2ead2740a21cfd1e296bf1014d1f10c9"
                                   "bb90c094f90499c1a0d0a9b05b2544f";
    plan_hash(&facts, hash);
    assert_string_equal(hash, expected);
    struct conflict first = conflicts[0];
    conflicts[0] = conflicts[2];
    conflicts[2] = first;
    plan_hash(&facts, hash);
    assert_string_equal(hash, expected);
}

static void texts_are_escaped_as_short_as_can_be(void **state)
{
    (void)state;
    facts.tenant = "fabrikam";
    (void)text_copy(user.user_principal_name, sizeof user.user_principal_name,
                    "o\xc3\xb8\"\\\n\x01\x7f@contoso.com");
    facts.name_policy = NAME_POLICY_RENAME_ACTIVE;
    facts.rename_active_to = "ola.3@contoso.com";
    facts.n_conflicts = 1;
    plan_hash(&facts, hash);
    assert_string_equal(hash, "sha256:a8777bfc44a21454e35742c2cc4179929"
                              "3d4cb167203506bf9131ceba9e0e607");
}

static void every_fact_counts(void **state)
{
    (void)state;
    static char seen[16][PLAN_HASH_CHARS + 1];
    int n = 0;
    facts.n_conflicts = 2;
    plan_hash(&facts, seen[n++]);
    facts.tenant = "fabrikam";
    plan_hash(&facts, seen[n++]);
    user.id[0] = '0';
    plan_hash(&facts, seen[n++]);
    user.deleted_at_ms += 1000;
    plan_hash(&facts, seen[n++]);
    user.user_principal_name[0] = 'O';
    plan_hash(&facts, seen[n++]);
    user.synced = true;
    plan_hash(&facts, seen[n++]);
    facts.name_policy = NAME_POLICY_RENAME_ACTIVE;
    plan_hash(&facts, seen[n++]);
    facts.address_policy = ADDRESS_POLICY_REJECT;
    plan_hash(&facts, seen[n++]);
    facts.new_user_principal_name = "x@contoso.com";
    plan_hash(&facts, seen[n++]);
    facts.rename_active_to = "y@contoso.com";
    plan_hash(&facts, seen[n++]);
    conflicts[0].holder.id[0] = '5';
    plan_hash(&facts, seen[n++]);
    conflicts[1].value[0] = 'S';
    plan_hash(&facts, seen[n++]);
    facts.n_conflicts = 1;
    plan_hash(&facts, seen[n++]);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
}

static void what_the_plan_does_not_rest_on_does_not_count(void **state)
{
    (void)state;
    char other[PLAN_HASH_CHARS + 1];
    facts.n_conflicts = 1;
    plan_hash(&facts, hash);
    user.enabled = false;
    user.last_password_change_at_ms++;
    (void)text_copy(conflicts[0].holder.display_name, 8, "Other");
    plan_hash(&facts, other);
    assert_string_equal(hash, other);
}

static void the_longest_facts_fit(void **state)
{
    (void)state;
    char name[NAME_BYTES + 1];
    memset(name, 1, NAME_BYTES);
    name[NAME_BYTES] = '\0';
    facts.tenant = facts.new_user_principal_name = facts.rename_active_to = name;
    memcpy(user.user_principal_name, name, sizeof name);
    for (int i = 0; i < CONFLICTS_MAX; i++) {
        given_conflict(i, CONFLICT_USER_PRINCIPAL_NAME, "", HOLDER_USER);
        memset(conflicts[i].value, 1, PROXY_ADDRESS_BYTES);
        memset(conflicts[i].holder.id, 1, GUID_CHARS);
    }
    facts.n_conflicts = CONFLICTS_MAX;
    plan_hash(&facts, hash);
    assert_int_equal(strlen(hash), PLAN_HASH_CHARS);
}

#define TEST(name) cmocka_unit_test_setup(name, the_plain_case)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_plain_case_has_its_hash),
        TEST(conflicts_are_sorted),
        TEST(texts_are_escaped_as_short_as_can_be),
        TEST(every_fact_counts),
        TEST(what_the_plan_does_not_rest_on_does_not_count),
        TEST(the_longest_facts_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

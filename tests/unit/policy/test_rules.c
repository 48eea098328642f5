#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/rules.h"
#include "policy/time_text.h"
#include "tests/unit/policy/given.h"

#include <string.h>

static struct policy_rules rules;
static struct restore_request request;
static struct requester_facts requester;
static struct user_facts target;
static struct policy_facts facts;

static int everything_is_known_and_in_order(void **state)
{
    (void)state;
    given_rules(&rules);
    given_request(&request);
    given_requester(&requester);
    given_user(&target);
    facts = (struct policy_facts){
        .rules = &rules,
        .request = &request,
        .requester = &requester,
        .target = &target,
        .n_target_roles = 0,
        .now = {.wall_ms = GIVEN_NOW_MS, .directory_ms = GIVEN_NOW_MS, .mono_ms = 1000},
    };
    return 0;
}

static void the_plain_case_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(policy_decide(&facts), REASON_OK);
}

static void missing_facts_refuse_nobody(void **state)
{
    (void)state;
    facts.requester = NULL;
    facts.target = NULL;
    facts.n_target_roles = -1;
    assert_int_equal(policy_decide(&facts), REASON_OK);
}

static void whoever_asks_is_judged_before_what_he_asks(void **state)
{
    (void)state;
    requester.n_roles = 0;
    target.synced = true;
    facts.n_target_roles = 1;
    request.envelope.requested_at_ms = 0;
    assert_int_equal(policy_decide(&facts), REASON_REQUESTER_NOT_AUTHORIZED);
}

/* authorization */

static void an_absent_or_disabled_requester_is_unknown(void **state)
{
    (void)state;
    requester.enabled = false;
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_UNKNOWN);
    requester.enabled = true;
    requester.exists = false;
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_UNKNOWN);
}

static void another_role_is_not_enough(void **state)
{
    (void)state;
    requester.n_roles = 1;
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_NOT_AUTHORIZED);
}

static void nobody_named_is_nobody_authorised(void **state)
{
    (void)state;
    request.requested_by.by = NAMED_BY_NOTHING;
    facts.requester = NULL;
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_UNKNOWN);
    rules.check_requester = false;
    assert_int_equal(rule_requester(&facts), REASON_OK);
}

static void an_app_must_be_listed(void **state)
{
    (void)state;
    facts.requester = NULL;
    request.requested_by.by = NAMED_BY_APP_ID;
    text_copy(request.requested_by.text, sizeof request.requested_by.text, GIVEN_APP_ID);
    assert_int_equal(rule_requester(&facts), REASON_OK);
    assert_true(requester_is_read(&rules, &request));
    text_copy(request.requested_by.text, sizeof request.requested_by.text, GIVEN_USER_ID);
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_NOT_AUTHORIZED);
    assert_false(requester_is_read(&rules, &request));
}

static void a_listed_app_must_be_enabled_in_the_tenant_and_needs_no_role(void **state)
{
    (void)state;
    request.requested_by.by = NAMED_BY_APP_ID;
    text_copy(request.requested_by.text, sizeof request.requested_by.text, GIVEN_APP_ID);
    requester.n_roles = 0;
    assert_int_equal(rule_requester(&facts), REASON_OK);
    requester.enabled = false;
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_UNKNOWN);
    requester.enabled = true;
    requester.exists = false;
    assert_int_equal(rule_requester(&facts), REASON_REQUESTER_UNKNOWN);
    rules.check_requester = false;
    assert_false(requester_is_read(&rules, &request));
}

static void an_app_has_no_mail_to_be_told_by(void **state)
{
    (void)state;
    facts.requester = NULL;
    given_recipients(&request.notify_to, "requester", NULL);
    request.has_notify_to = true;
    rules.secret_words = RECIPIENT_REQUESTER;
    assert_int_equal(rule_recipients(&facts), REASON_OK);
    request.requested_by.by = NAMED_BY_APP_ID;
    text_copy(request.requested_by.text, sizeof request.requested_by.text, GIVEN_APP_ID);
    assert_int_equal(rule_recipients(&facts), REASON_RECIPIENT_NOT_ALLOWED);
}

/* retention */

static void the_window_closes_with_its_last_moment(void **state)
{
    (void)state;
    facts.now.directory_ms = GIVEN_DELETED_AT_MS + 30 * DAY_MS - 1;
    assert_int_equal(rule_retention(&facts), REASON_OK);
    facts.now.directory_ms++;
    assert_int_equal(rule_retention(&facts), REASON_RETENTION_EXPIRED);
}

static void the_window_runs_on_the_directorys_clock(void **state)
{
    (void)state;
    facts.now.wall_ms = GIVEN_DELETED_AT_MS + 31 * DAY_MS;
    assert_int_equal(rule_retention(&facts), REASON_OK);
}

static void a_shorter_retention_is_kept(void **state)
{
    (void)state;
    rules.retention_days = 10;
    assert_int_equal(rule_retention(&facts), REASON_RETENTION_EXPIRED);
}

static void an_old_request_is_refused(void **state)
{
    (void)state;
    request.envelope.requested_at_ms = GIVEN_NOW_MS - rules.max_request_age_ms;
    assert_int_equal(rule_request_age(&facts), REASON_OK);
    request.envelope.requested_at_ms--;
    assert_int_equal(rule_request_age(&facts), REASON_TOO_OLD);
    request.envelope.requested_at_ms = 0; /* no time at all */
    assert_int_equal(rule_request_age(&facts), REASON_TOO_OLD);
}

static void a_request_from_before_the_deletion_is_refused(void **state)
{
    (void)state;
    target.deleted_at_ms = request.envelope.requested_at_ms + 5 * MINUTE_MS;
    assert_int_equal(rule_request_age(&facts), REASON_OK);
    target.deleted_at_ms++;
    assert_int_equal(rule_request_age(&facts), REASON_TOO_OLD);
}

static void no_time_is_too_large_for_the_rules(void **state)
{
    (void)state;
    request.envelope.requested_at_ms = INT64_MAX; /* a record's timestamp is any number */
    assert_int_equal(rule_request_age(&facts), REASON_OK);
    target.deleted_at_ms = TIME_LAST_MS;
    assert_int_equal(rule_request_age(&facts), REASON_OK);
    request.envelope.requested_at_ms = INT64_MIN / 2;
    assert_int_equal(rule_request_age(&facts), REASON_TOO_OLD);
}

static void a_window_ends_where_time_does(void **state)
{
    (void)state;
    target.deleted_at_ms = TIME_LAST_MS - DAY_MS;
    char text[TIME_CHARS + 1];
    time_format(restorable_until_ms(&rules, &target), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

/* hybrid, target */

static void a_synced_user_is_refused_unless_allowed(void **state)
{
    (void)state;
    target.synced = true;
    assert_int_equal(rule_synced(&facts), REASON_SYNCED_USER);
    rules.reject_synced_users = false;
    assert_int_equal(rule_synced(&facts), REASON_OK);
}

static void an_administrator_is_refused_unless_allowed(void **state)
{
    (void)state;
    facts.n_target_roles = 1;
    assert_int_equal(rule_target(&facts), REASON_PRIVILEGED_TARGET);
    rules.reject_privileged_targets = false;
    assert_int_equal(rule_target(&facts), REASON_OK);
}

/* limits */

static void the_limit_is_shared_by_partitions_and_rounded_up(void **state)
{
    (void)state;
    facts.recent = (struct recent_restores){.n = 1000, .partitions_held = 5, .partitions_all = 12};
    assert_int_equal(rule_limit(&facts), REASON_OK); /* 0: none */
    rules.restores_per_hour = 10;                    /* 4.2 of them */
    assert_int_equal(rule_limit(&facts), REASON_OVER_LIMIT);
    facts.recent.n = 5;
    assert_int_equal(rule_limit(&facts), REASON_OVER_LIMIT);
    facts.recent.n = 4;
    assert_int_equal(rule_limit(&facts), REASON_OK);
    rules.restores_per_hour = 1000000;
    facts.recent =
        (struct recent_restores){.n = 999999, .partitions_held = 100000, .partitions_all = 100000};
    assert_int_equal(rule_limit(&facts), REASON_OK);
}

static void an_unknown_share_refuses_nobody(void **state)
{
    (void)state;
    rules.restores_per_hour = 1;
    facts.recent.n = 1;
    assert_int_equal(rule_limit(&facts), REASON_OK);
}

/* conflict */

static void the_requests_choice_comes_before_the_configurations(void **state)
{
    (void)state;
    assert_int_equal(name_policy_in_force(&rules, &request), NAME_POLICY_REJECT);
    request.name_policy = NAME_POLICY_RENAME_RESTORED;
    assert_int_equal(name_policy_in_force(&rules, &request), NAME_POLICY_RENAME_RESTORED);
    assert_int_equal(address_policy_in_force(&rules, &request), ADDRESS_POLICY_REMOVE);
    request.address_policy = ADDRESS_POLICY_REJECT;
    assert_int_equal(address_policy_in_force(&rules, &request), ADDRESS_POLICY_REJECT);
    assert_true(password_generate_in_force(&rules, &request));
    rules.has_recipient_key = false;
    assert_false(password_generate_in_force(&rules, &request));
    request.password = PASSWORD_GENERATE;
    assert_true(password_generate_in_force(&rules, &request));
    request.password = PASSWORD_LEAVE;
    assert_false(password_generate_in_force(&rules, &request));
}

static void only_listed_policies_are_allowed(void **state)
{
    (void)state;
    request.name_policy = NAME_POLICY_RENAME_ACTIVE;
    assert_int_equal(rule_policy_allowed(&facts), REASON_POLICY_NOT_ALLOWED);
    request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
    assert_int_equal(rule_policy_allowed(&facts), REASON_POLICY_NOT_ALLOWED);
    request.name_policy = NAME_POLICY_RENAME_RESTORED;
    assert_int_equal(rule_policy_allowed(&facts), REASON_OK);
    rules.name_policy_allowed[NAME_POLICY_RENAME_RESTORED] = false;
    assert_int_equal(rule_policy_allowed(&facts), REASON_POLICY_NOT_ALLOWED);
}

static void reject_is_always_allowed(void **state)
{
    (void)state;
    memset(rules.name_policy_allowed, 0, sizeof rules.name_policy_allowed);
    request.name_policy = NAME_POLICY_REJECT;
    assert_int_equal(rule_policy_allowed(&facts), REASON_OK);
}

static void a_request_may_only_be_stricter_about_addresses(void **state)
{
    (void)state;
    request.address_policy = ADDRESS_POLICY_REJECT;
    assert_int_equal(rule_policy_allowed(&facts), REASON_OK);
    rules.address_policy = ADDRESS_POLICY_REJECT;
    assert_int_equal(rule_policy_allowed(&facts), REASON_OK);
    request.address_policy = ADDRESS_POLICY_REMOVE;
    assert_int_equal(rule_policy_allowed(&facts), REASON_POLICY_NOT_ALLOWED);
}

static void an_exhausted_policy_resolves_nothing(void **state)
{
    (void)state;
    bool resolution[NAME_POLICIES];
    static const enum name_policy others[] = {NAME_POLICY_ABSENT, NAME_POLICY_REJECT};
    for (int i = 0; i < 2; i++) {
        name_resolutions(&rules, others[i], resolution);
        for (int policy = 0; policy < NAME_POLICIES; policy++)
            assert_int_equal(resolution[policy], policy == NAME_POLICY_RENAME_RESTORED);
    }
    name_resolutions(&rules, NAME_POLICY_RENAME_RESTORED, resolution);
    for (int policy = 0; policy < NAME_POLICIES; policy++)
        assert_false(resolution[policy]);
}

static void the_template_makes_the_nth_name(void **state)
{
    (void)state;
    char name[NAME_BYTES + 1];
    assert_true(rename_from_template("{local}.{n}@{domain}", "ola@contoso.com", 2, name));
    assert_string_equal(name, "ola.2@contoso.com");
    assert_true(rename_from_template("{n}-{local}{x@{domain}", "ola@contoso.com", 20, name));
    assert_string_equal(name, "20-ola{x@contoso.com");
}

static void a_name_longer_than_the_directory_allows_is_not_made(void **state)
{
    (void)state;
    char user[NAME_BYTES + 1], name[NAME_BYTES + 1];
    memset(user, 'a', 64);
    text_copy(user + 62, sizeof user - 62, "@contoso.com");
    assert_true(rename_from_template("{local}.{n}@{domain}", user, 2, name));
    assert_false(rename_from_template("{local}.{n}@{domain}", user, 10, name)); /* 65 before "@" */
    assert_false(rename_from_template("{local}{local}@{domain}", user, 2, name));
    assert_false(rename_from_template("{local}@{domain}{domain}{domain}{domain}{domain}",
                                      "ola@contoso.com", 2, name)); /* 55 after it */
    assert_false(rename_from_template("{local}.{n}", "ola@contoso.com", 2, name));
}

/* recipients */

static void a_password_needs_a_key(void **state)
{
    (void)state;
    request.password = PASSWORD_GENERATE;
    rules.has_recipient_key = false;
    assert_int_equal(rule_recipients(&facts), REASON_RECIPIENT_NOT_ALLOWED);
}

static void a_password_goes_only_where_the_configuration_says(void **state)
{
    (void)state;
    request.has_notify_to = true;
    static const struct {
        const char *to, *cc;
        enum reason expected;
    } cases[] = {
        {"manager", NULL, REASON_OK},
        {"it@CONTOSO.com", NULL, REASON_OK},
        {"it@contoso.com", "manager", REASON_OK},
        {"it@example.org", NULL, REASON_RECIPIENT_NOT_ALLOWED},
        {"requester", NULL, REASON_RECIPIENT_NOT_ALLOWED},
        {"user-alternate", NULL, REASON_RECIPIENT_NOT_ALLOWED},
        {"manager", "it@example.org", REASON_RECIPIENT_NOT_ALLOWED},
        {"it@evilcontoso.com", NULL, REASON_RECIPIENT_NOT_ALLOWED},
        {"\"x@evil.org\"@contoso.com", NULL, REASON_RECIPIENT_NOT_ALLOWED},
        {"it", NULL, REASON_RECIPIENT_NOT_ALLOWED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        given_recipients(&request.notify_to, cases[i].to, NULL);
        given_recipients(&request.notify_cc, cases[i].cc, NULL);
        request.password = PASSWORD_GENERATE;
        assert_int_equal(rule_recipients(&facts), cases[i].expected);
        request.password = PASSWORD_LEAVE;
        assert_int_equal(rule_recipients(&facts), REASON_OK);
    }
}

static void a_message_to_nobody_is_refused_as_soon_as_it_is_known(void **state)
{
    (void)state;
    request.has_notify_to = true;
    request.password = PASSWORD_LEAVE;
    given_recipients(&request.notify_to, "user-alternate", "requester");
    target.n_other_mails = 0;
    assert_int_equal(rule_recipients(&facts), REASON_OK); /* the requester has a mailbox */
    requester.mail[0] = '\0';
    assert_int_equal(rule_recipients(&facts), REASON_RECIPIENT_NOT_ALLOWED);
    facts.target = NULL;
    assert_int_equal(rule_recipients(&facts), REASON_OK); /* not looked up yet */
    facts.target = &target;
    facts.requester = NULL;
    assert_int_equal(rule_recipients(&facts), REASON_OK);
    rules.check_requester = false; /* and never will be */
    assert_int_equal(rule_recipients(&facts), REASON_RECIPIENT_NOT_ALLOWED);
    rules.notify_on_succeeded = false; /* nothing would be sent */
    assert_int_equal(rule_recipients(&facts), REASON_OK);
}

static void words_become_addresses(void **state)
{
    (void)state;
    struct recipients named, resolved;
    given_recipients(&named, "user-alternate", "requester");
    text_copy(named.address[named.n++], sizeof named.address[0], "manager");
    text_copy(named.address[named.n++], sizeof named.address[0], "KARI@contoso.com");
    recipients_resolve(&named, &requester, &target, GIVEN_MANAGER, &resolved);
    assert_int_equal(resolved.n, 3); /* the requester is there already */
    assert_string_equal(resolved.address[0], "ola@example.org");
    assert_string_equal(resolved.address[1], "kari@contoso.com");
    assert_string_equal(resolved.address[2], GIVEN_MANAGER);
}

static void words_that_mean_nobody_are_skipped(void **state)
{
    (void)state;
    struct recipients named, resolved;
    given_recipients(&named, "manager", "requester");
    recipients_resolve(&named, NULL, NULL, "", &resolved);
    assert_int_equal(resolved.n, 0);
    requester.enabled = false;
    recipients_resolve(&named, &requester, &target, "", &resolved);
    assert_int_equal(resolved.n, 0);
}

static void nobody_is_told_beyond_five(void **state)
{
    (void)state;
    struct recipients named = {.n = 0}, resolved;
    given_recipients(&named, "user-alternate", NULL);
    for (int i = 1; i < RECIPIENTS_MAX; i++) {
        char address[] = "a@contoso.com";
        address[0] = (char)('a' + i);
        text_copy(named.address[named.n++], sizeof named.address[0], address);
    }
    target.n_other_mails = 2;
    text_copy(target.other_mails[1], sizeof target.other_mails[1], "second@example.org");
    recipients_resolve(&named, NULL, &target, "", &resolved);
    assert_int_equal(resolved.n, RECIPIENTS_MAX);
}

#define RULE_TEST(name) cmocka_unit_test_setup(name, everything_is_known_and_in_order)
int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE_TEST(the_plain_case_is_allowed),
        RULE_TEST(missing_facts_refuse_nobody),
        RULE_TEST(whoever_asks_is_judged_before_what_he_asks),
        RULE_TEST(an_absent_or_disabled_requester_is_unknown),
        RULE_TEST(another_role_is_not_enough),
        RULE_TEST(nobody_named_is_nobody_authorised),
        RULE_TEST(an_app_must_be_listed),
        RULE_TEST(a_listed_app_must_be_enabled_in_the_tenant_and_needs_no_role),
        RULE_TEST(an_app_has_no_mail_to_be_told_by),
        RULE_TEST(the_window_closes_with_its_last_moment),
        RULE_TEST(the_window_runs_on_the_directorys_clock),
        RULE_TEST(a_shorter_retention_is_kept),
        RULE_TEST(an_old_request_is_refused),
        RULE_TEST(a_request_from_before_the_deletion_is_refused),
        RULE_TEST(no_time_is_too_large_for_the_rules),
        RULE_TEST(a_window_ends_where_time_does),
        RULE_TEST(a_synced_user_is_refused_unless_allowed),
        RULE_TEST(the_limit_is_shared_by_partitions_and_rounded_up),
        RULE_TEST(an_unknown_share_refuses_nobody),
        RULE_TEST(an_administrator_is_refused_unless_allowed),
        RULE_TEST(the_requests_choice_comes_before_the_configurations),
        RULE_TEST(only_listed_policies_are_allowed),
        RULE_TEST(reject_is_always_allowed),
        RULE_TEST(a_request_may_only_be_stricter_about_addresses),
        RULE_TEST(an_exhausted_policy_resolves_nothing),
        RULE_TEST(the_template_makes_the_nth_name),
        RULE_TEST(a_name_longer_than_the_directory_allows_is_not_made),
        RULE_TEST(a_password_needs_a_key),
        RULE_TEST(a_password_goes_only_where_the_configuration_says),
        RULE_TEST(a_message_to_nobody_is_refused_as_soon_as_it_is_known),
        RULE_TEST(words_become_addresses),
        RULE_TEST(words_that_mean_nobody_are_skipped),
        RULE_TEST(nobody_is_told_beyond_five),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

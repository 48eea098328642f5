#include "tests/unit/policy/given.h"

#include <string.h>

#define SET(field, text) text_copy(field, sizeof(field), text)

void given_recipients(struct recipients *recipients, const char *first, const char *second)
{
    recipients->n = 0;
    if (first != NULL)
        SET(recipients->address[recipients->n++], first);
    if (second != NULL)
        SET(recipients->address[recipients->n++], second);
}

void given_rules(struct policy_rules *rules)
{
    memset(rules, 0, sizeof *rules);
    rules->retention_days = 30;
    rules->check_requester = true;
    rules->n_requester_roles = 1;
    SET(rules->requester_roles[0], ROLE_GLOBAL_ADMINISTRATOR);
    rules->n_requester_apps = 1;
    SET(rules->requester_apps[0], GIVEN_APP_ID);
    rules->name_policy = NAME_POLICY_REJECT;
    rules->name_policy_allowed[NAME_POLICY_REJECT] = true;
    rules->name_policy_allowed[NAME_POLICY_RENAME_RESTORED] = true;
    SET(rules->rename_template, "{local}.{n}@{domain}");
    rules->address_policy = ADDRESS_POLICY_REMOVE;
    rules->reject_synced_users = true;
    rules->reject_privileged_targets = true;
    given_recipients(&rules->notify_default, "manager", NULL);
    rules->secret_words = RECIPIENT_MANAGER;
    rules->n_secret_domains = 1;
    SET(rules->secret_domains[0], "@contoso.com");
    rules->has_recipient_key = true;
    rules->notify_on_succeeded = true;
    rules->max_request_age_ms = 72 * HOUR_MS;
    rules->request_deadline_ms = 900 * SECOND_MS;
}

void given_request(struct restore_request *request)
{
    memset(request, 0, sizeof *request);
    SET(request->envelope.source, "urn:servicenow:prod");
    SET(request->envelope.id, "INC0012345");
    request->envelope.requested_at_ms = GIVEN_NOW_MS - MINUTE_MS;
    request->user.by = NAMED_BY_ID;
    SET(request->user.text, GIVEN_USER_ID);
    request->requested_by.by = NAMED_BY_ID;
    SET(request->requested_by.text, GIVEN_REQUESTER_ID);
}

void given_requester(struct requester_facts *requester)
{
    memset(requester, 0, sizeof *requester);
    requester->exists = true;
    requester->enabled = true;
    SET(requester->id, GIVEN_REQUESTER_ID);
    SET(requester->display_name, "Kari Admin");
    SET(requester->mail, "kari@contoso.com");
    requester->n_roles = 2;
    SET(requester->role_template_ids[0], ROLE_HELPDESK_ADMINISTRATOR);
    SET(requester->role_template_ids[1], ROLE_GLOBAL_ADMINISTRATOR);
}

void given_user(struct user_facts *user)
{
    memset(user, 0, sizeof *user);
    SET(user->id, GIVEN_USER_ID);
    SET(user->user_principal_name, GIVEN_USER_NAME);
    SET(user->display_name, "Ola Nordmann");
    SET(user->mail, GIVEN_USER_NAME);
    SET(user->preferred_language, "nb-NO");
    user->n_other_mails = 1;
    SET(user->other_mails[0], "ola@example.org");
    user->created_at_ms = GIVEN_NOW_MS - 1000 * DAY_MS;
    user->deleted_at_ms = GIVEN_DELETED_AT_MS;
    user->last_password_change_at_ms = GIVEN_NOW_MS - 100 * DAY_MS;
    user->enabled = true;
    user->has_licence = true;
    string_list_add(&user->proxy_addresses, "SMTP:ola@contoso.com");
    string_list_add(&user->proxy_addresses, "smtp:ola.nordmann@contoso.com");
}

/* The plain case that the policy's tests start from: an authorised administrator asks for a user
 * who was deleted ten days ago; the password goes to the manager. Each test changes one thing. */
#ifndef TESTS_UNIT_POLICY_GIVEN_H
#define TESTS_UNIT_POLICY_GIVEN_H

#include "policy/directory.h"
#include "policy/rules.h"

#define GIVEN_NOW_MS (INT64_C(1790000000) * SECOND_MS)
#define GIVEN_DELETED_AT_MS (GIVEN_NOW_MS - 10 * DAY_MS)

#define GIVEN_USER_ID "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"
#define GIVEN_USER_NAME "ola@contoso.com"
#define GIVEN_REQUESTER_ID "11111111-2222-3333-4444-555555555555"
#define GIVEN_APP_ID "99999999-2222-3333-4444-555555555555"
#define GIVEN_MANAGER "boss@contoso.com"
#define ROLE_GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"
#define ROLE_HELPDESK_ADMINISTRATOR "729827e3-9c14-49f7-bb1b-9608f156bbb8"

void given_rules(struct policy_rules *rules);
void given_request(struct restore_request *request);
void given_requester(struct requester_facts *requester);
void given_user(struct user_facts *user);
void given_recipients(struct recipients *recipients, const char *first, const char *second);

#endif

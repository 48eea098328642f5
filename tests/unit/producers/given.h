/* Values that the encoders' tests start from, each field filled with something to be found again.
 */
#ifndef TESTS_UNIT_PRODUCERS_GIVEN_H
#define TESTS_UNIT_PRODUCERS_GIVEN_H

#include "policy/intent.h"
#include "policy/outcome.h"
#include "producers/event_settings.h"

#define GIVEN_USER_ID "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"
#define GIVEN_STARTED_MS INT64_C(1795176000000)  /* 2026-11-20T12:00:00.000Z */
#define GIVEN_FINISHED_MS INT64_C(1795176001234) /* 2026-11-20T12:00:01.234Z */

void given_event_settings(struct event_settings *settings);
/* The request of the contract's UUID vector. */
void given_request(struct restore_request *request);
void given_user(struct user_facts *user);
/* A plain success. `request` and `before` are borrowed; nobody is to be notified. */
void given_outcome(struct outcome *outcome, const struct restore_request *request,
                   const struct user_facts *before);
/* The same before anybody looked the user up. */
void given_early_failure(struct outcome *outcome, const struct restore_request *request,
                         enum reason reason);

#endif

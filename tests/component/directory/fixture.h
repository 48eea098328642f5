/* A directory client, its loop and the scripted server it talks to. */
#ifndef TESTS_DIRECTORY_FIXTURE_H
#define TESTS_DIRECTORY_FIXTURE_H

#include "tests/component/directory/scripted_server.h"
#include "worker/directory/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER_ID "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"
#define USER_NAME "ola@contoso.com"
#define USER_BODY                                                                                  \
    "{\"id\":\"" USER_ID "\",\"userPrincipalName\":\"" USER_NAME "\",\"displayName\":\"Ola\","     \
    "\"accountEnabled\":true}"
#define TOKEN_TARGET "/tenant.test/oauth2/v2.0/token"
#define IDENTITY_TARGET "/metadata/identity/oauth2/token"

enum { REQUEST_TIMEOUT_MS = 2000, WAIT_MAX_MS = 60000 };

struct fixture {
    struct scripted_server *server;
    struct loop *loop;
    struct directory *directory;
    struct directory_settings settings;
    scripted_handler *graph; /* what is not asked of the login or metadata service */
    scripted_handler *login; /* NULL: token-0, token-1, ... for an hour */
    /* the server's thread counts */
    atomic_int n_tokens, n_graph;
    char next_link[256]; /* for handlers that page */
    /* what the owner is told */
    int n_on_call;
    char on_token[8][128];
    int n_on_token;
    struct timer look; /* here, because a failing test leaves its stack behind */
};

/* One question and what came of it. */
struct asking {
    struct fixture *fixture;
    struct directory_question question;
    struct directory_call call;
    int n_answers;
    struct directory_answer answer;
};

/* Setup and teardown of each test. fixture_start begins once the handlers are set. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_start(struct fixture *fixture, scripted_handler *graph);

/* Turns the loop until the condition holds, which may be one that the server's thread brings about;
 * fails after WAIT_MAX_MS. */
void fixture_turn_until(struct fixture *fixture, bool (*holds)(void *context), void *context);

void asking_init(struct asking *asking, struct fixture *fixture,
                 enum directory_operation operation);
void asking_begin(struct asking *asking);
void asking_wait(struct asking *asking);
/* init, begin and wait. */
void ask(struct asking *asking, struct fixture *fixture, enum directory_operation operation);
void check_status(const struct asking *asking, enum directory_status status, int http_status);

/* Lets the guards off for this test; skips it where the build has none of the controls. */
void without_guards(const char *guards);

#endif

#include "tests/component/directory/fixture.h"

#include <signal.h>
#include <stdlib.h>

enum { LOOK_MS = 10 };

static void handle(void *context, const struct scripted_request *request,
                   struct scripted_reply *reply)
{
    static char body[256]; /* the server's thread alone writes it */
    struct fixture *fixture = context;
    struct scripted_request counted = *request;
    if (strcmp(request->target, TOKEN_TARGET) != 0 &&
        strncmp(request->target, IDENTITY_TARGET, strlen(IDENTITY_TARGET)) != 0) {
        counted.number = fixture->n_graph++;
        fixture->graph(fixture, &counted, reply);
        return;
    }
    counted.number = fixture->n_tokens++;
    if (fixture->login != NULL) {
        fixture->login(fixture, &counted, reply);
        return;
    }
    (void)snprintf(body, sizeof body,
                   "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"token-%d\"}",
                   counted.number);
    reply->body = body;
}

static void on_call(void *context, const struct directory_call *call,
                    const struct directory_answer *answer, int64_t duration_ms)
{
    struct fixture *fixture = context;
    assert_true((answer->http_status == 0) == (call->fault != NULL));
    assert_true(duration_ms >= 0);
    fixture->n_on_call++;
}

static void on_token(void *context, int tenant, const char *error)
{
    struct fixture *fixture = context;
    assert_int_equal(tenant, 0);
    int place = fixture->n_on_token < 8 ? fixture->n_on_token : 7;
    (void)snprintf(fixture->on_token[place], sizeof fixture->on_token[place], "%s", error);
    fixture->n_on_token++;
}

int fixture_setup(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)unsetenv("RESTORE_TEST_WITHOUT");
    (void)unsetenv("http_proxy");
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->server = scripted_server_new(handle, fixture);
    assert_int_equal(loop_new(&fixture->loop), 0);
    struct tenant_settings *tenant = &fixture->settings.tenants[0];
    fixture->settings.n_tenants = 1;
    fixture->settings.max_in_flight = 8;
    fixture->settings.request_timeout_ms = REQUEST_TIMEOUT_MS;
    fixture->settings.promise_max_ms = HOUR_MS;
    fixture->settings.on_call = on_call;
    fixture->settings.on_token = on_token;
    fixture->settings.context = fixture;
    (void)snprintf(tenant->name, sizeof tenant->name, "test");
    (void)snprintf(tenant->id, sizeof tenant->id, "tenant.test");
    (void)snprintf(tenant->client_id, sizeof tenant->client_id, USER_ID);
    (void)snprintf(tenant->graph_url, sizeof tenant->graph_url, "%s",
                   scripted_server_url(fixture->server));
    (void)snprintf(tenant->login_url, sizeof tenant->login_url, "%s",
                   scripted_server_url(fixture->server));
    tenant->resource_units_per_10s = tenant->writes_per_150s = 10000000;
    tenant->client_secret = strdup("s&cr=t +/~");
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    directory_free(fixture->directory);
    loop_free(fixture->loop);
    scripted_server_free(fixture->server);
    free(fixture->settings.tenants[0].client_secret);
    free(fixture);
    (void)unsetenv("RESTORE_TEST_WITHOUT");
    return 0;
}

void fixture_start(struct fixture *fixture, scripted_handler *graph)
{
    char error[256];
    fixture->graph = graph;
    assert_int_equal(
        directory_new(&fixture->settings, fixture->loop, &fixture->directory, error, sizeof error),
        0);
    directory_set_share(fixture->directory, 1, 1);
}

static void on_look(void *context)
{
    (void)context; /* it ended the loop's wait */
}

void fixture_turn_until(struct fixture *fixture, bool (*holds)(void *context), void *context)
{
    int64_t end_mono_ms = loop_read_mono_ms() + WAIT_MAX_MS;
    fixture->look.on_due = on_look;
    while (!holds(context)) {
        int64_t now_mono_ms = loop_read_mono_ms();
        assert_true(now_mono_ms < end_mono_ms);
        /* What the server's thread counts wakes no loop. */
        loop_set_timer(fixture->loop, &fixture->look, now_mono_ms + LOOK_MS);
        assert_int_equal(loop_turn(fixture->loop), 0);
    }
    loop_cancel_timer(fixture->loop, &fixture->look);
}

static void on_answer(void *context, const struct directory_answer *answer)
{
    struct asking *asking = context;
    asking->n_answers++;
    asking->answer = *answer;
}

void asking_init(struct asking *asking, struct fixture *fixture, enum directory_operation operation)
{
    memset(asking, 0, sizeof *asking);
    asking->fixture = fixture;
    asking->question.operation = operation;
    (void)snprintf(asking->question.id, sizeof asking->question.id, USER_ID);
    (void)snprintf(asking->question.client_request_id, sizeof asking->question.client_request_id,
                   "00000000-1111-4222-8333-444444444444");
    asking->call = (struct directory_call){.question = &asking->question,
                                           .password = "Sesam\"5\\Aa",
                                           .proven_until_mono_ms = loop_read_mono_ms() + 60000,
                                           .on_answer = on_answer,
                                           .context = asking};
}

void asking_begin(struct asking *asking)
{
    directory_ask(asking->fixture->directory, &asking->call);
    assert_int_equal(asking->n_answers, 0); /* never from inside directory_ask */
}

static bool is_answered(void *context)
{
    return ((struct asking *)context)->n_answers > 0;
}

void asking_wait(struct asking *asking)
{
    fixture_turn_until(asking->fixture, is_answered, asking);
    assert_int_equal(asking->n_answers, 1);
}

void ask(struct asking *asking, struct fixture *fixture, enum directory_operation operation)
{
    asking_init(asking, fixture, operation);
    asking_begin(asking);
    asking_wait(asking);
}

void check_status(const struct asking *asking, enum directory_status status, int http_status)
{
    assert_int_equal(asking->answer.status, status);
    assert_int_equal(asking->answer.http_status, http_status);
}

void without_guards(const char *guards)
{
#ifdef RESTORE_TEST_CONTROLS
    (void)setenv("RESTORE_TEST_WITHOUT", guards, 1);
#else
    (void)guards;
    skip();
#endif
}

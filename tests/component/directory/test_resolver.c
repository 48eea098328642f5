/* A resolver that does not answer: libcurl asks it in a thread of its own, and the loop must never
 * wait for that thread. */
#include "tests/component/directory/fixture.h"

#include <netdb.h>
#include <semaphore.h>
#include <time.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* Long enough to tell waiting for it from a machine that is slow. */
enum { HANGS_S = 20, TURN_MAX_MS = HANGS_S * 1000 / 2 };

static sem_t let_go;

/* Takes the place of libc's for libcurl too. The server's address is a number and never looked up.
 */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_addresses)
{
    (void)name, (void)service, (void)hints, (void)ret_addresses;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HANGS_S;
    (void)sem_timedwait(&let_go, &until);
    return EAI_AGAIN;
}

static void answer_user(void *context, const struct scripted_request *request,
                        struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = USER_BODY;
    reply->delay_ms = 20;
}

static void a_resolver_that_hangs_holds_up_its_own_tenant_only(void **state)
{
    struct fixture *fixture = *state;
    static struct asking slow, other;
    struct tenant_settings *tenants = fixture->settings.tenants;
    tenants[1] = tenants[0];
    (void)snprintf(tenants[1].name, sizeof tenants[1].name, "slow");
    (void)snprintf(tenants[1].graph_url, sizeof tenants[1].graph_url, "http://graph.test");
    fixture->settings.n_tenants = 2;
    fixture->settings.on_token = NULL; /* the fixture's knows of one tenant */
    fixture_start(fixture, answer_user);
    asking_init(&slow, fixture, DIRECTORY_USER_BY_ID);
    slow.call.tenant = 1;
    asking_begin(&slow);
    int n_others = 0;
    int64_t begun_at_mono_ms = loop_read_mono_ms(), longest_ms = 0;
    while (slow.n_answers == 0) {
        int64_t before_ms = loop_read_mono_ms();
        ask(&other, fixture, DIRECTORY_USER_BY_ID);
        check_status(&other, DIRECTORY_YES, 200);
        int64_t took_ms = loop_read_mono_ms() - before_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        n_others++;
    }
    assert_in_range(loop_read_mono_ms() - begun_at_mono_ms, 0, TURN_MAX_MS);
    assert_in_range(longest_ms, 0, TURN_MAX_MS);
    assert_true(n_others > 1);
    check_status(&slow, DIRECTORY_BUSY, 0); /* certainly not sent */
    (void)sem_post(&let_go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_resolver_that_hangs_holds_up_its_own_tenant_only)};
    (void)sem_init(&let_go, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

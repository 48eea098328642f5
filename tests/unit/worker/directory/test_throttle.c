#include "worker/directory/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ANY = 7 };

static int64_t wait_after(int http_status, const char *throttle_scope)
{
    struct throttle throttle = {0};
    struct reply reply = {.fate = REPLY_WHOLE, .http_status = http_status};
    (void)snprintf(reply.throttle_scope, sizeof reply.throttle_scope, "%s", throttle_scope);
    throttle_take(&throttle, ANY, &reply, 5000, 1000);
    return throttle_wait_ms(&throttle, 1000);
}

static void a_scope_of_tenant_or_application_closes_for_all(void **state)
{
    (void)state;
    assert_int_equal(wait_after(429, "Tenant/Read/app/tenant"), 5000);
    assert_int_equal(wait_after(429, "Application/Write/app/tenant"), 5000);
    assert_int_equal(wait_after(429, "Tenant_Application/ReadWrite/app/tenant"), 5000);
    assert_int_equal(wait_after(503, "tenant/Read/app/tenant"), 5000);
    assert_int_equal(wait_after(429, "Tenant"), 5000);
}

static void any_other_refusal_concerns_its_job_alone(void **state)
{
    (void)state;
    assert_int_equal(wait_after(429, ""), 0);
    assert_int_equal(wait_after(429, "User/Read/app/tenant"), 0);
    assert_int_equal(wait_after(429, "TenantX/Read"), 0);
    assert_int_equal(wait_after(500, "Tenant/Read/app/tenant"), 0);
    assert_int_equal(wait_after(200, "Tenant/Read/app/tenant"), 0);
}

static void a_longer_closure_stands(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    struct reply reply = {.fate = REPLY_WHOLE, .http_status = 429, .throttle_scope = "Tenant/Read"};
    throttle_take(&throttle, ANY, &reply, 10000, 1000);
    throttle_take(&throttle, ANY, &reply, 2000, 2000);
    assert_int_equal(throttle_wait_ms(&throttle, 10999), 1);
    assert_int_equal(throttle_wait_ms(&throttle, 11000), 0);
}

static const struct reply refusal = {.fate = REPLY_WHOLE, .http_status = 429};

static void a_call_is_held_for_as_long_as_it_was_told_and_no_other(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    uint64_t call = throttle_call("GET", "http://127.0.0.1/v1.0/users/1");
    throttle_take(&throttle, call, &refusal, 5000, 1000);
    assert_int_equal(throttle_held_ms(&throttle, call, 5999), 1);
    assert_int_equal(throttle_wait_ms(&throttle, 1000), 0);
    uint64_t others[] = {throttle_call("PATCH", "http://127.0.0.1/v1.0/users/1"),
                         throttle_call("GET", "http://127.0.0.1/v1.0/users/2")};
    for (int i = 0; i < 2; i++)
        assert_int_equal(throttle_held_ms(&throttle, others[i], 1000), 0);
    assert_int_equal(throttle_held_ms(&throttle, call, 6000), 0);
    assert_int_equal(throttle.n_held, 0);
    throttle_take(&throttle, call, &refusal, 1000, 6000);
    assert_int_equal(throttle_held_ms(&throttle, others[0], 7000), 0);
    assert_int_equal(throttle.n_held, 0); /* also when it is never made again */
    throttle_take(&throttle, call, &refusal, 0, 6000);
    assert_int_equal(throttle.n_held, 0);
    throttle_take(&throttle, call, &refusal, 5000, 6000);
    throttle_take(&throttle, call, &refusal, 1000, 6000);
    assert_int_equal(throttle_held_ms(&throttle, call, 6000), 5000);
}

static void of_too_many_calls_that_are_held_the_soonest_is_forgotten(void **state)
{
    (void)state;
    struct throttle throttle = {0};
    for (uint64_t call = 1; call <= THROTTLE_HELD_MAX + 1; call++)
        throttle_take(&throttle, call, &refusal, 1000 * (int64_t)call, 0);
    assert_int_equal(throttle.n_held, THROTTLE_HELD_MAX);
    assert_int_equal(throttle_held_ms(&throttle, 1, 0), 0);
    for (uint64_t call = 2; call <= THROTTLE_HELD_MAX + 1; call++)
        assert_int_equal(throttle_held_ms(&throttle, call, 0), 1000 * call);
}

static void jitter_stays_below_its_bound_and_varies(void **state)
{
    (void)state;
    bool seen[8] = {false};
    for (int i = 0; i < 1000; i++) {
        int64_t jitter_ms = throttle_jitter_ms(8);
        assert_in_range(jitter_ms, 0, 7);
        seen[jitter_ms] = true;
    }
    for (int i = 0; i < 8; i++)
        assert_true(seen[i]);
    assert_int_equal(throttle_jitter_ms(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_of_tenant_or_application_closes_for_all),
        cmocka_unit_test(any_other_refusal_concerns_its_job_alone),
        cmocka_unit_test(a_longer_closure_stands),
        cmocka_unit_test(a_call_is_held_for_as_long_as_it_was_told_and_no_other),
        cmocka_unit_test(of_too_many_calls_that_are_held_the_soonest_is_forgotten),
        cmocka_unit_test(jitter_stays_below_its_bound_and_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

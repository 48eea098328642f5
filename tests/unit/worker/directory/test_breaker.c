#include "worker/directory/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct breaker breaker;
static int64_t now_ms;

static int closed(void **state)
{
    (void)state;
    breaker = (struct breaker){0};
    now_ms = HOUR_MS;
    breaker_awaits(&breaker, now_ms);
    return 0;
}

static void fail_until_it_opens(void)
{
    int n = 1;
    while (!breaker_failed(&breaker, now_ms))
        n++;
    assert_int_equal(n, BREAKER_FAILURES);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void send_probe(void)
{
    now_ms = breaker.probe_at_mono_ms;
    assert_true(breaker_probe_is_due(&breaker, now_ms));
    breaker_probe_leaves(&breaker);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void failures_in_a_row_open_it_once(void **state)
{
    (void)state;
    fail_until_it_opens();
    assert_int_equal(breaker.opened_at_mono_ms, now_ms);
    for (int i = 0; i < 256; i++) /* those that were on the wire */
        assert_false(breaker_failed(&breaker, now_ms + i));
    assert_int_equal(breaker.opened_at_mono_ms, now_ms);
    assert_int_equal(breaker.probe_at_mono_ms, now_ms + BREAKER_PROBE_MS);
}

static void an_answer_in_between_keeps_it_closed(void **state)
{
    (void)state;
    for (int i = 0; i < 10 * BREAKER_FAILURES; i++) {
        if (i % (BREAKER_FAILURES - 1) == 0)
            breaker_heard(&breaker, now_ms);
        assert_false(breaker_failed(&breaker, now_ms));
    }
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void silence_opens_it(void **state)
{
    (void)state;
    assert_false(breaker_still_awaits(&breaker, now_ms + BREAKER_SILENT_MS - 1));
    assert_true(breaker_still_awaits(&breaker, now_ms + BREAKER_SILENT_MS));
    assert_false(breaker_still_awaits(&breaker, now_ms + HOUR_MS));
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void whoever_is_heard_is_not_silent(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        now_ms += BREAKER_SILENT_MS - 1;
        assert_false(breaker_still_awaits(&breaker, now_ms));
        breaker_heard(&breaker, now_ms);
    }
    now_ms += HOUR_MS; /* nothing was asked */
    breaker_awaits(&breaker, now_ms);
    assert_false(breaker_still_awaits(&breaker, now_ms));
}

static void one_probe_at_a_time_is_sent(void **state)
{
    (void)state;
    fail_until_it_opens();
    assert_false(breaker_probe_is_due(&breaker, now_ms + BREAKER_PROBE_MS - 1));
    send_probe();
    assert_false(breaker_probe_is_due(&breaker, now_ms + HOUR_MS));
    assert_false(breaker_still_awaits(&breaker, now_ms + HOUR_MS));
    assert_false(breaker_failed(&breaker, now_ms));
}

static void a_probe_that_is_answered_closes_it(void **state)
{
    (void)state;
    fail_until_it_opens();
    send_probe();
    assert_true(breaker_probe_ends(&breaker, true, 0, now_ms));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_false(breaker_still_awaits(&breaker, now_ms + BREAKER_SILENT_MS - 1));
    fail_until_it_opens(); /* counted anew */
}

static void a_late_answer_alone_does_not_close_it(void **state)
{
    (void)state;
    fail_until_it_opens();
    breaker_heard(&breaker, now_ms);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

/* However long the directory was away, what is lost when it is back is one pause. */
static void the_pause_between_probes_does_not_grow(void **state)
{
    (void)state;
    fail_until_it_opens();
    for (int i = 0; i < 1000; i++) {
        send_probe();
        now_ms += 2 * SECOND_MS;
        assert_false(breaker_probe_ends(&breaker, false, 123, now_ms));
        assert_int_equal(breaker.state, BREAKER_OPEN);
        assert_int_equal(breaker.probe_at_mono_ms, now_ms + BREAKER_PROBE_MS + 123);
    }
    assert_int_equal(breaker.opened_at_mono_ms, HOUR_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(failures_in_a_row_open_it_once, closed),
        cmocka_unit_test_setup(an_answer_in_between_keeps_it_closed, closed),
        cmocka_unit_test_setup(silence_opens_it, closed),
        cmocka_unit_test_setup(whoever_is_heard_is_not_silent, closed),
        cmocka_unit_test_setup(one_probe_at_a_time_is_sent, closed),
        cmocka_unit_test_setup(a_probe_that_is_answered_closes_it, closed),
        cmocka_unit_test_setup(a_late_answer_alone_does_not_close_it, closed),
        cmocka_unit_test_setup(the_pause_between_probes_does_not_grow, closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

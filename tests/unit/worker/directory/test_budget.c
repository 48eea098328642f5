#include "worker/directory/budget.h"

#include "policy/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const int64_t begin_ms = 17 * HOUR_MS + 4321;
static const struct call_cost read = {.units = 1}, change = {.units = 1, .writes = 1};

/* What left, each millisecond; the most that any window saw. */
enum { LOG_MS = 20 * MINUTE_MS };
static int left_at[LOG_MS];

static int most_in_a_window(int window_ms)
{
    int n = 0, most = 0;
    for (int ms = 0; ms < LOG_MS; ms++) {
        n += left_at[ms] - (ms >= window_ms ? left_at[ms - window_ms] : 0);
        most = n > most ? n : most;
    }
    return most;
}

static int all_that_left(void)
{
    int n = 0;
    for (int ms = 0; ms < LOG_MS; ms++)
        n += left_at[ms];
    return n;
}

/* Sends whatever may leave, but for pauses in which tokens are saved up. */
static void send_greedily(struct budget *budget, struct call_cost cost, bool pauses)
{
    uint64_t random = 7;
    memset(left_at, 0, sizeof left_at);
    for (int ms = 0; ms < LOG_MS; ms++) {
        if (pauses && random_next(&random) % 20000 == 0)
            ms += (int)(random_next(&random) % MINUTE_MS);
        while (ms < LOG_MS && budget_wait_ms(budget, cost, begin_ms + ms) == 0) {
            budget_take(budget, cost, begin_ms + ms);
            left_at[ms]++;
        }
    }
}

static void no_window_sees_more_writes_than_the_budget(void **state)
{
    (void)state;
    static const int limits[] = {10, 25, 300, 3000, 50000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        for (int pauses = 0; pauses < 2; pauses++) {
            struct budget budget;
            budget_init(&budget, 10000000, limits[i], HOUR_MS);
            assert_true(budget_set_share(&budget, 1, 1, begin_ms));
            send_greedily(&budget, change, pauses);
            assert_in_range(most_in_a_window(BUDGET_WRITES_WINDOW_MS), limits[i] / 2, limits[i]);
            int whole = limits[i] * (LOG_MS / BUDGET_WRITES_WINDOW_MS);
            if (!pauses) /* and of what there is, nine tenths are used */
                assert_in_range(all_that_left(), whole * 88 / 100, whole * 91 / 100 + 1);
        }
}

static void no_window_sees_more_units_than_the_budget(void **state)
{
    (void)state;
    struct budget budget;
    struct call_cost dear = {.units = 3};
    budget_init(&budget, 3500, 1, HOUR_MS);
    (void)budget_set_share(&budget, 3, 12, begin_ms);
    send_greedily(&budget, dear, true);
    assert_in_range(most_in_a_window(BUDGET_UNITS_WINDOW_MS) * 3, 3500 / 4 * 8 / 10, 3500 / 4);
}

static void the_wait_is_as_long_as_it_takes_and_no_longer(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 10000000, 25, HOUR_MS);
    (void)budget_set_share(&budget, 1, 1, begin_ms);
    int64_t wait_ms = budget_wait_ms(&budget, change, begin_ms);
    assert_int_equal(wait_ms, 150000 * 10 / 9 / 25 + 1);
    assert_int_equal(budget_wait_ms(&budget, change, begin_ms + wait_ms - 1), 1);
    assert_int_equal(budget_wait_ms(&budget, change, begin_ms + wait_ms), 0);
}

static void a_call_dearer_than_the_bucket_leaves_when_it_is_full(void **state)
{
    (void)state;
    struct budget budget;
    struct call_cost dear = {.units = 3};
    budget_init(&budget, 10, 10, HOUR_MS);
    (void)budget_set_share(&budget, 1, 1, begin_ms);
    assert_int_equal(budget_wait_ms(&budget, dear, begin_ms), 1112); /* for one of the three */
    budget_take(&budget, dear, begin_ms + 1112);
    int64_t writes;
    assert_int_equal(budget_left(&budget, begin_ms + 1112, &writes), 0);
    assert_int_equal(budget_wait_ms(&budget, read, begin_ms + 1112), 3334); /* and pays back */
}

static void nothing_leaves_without_a_share(void **state)
{
    (void)state;
    struct budget budget;
    int64_t turn = 0;
    budget_init(&budget, 10000000, 10000000, HOUR_MS);
    assert_int_equal(budget_wait_ms(&budget, read, begin_ms), BUDGET_WAIT_MAX_MS);
    (void)budget_set_share(&budget, 0, 12, begin_ms + HOUR_MS);
    assert_int_equal(budget_wait_ms(&budget, read, begin_ms + HOUR_MS), BUDGET_WAIT_MAX_MS);
    assert_int_equal(budget_turn_ms(&budget, 1000, &turn, begin_ms + HOUR_MS), 0);
}

/* Even one write in 150 s, divided by thousands. */
static void the_smallest_share_is_something(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 1, 1, HOUR_MS);
    (void)budget_set_share(&budget, 1, 4096, begin_ms);
    assert_in_range(budget_wait_ms(&budget, read, begin_ms), 1, BUDGET_WAIT_MAX_MS - 1);
}

static void a_larger_share_brings_no_tokens_and_a_smaller_one_takes_its_part(void **state)
{
    (void)state;
    struct budget budget;
    int64_t now_ms = begin_ms, writes;
    budget_init(&budget, 8000, 3000, HOUR_MS);
    (void)budget_set_share(&budget, 6, 12, now_ms);
    assert_int_equal(budget_left(&budget, now_ms, &writes), 0);
    now_ms += HOUR_MS;
    assert_int_equal(budget_left(&budget, now_ms, &writes), 400);
    assert_int_equal(writes, 150);
    assert_true(budget_set_share(&budget, 12, 12, now_ms));
    assert_int_equal(budget_left(&budget, now_ms, &writes), 400);
    assert_true(budget_set_share(&budget, 3, 12, now_ms));
    assert_false(budget_set_share(&budget, 3, 12, now_ms));
    assert_int_equal(budget_left(&budget, now_ms, &writes), 200);
    assert_int_equal(writes, 75);
}

/* Partitions go to and fro between three instances, of which one is started afresh each time. */
static void rebalances_and_restarts_spend_nothing_twice(void **state)
{
    (void)state;
    enum { INSTANCES = 3, LIMIT = 300, PARTITIONS = 12 };
    struct budget budgets[INSTANCES];
    uint64_t random = 99;
    memset(left_at, 0, sizeof left_at);
    for (int i = 0; i < INSTANCES; i++)
        budget_init(&budgets[i], 10000000, LIMIT, HOUR_MS);
    for (int ms = 0; ms < LOG_MS; ms++) {
        if (ms % 15000 == 0) {
            int first = (int)(random_next(&random) % (PARTITIONS + 1));
            int second = (int)(random_next(&random) % (uint64_t)(PARTITIONS + 1 - first));
            const int held[INSTANCES] = {first, second, PARTITIONS - first - second};
            budget_init(&budgets[ms / 15000 % INSTANCES], 10000000, LIMIT, HOUR_MS);
            for (int i = 0; i < INSTANCES; i++)
                (void)budget_set_share(&budgets[i], held[i], PARTITIONS, begin_ms + ms);
        }
        for (int i = 0; i < INSTANCES; i++)
            while (budget_wait_ms(&budgets[i], change, begin_ms + ms) == 0) {
                budget_take(&budgets[i], change, begin_ms + ms);
                left_at[ms]++;
            }
    }
    assert_in_range(most_in_a_window(BUDGET_WRITES_WINDOW_MS), LIMIT / 2, LIMIT);
}

/* ---- turns ----------------------------------------------------------------------------------- */

enum { CHANGES = 600 };

/* Changes that all want to leave at once; whoever is sent away asks again when it was told to. */
struct crowd {
    struct budget budget;
    int64_t turn_at_ms[CHANGES], asks_at_ms[CHANGES];
    bool in_line[CHANGES];
    int line[CHANGES]; /* those that stand in line, first come first served */
    int n_line, n_asked, n_left;
};

static void crowd_ask(struct crowd *crowd, int i, int64_t now_ms)
{
    int64_t wait_ms = budget_turn_ms(&crowd->budget, crowd->n_line, &crowd->turn_at_ms[i], now_ms);
    crowd->n_asked++;
    crowd->asks_at_ms[i] = now_ms + wait_ms;
    if (wait_ms == 0) {
        crowd->in_line[i] = true;
        crowd->line[crowd->n_line++] = i;
    }
}

static void crowd_turn(struct crowd *crowd, int n, int64_t now_ms)
{
    for (int i = 0; i < n; i++)
        if (!crowd->in_line[i] && crowd->asks_at_ms[i] <= now_ms)
            crowd_ask(crowd, i, now_ms);
    while (crowd->n_line > 0 && budget_wait_ms(&crowd->budget, change, now_ms) == 0) {
        budget_take(&crowd->budget, change, now_ms);
        memmove(crowd->line, crowd->line + 1, (size_t)--crowd->n_line * sizeof crowd->line[0]);
        crowd->n_left++;
    }
}

static void those_who_are_sent_away_come_back_one_by_one(void **state)
{
    (void)state;
    static struct crowd crowd;
    int64_t ms = 0, line_max = 0;
    crowd = (struct crowd){0};
    budget_init(&crowd.budget, 10000000, 600, HOUR_MS);
    (void)budget_set_share(&crowd.budget, 1, 1, begin_ms);
    for (; crowd.n_left < CHANGES; ms++) {
        assert_true(ms < HOUR_MS);
        crowd_turn(&crowd, CHANGES, begin_ms + ms);
        line_max = crowd.n_line > line_max ? crowd.n_line : line_max;
    }
    assert_in_range(ms, 150000 * 10 / 9 - 1000, 150000 * 10 / 9 + 5000); /* none is wasted */
    assert_in_range(crowd.n_asked, CHANGES, 2 * CHANGES); /* each once, and once more in its turn */
    assert_in_range(line_max, 5, BUDGET_LINE_MS * 36 / 10000 + 1);
}

static void a_newcomer_comes_after_those_who_were_sent_away(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd = (struct crowd){0};
    budget_init(&crowd.budget, 10000000, 600, HOUR_MS);
    (void)budget_set_share(&crowd.budget, 1, 1, begin_ms);
    for (int i = 0; i < 100; i++)
        crowd_ask(&crowd, i, begin_ms);
    int64_t last_ms = crowd.asks_at_ms[99];
    assert_in_range(last_ms - begin_ms, 26000, 29000);
    crowd_ask(&crowd, 100, begin_ms + 1000);
    assert_in_range(crowd.asks_at_ms[100], last_ms + 1, last_ms + 1000);
    /* Whoever comes before its time keeps its turn. */
    int64_t turn_ms = crowd.turn_at_ms[50];
    crowd_ask(&crowd, 50, begin_ms + 2000);
    assert_int_equal(crowd.asks_at_ms[50], turn_ms);
    assert_int_equal(crowd.turn_at_ms[50], turn_ms);
}

/* Where less than one write fits into what may be saved up. */
static void the_smallest_budgets_admit_a_change_when_its_turn_comes(void **state)
{
    (void)state;
    static const struct {
        int writes, held, all;
    } shares[] = {{100, 1, 12}, {50, 1, 12}, {8, 1, 1}, {1, 1, 1}, {3000, 1, 400}};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        struct budget budget;
        int64_t turn = 0, now_ms = begin_ms;
        budget_init(&budget, 10000000, shares[i].writes, HOUR_MS);
        (void)budget_set_share(&budget, shares[i].held, shares[i].all, now_ms);
        int64_t wait_ms = budget_turn_ms(&budget, 0, &turn, now_ms);
        assert_in_range(wait_ms, 1, HOUR_MS);
        assert_int_equal(budget_turn_ms(&budget, 0, &turn, now_ms + wait_ms), 0);
    }
}

/* Else those who fail at their deadline would push the line on for ever. */
static void no_turn_is_promised_that_nobody_can_wait_for(void **state)
{
    (void)state;
    enum { MAX_MS = 10 * SECOND_MS };
    static struct crowd crowd;
    crowd = (struct crowd){0};
    budget_init(&crowd.budget, 10000000, 600, MAX_MS);
    (void)budget_set_share(&crowd.budget, 1, 1, begin_ms);
    for (int i = 0; i < CHANGES; i++)
        crowd_ask(&crowd, i, begin_ms);
    assert_in_range(crowd.turn_at_ms[20], begin_ms + 1, begin_ms + MAX_MS);
    assert_int_equal(crowd.turn_at_ms[CHANGES - 1], 0);
    assert_int_equal(crowd.asks_at_ms[CHANGES - 1], begin_ms + MAX_MS / 4);
    assert_in_range(crowd.budget.promised_until_mono_ms, begin_ms + 1, begin_ms + MAX_MS + 1000);
}

static void a_share_that_changes_forgets_what_was_promised(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd = (struct crowd){0};
    budget_init(&crowd.budget, 10000000, 600, HOUR_MS);
    (void)budget_set_share(&crowd.budget, 1, 12, begin_ms);
    for (int i = 0; i < 100; i++)
        crowd_ask(&crowd, i, begin_ms);
    crowd.n_line = 0;
    (void)budget_set_share(&crowd.budget, 12, 12, begin_ms);
    crowd_ask(&crowd, 100, begin_ms);
    assert_true(crowd.in_line[100]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_sees_more_writes_than_the_budget),
        cmocka_unit_test(no_window_sees_more_units_than_the_budget),
        cmocka_unit_test(the_wait_is_as_long_as_it_takes_and_no_longer),
        cmocka_unit_test(a_call_dearer_than_the_bucket_leaves_when_it_is_full),
        cmocka_unit_test(nothing_leaves_without_a_share),
        cmocka_unit_test(the_smallest_share_is_something),
        cmocka_unit_test(a_larger_share_brings_no_tokens_and_a_smaller_one_takes_its_part),
        cmocka_unit_test(rebalances_and_restarts_spend_nothing_twice),
        cmocka_unit_test(those_who_are_sent_away_come_back_one_by_one),
        cmocka_unit_test(a_newcomer_comes_after_those_who_were_sent_away),
        cmocka_unit_test(the_smallest_budgets_admit_a_change_when_its_turn_comes),
        cmocka_unit_test(no_turn_is_promised_that_nobody_can_wait_for),
        cmocka_unit_test(a_share_that_changes_forgets_what_was_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

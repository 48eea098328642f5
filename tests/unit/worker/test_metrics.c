#include "worker/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *page_of(const struct metrics *metrics)
{
    char *text;
    size_t bytes;
    FILE *page = open_memstream(&text, &bytes);
    assert_non_null(page);
    metrics_write(metrics, page);
    assert_int_equal(fclose(page), 0);
    return text;
}

static char *read_golden(void)
{
    static char text[32 * 1024];
    FILE *file = fopen(TEST_DATA "/metrics/expected", "re");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return text;
}

static void write_golden(const char *text)
{
    FILE *file = fopen(TEST_DATA "/metrics/expected", "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void fill(struct metrics *metrics)
{
    static const struct recent_outcome restored = {.reason = REASON_RESTORED};
    static const struct recent_outcome refused = {.reason = REASON_NOT_FOUND};
    *metrics = (struct metrics){0};
    metrics_count_outcome(metrics, &restored, 5000);
    metrics_count_outcome(metrics, &restored, 5000);
    metrics_count_outcome(metrics, &refused, 5000);
    metrics_count_call(metrics, DIRECTORY_RESTORE, 200, 5);
    metrics_count_call(metrics, DIRECTORY_RESTORE, 200, 6);
    metrics_count_call(metrics, DIRECTORY_REQUESTER, 418, 999);
    metrics_count_call(metrics, DIRECTORY_SET_PASSWORD, 0, 30001);
    metrics_count_commit(metrics, 3, 17);
    metrics->dead_letters = 4;
    metrics->waiting = 7;
    metrics->in_flight = 2;
    metrics->oldest_ms = 61500;
    metrics->dedupe_window_ms = 72 * HOUR_MS;
    metrics->partitions_held = 6;
    metrics->partitions = 12;
    metrics->paused = 1;
    metrics->started_at_ms = INT64_C(1763812345678);
    metrics->cpu_ms = 1234;
    metrics->resident_bytes = 67108864;
    metrics->n_tenants = 2;
    metrics->tenants[0] = (struct tenant_metrics){.name = "contoso",
                                                  .state = {.has_token = true,
                                                            .throttled_ms = 1,
                                                            .units_left = 800,
                                                            .writes_left = 299,
                                                            .concurrency_limit = 256}};
    metrics->tenants[1] = (struct tenant_metrics){
        .name = "fabrikam",
        .state = {.breaker = BREAKER_OPEN, .credential_expires_at_ms = INT64_C(1795348345000)}};
}

static void the_page_is_the_text_that_prometheus_reads(void **state)
{
    (void)state;
    struct metrics *metrics = malloc(sizeof *metrics);
    assert_non_null(metrics);
    fill(metrics);
    char *text = page_of(metrics);
    if (getenv("UPDATE_GOLDEN") != NULL)
        write_golden(text);
    assert_string_equal(text, read_golden());
    free(text);
    free(metrics);
}

static void an_observation_counts_up_to_and_including_its_bound(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    metrics_count_commit(&metrics, 1, 5);
    metrics_count_commit(&metrics, 1, 6);
    metrics_count_commit(&metrics, 1, 30000);
    metrics_count_commit(&metrics, 1, 30001);
    assert_int_equal(metrics.commit_ms.counts[0], 1);
    assert_int_equal(metrics.commit_ms.counts[1], 1);
    assert_int_equal(metrics.commit_ms.counts[HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(metrics.commit_ms.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(metrics.commit_ms.sum_ms, 60012);
}

static void any_status_has_one_of_few_labels(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    for (int status = -5; status < 2000; status++)
        metrics_count_call(&metrics, DIRECTORY_MANAGER, status, 0);
    int64_t sum = 0;
    for (int i = 0; i < HTTP_CODES; i++) {
        assert_true(metrics.directory_requests[DIRECTORY_MANAGER][i] >= 1);
        sum += metrics.directory_requests[DIRECTORY_MANAGER][i];
    }
    assert_int_equal(sum, 2005);
    assert_int_equal(metrics.directory_requests[DIRECTORY_MANAGER][HTTP_CODES - 1], 1); /* 0 */
}

static void the_last_minute_forgets_what_is_older(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    static const struct recent_outcome outcome = {.reason = REASON_RESTORED};
    int64_t begin = 1000 * SECOND_MS;
    assert_int_equal(metrics_last_minute(&metrics, begin), 0);
    metrics_count_outcome(&metrics, &outcome, begin);
    metrics_count_outcome(&metrics, &outcome, begin + 30 * SECOND_MS);
    assert_int_equal(metrics_last_minute(&metrics, begin + 59 * SECOND_MS), 2);
    assert_int_equal(metrics_last_minute(&metrics, begin + 60 * SECOND_MS), 1);
    assert_int_equal(metrics_last_minute(&metrics, begin + 90 * SECOND_MS), 0);
    /* A place is used again only after it was cleared. */
    metrics_count_outcome(&metrics, &outcome, begin + 90 * SECOND_MS);
    metrics_count_outcome(&metrics, &outcome, begin + 400 * SECOND_MS);
    assert_int_equal(metrics_last_minute(&metrics, begin + 400 * SECOND_MS), 1);
    assert_int_equal(metrics.outcomes[REASON_RESTORED], 4);
}

static void the_newest_hundred_outcomes_are_kept(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    assert_null(metrics_recent(&metrics, 0));
    for (int i = 0; i < 3 * RECENT_OUTCOMES / 2; i++) {
        struct recent_outcome outcome = {.reason = REASON_RESTORED, .offset = i};
        metrics_count_outcome(&metrics, &outcome, 0);
        assert_int_equal(metrics_recent(&metrics, 0)->offset, i);
    }
    assert_int_equal(metrics_recent(&metrics, RECENT_OUTCOMES - 1)->offset, RECENT_OUTCOMES / 2);
    assert_null(metrics_recent(&metrics, RECENT_OUTCOMES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_the_text_that_prometheus_reads),
        cmocka_unit_test(an_observation_counts_up_to_and_including_its_bound),
        cmocka_unit_test(any_status_has_one_of_few_labels),
        cmocka_unit_test(the_last_minute_forgets_what_is_older),
        cmocka_unit_test(the_newest_hundred_outcomes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

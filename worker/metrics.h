/* What the worker counts, and how Prometheus reads it (contract 6). One struct for counters and
 * gauges alike, one table of rows that gives each its name, help and type; label values come from
 * the project's own tables, so nothing from outside becomes one but the configured tenant names.
 * Loop thread only. */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include "policy/directory.h"
#include "policy/reason.h"
#include "worker/directory/directory.h"

#include <stdio.h>

enum {
    HISTOGRAM_BOUNDS = 12,
    THROUGHPUT_SECONDS = 60,
    RECENT_OUTCOMES = 100,
    HTTP_CODES = 20, /* rows of the table in metrics.c */
};

struct histogram {
    int64_t
        counts[HISTOGRAM_BOUNDS + 1]; /* by bound, the last one beyond them all; not summed up */
    int64_t sum_ms;
};

/* Of a published outcome; no name, address or request id, which its sender makes up. */
struct recent_outcome {
    int64_t at_ms; /* wall clock */
    enum reason reason;
    char user_id[GUID_CHARS + 1]; /* "": unresolved */
    int32_t partition;
    int64_t offset; /* of the request */
};

struct tenant_metrics {
    const char *name; /* borrowed from the settings */
    struct directory_tenant_state state;
};

struct metrics { /* starts as {0} */
    /* counters, since the start */
    int64_t outcomes[REASONS];
    int64_t replays, dead_letters, skipped;
    int64_t directory_requests[DIRECTORY_OPERATION_COUNT][HTTP_CODES];
    struct histogram directory_ms;
    int64_t token_failures;
    int64_t commits, commits_refused, publications;
    struct histogram commit_ms; /* from the batch's way to the publisher to its way back */
    int64_t rebalances;

    int64_t per_second[THROUGHPUT_SECONDS]; /* outcomes, by second modulo THROUGHPUT_SECONDS */
    int64_t second;                         /* the newest of them, monotonic */
    int64_t n_recent;                       /* ever */
    struct recent_outcome recent[RECENT_OUTCOMES]; /* the n-th at n modulo RECENT_OUTCOMES */

    /* gauges, sampled when a page is asked for */
    int64_t waiting, in_flight, oldest_ms, directory_in_flight, dedupe_window_ms;
    int64_t partitions_held, partitions;
    int64_t paused, ready;
    int64_t started_at_ms, resident_bytes, cpu_ms;
    int n_tenants;
    struct tenant_metrics tenants[TENANTS_MAX];
};

void metrics_count_outcome(struct metrics *metrics, const struct recent_outcome *outcome,
                           int64_t mono_ms);
/* http_status 0: there was no reply. */
void metrics_count_call(struct metrics *metrics, enum directory_operation operation,
                        int http_status, int64_t duration_ms);
void metrics_count_commit(struct metrics *metrics, int n_publications, int64_t duration_ms);

/* Outcomes of the last THROUGHPUT_SECONDS. */
int64_t metrics_last_minute(const struct metrics *metrics, int64_t mono_ms);
/* The n-th newest outcome, 0 the newest; NULL: there are no more. */
const struct recent_outcome *metrics_recent(const struct metrics *metrics, int n);

/* Prometheus' text format 0.0.4. */
void metrics_write(const struct metrics *metrics, FILE *page);

#endif

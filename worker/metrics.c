#include "worker/metrics.h"

#include <inttypes.h>
#include <stddef.h>

/* ---- counting -------------------------------------------------------------------------------- */

static const int64_t bounds_ms[HISTOGRAM_BOUNDS] = {5,   10,   25,   50,   100,   250,
                                                    500, 1000, 2500, 5000, 10000, 30000};

/* A status line may hold any number; a label may not. The last two: any other, and no reply. */
static const struct {
    int status;
    const char *label;
} codes[HTTP_CODES] = {
    {200, "200"}, {201, "201"}, {202, "202"}, {204, "204"},  {400, "400"},
    {401, "401"}, {403, "403"}, {404, "404"}, {408, "408"},  {409, "409"},
    {412, "412"}, {422, "422"}, {423, "423"}, {429, "429"},  {500, "500"},
    {502, "502"}, {503, "503"}, {504, "504"}, {-1, "other"}, {0, "none"},
};

static void observe(struct histogram *histogram, int64_t ms)
{
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && ms > bounds_ms[i])
        i++;
    histogram->counts[i]++;
    histogram->sum_ms += ms;
}

static int64_t clear_seconds(int64_t *per_second, int64_t newest, int64_t second)
{
    for (int64_t s = newest + 1; s <= second && s <= newest + THROUGHPUT_SECONDS; s++)
        per_second[s % THROUGHPUT_SECONDS] = 0;
    return second > newest ? second : newest;
}

void metrics_count_outcome(struct metrics *metrics, const struct recent_outcome *outcome,
                           int64_t mono_ms)
{
    metrics->outcomes[outcome->reason]++;
    metrics->second = clear_seconds(metrics->per_second, metrics->second, mono_ms / SECOND_MS);
    metrics->per_second[metrics->second % THROUGHPUT_SECONDS]++;
    metrics->recent[metrics->n_recent++ % RECENT_OUTCOMES] = *outcome;
}

void metrics_count_call(struct metrics *metrics, enum directory_operation operation,
                        int http_status, int64_t duration_ms)
{
    int i = http_status == 0 ? HTTP_CODES - 1 : 0;
    while (i < HTTP_CODES - 2 && codes[i].status != http_status)
        i++;
    metrics->directory_requests[operation][i]++;
    observe(&metrics->directory_ms, duration_ms);
}

void metrics_count_commit(struct metrics *metrics, int n_publications, int64_t duration_ms)
{
    metrics->commits++;
    metrics->publications += n_publications;
    observe(&metrics->commit_ms, duration_ms);
}

int64_t metrics_last_minute(const struct metrics *metrics, int64_t mono_ms)
{
    int64_t sum = 0;
    for (int i = 0; i < THROUGHPUT_SECONDS; i++) {
        int64_t second = metrics->second - i;
        if (second >= 0 && second > mono_ms / SECOND_MS - THROUGHPUT_SECONDS)
            sum += metrics->per_second[second % THROUGHPUT_SECONDS];
    }
    return sum;
}

const struct recent_outcome *metrics_recent(const struct metrics *metrics, int n)
{
    if (n >= RECENT_OUTCOMES || n >= metrics->n_recent)
        return NULL;
    return &metrics->recent[(metrics->n_recent - 1 - n) % RECENT_OUTCOMES];
}

/* ---- the text -------------------------------------------------------------------------------- */

struct row {
    const char *name, *type, *help;
    /* The samples; `name` and `field` are the row's. */
    void (*write)(FILE *page, const struct metrics *metrics, const char *name, const void *field);
    size_t field; /* offset */
};

static void write_ms(FILE *page, int64_t ms)
{
    fprintf(page, "%" PRId64 ".%03d\n", ms / 1000, (int)(ms % 1000));
}

static void number(FILE *page, const struct metrics *metrics, const char *name, const void *field)
{
    (void)metrics;
    fprintf(page, "%s %" PRId64 "\n", name, *(const int64_t *)field);
}

static void seconds(FILE *page, const struct metrics *metrics, const char *name, const void *field)
{
    (void)metrics;
    fprintf(page, "%s ", name);
    write_ms(page, *(const int64_t *)field);
}

static void histogram(FILE *page, const struct metrics *metrics, const char *name,
                      const void *field)
{
    (void)metrics;
    const struct histogram *h = field;
    int64_t sum = 0;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        sum += h->counts[i];
        fprintf(page, "%s_bucket{le=\"%d.%03d\"} %" PRId64 "\n", name, (int)(bounds_ms[i] / 1000),
                (int)(bounds_ms[i] % 1000), sum);
    }
    sum += h->counts[HISTOGRAM_BOUNDS];
    fprintf(page, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n%s_count %" PRId64 "\n%s_sum ", name, sum,
            name, sum, name);
    write_ms(page, h->sum_ms);
}

/* All of them from the start: a rate needs the zero before the first one. REASON_OK is none. */
static void outcomes(FILE *page, const struct metrics *metrics, const char *name, const void *field)
{
    (void)field;
    for (enum reason reason = REASON_OK + 1; reason < REASONS; reason++)
        fprintf(page, "%s{outcome=\"%s\"} %" PRId64 "\n", name, reason_code(reason),
                metrics->outcomes[reason]);
}

/* Only the pairs that occurred: nine times twenty would be nearly all zeros. */
static void calls(FILE *page, const struct metrics *metrics, const char *name, const void *field)
{
    (void)field;
    for (int operation = 0; operation < DIRECTORY_OPERATION_COUNT; operation++)
        for (int i = 0; i < HTTP_CODES; i++)
            if (metrics->directory_requests[operation][i] > 0)
                fprintf(page, "%s{operation=\"%s\",code=\"%s\"} %" PRId64 "\n", name,
                        directory_operation_name((enum directory_operation)operation),
                        codes[i].label, metrics->directory_requests[operation][i]);
}

/* Tenant names are letters, digits and "._-" (settings_checks.c): nothing to escape. */
static void of_tenant(FILE *page, const char *name, const struct tenant_metrics *tenant,
                      int64_t value)
{
    fprintf(page, "%s{tenant=\"%s\"} %" PRId64 "\n", name, tenant->name, value);
}

#define OF_TENANTS(function, value)                                                                \
    static void function(FILE *page, const struct metrics *metrics, const char *name,              \
                         const void *field)                                                        \
    {                                                                                              \
        (void)field;                                                                               \
        for (int i = 0; i < metrics->n_tenants; i++) {                                             \
            const struct directory_tenant_state *state = &metrics->tenants[i].state;               \
            of_tenant(page, name, &metrics->tenants[i], value);                                    \
        }                                                                                          \
    }
OF_TENANTS(throttled, state->throttled_ms > 0)
OF_TENANTS(breakers, state->breaker != BREAKER_CLOSED)
OF_TENANTS(tokens, state->has_token)
OF_TENANTS(units_left, state->units_left)
OF_TENANTS(writes_left, state->writes_left)
OF_TENANTS(concurrency_limits, state->concurrency_limit)

static void expiries(FILE *page, const struct metrics *metrics, const char *name, const void *field)
{
    (void)field;
    for (int i = 0; i < metrics->n_tenants; i++) {
        int64_t expires_at_ms = metrics->tenants[i].state.credential_expires_at_ms;
        if (expires_at_ms != 0)
            of_tenant(page, name, &metrics->tenants[i], expires_at_ms / 1000);
    }
}

static void build(FILE *page, const struct metrics *metrics, const char *name, const void *field)
{
    (void)metrics;
    (void)field;
    fprintf(page, "%s{version=\"%s\"} 1\n", name, RESTORE_WORKER_VERSION);
}

#define OWN "restore_worker_"
#define FIELD(name) offsetof(struct metrics, name)
#define TABLE 0 /* of rows that write more than one field */

/* clang-format off */
static const struct row rows[] = {
    {OWN "requests_total", "counter", "Published outcomes, by code; repeats are not among them.", outcomes, TABLE},
    {OWN "requests_waiting", "gauge", "Requests in this instance's partitions that nobody works on yet.", number, FIELD(waiting)},
    {OWN "requests_in_flight", "gauge", "Requests that are being worked on.", number, FIELD(in_flight)},
    {OWN "oldest_request_age_seconds", "gauge", "How long ago the oldest unfinished request was taken up.", seconds, FIELD(oldest_ms)},
    {OWN "requests_replayed_total", "counter", "Repeated requests whose outcome was published again.", number, FIELD(replays)},
    {OWN "requests_skipped_total", "counter", "Records read again after a restart, whose outcome stands.", number, FIELD(skipped)},
    {OWN "dead_letters_total", "counter", "Records that are not a request.", number, FIELD(dead_letters)},
    {OWN "dedupe_window_seconds", "gauge", "For how long a repeated request is recognised.", seconds, FIELD(dedupe_window_ms)},
    {OWN "directory_requests_total", "counter", "HTTP exchanges with the directory; code \"none\": no reply.", calls, TABLE},
    {OWN "directory_request_duration_seconds", "histogram", "Duration of these exchanges.", histogram, FIELD(directory_ms)},
    {OWN "directory_requests_in_flight", "gauge", "Calls on the wire.", number, FIELD(directory_in_flight)},
    {OWN "directory_throttled", "gauge", "Whether the directory asked the whole tenant to wait.", throttled, TABLE},
    {OWN "directory_breaker_open", "gauge", "Whether the directory is down: no call leaves but a probe.", breakers, TABLE},
    {OWN "directory_concurrency_limit", "gauge", "Calls of the tenant on the wire at most, as its replies taught.", concurrency_limits, TABLE},
    {OWN "directory_resource_units_left", "gauge", "What this instance's share of the tenant's resource units has room for now.", units_left, TABLE},
    {OWN "directory_writes_left", "gauge", "What this instance's share of the tenant's writes has room for now.", writes_left, TABLE},
    {OWN "directory_token", "gauge", "Whether a valid token is there.", tokens, TABLE},
    {OWN "token_failures_total", "counter", "Attempts to get a token that failed.", number, FIELD(token_failures)},
    {OWN "credential_expiry_timestamp_seconds", "gauge", "When the credential expires, where that is known.", expiries, TABLE},
    {OWN "commits_total", "counter", "Kafka transactions committed.", number, FIELD(commits)},
    {OWN "commits_refused_total", "counter", "Transactions refused since the group had a new generation.", number, FIELD(commits_refused)},
    {OWN "publications_total", "counter", "Intents, outcomes and dead letters in these transactions.", number, FIELD(publications)},
    {OWN "commit_duration_seconds", "histogram", "From closing a batch to its commit.", histogram, FIELD(commit_ms)},
    {OWN "rebalances_total", "counter", "Assignments of partitions to this instance.", number, FIELD(rebalances)},
    {OWN "partitions_assigned", "gauge", "Partitions of the requests topic that this instance has.", number, FIELD(partitions_held)},
    {OWN "partitions", "gauge", "Partitions of the requests topic.", number, FIELD(partitions)},
    {OWN "paused", "gauge", "1 between SIGUSR1 and SIGUSR2.", number, FIELD(paused)},
    {OWN "ready", "gauge", "What /readyz says.", number, FIELD(ready)},
    {OWN "build_info", "gauge", "The version, as a label.", build, TABLE},
    {"process_start_time_seconds", "gauge", "When the process started, since the epoch.", seconds, FIELD(started_at_ms)},
    {"process_cpu_seconds_total", "counter", "User and system time.", seconds, FIELD(cpu_ms)},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", number, FIELD(resident_bytes)},
};
/* clang-format on */

void metrics_write(const struct metrics *metrics, FILE *page)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        fprintf(page, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->type);
        row->write(page, metrics, row->name, (const char *)metrics + row->field);
    }
}

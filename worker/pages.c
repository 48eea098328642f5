/* What the admin pages say (contract 6). Object ids, never names or addresses; nobody's words but
 * the project's own. */
#include "worker/admin.h"
#include "worker/worker.h"

#include "producers/json_out.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WHY_BYTES = 320, CLOCK_APART_MS = 300 * SECOND_MS };

/* ---- readiness ------------------------------------------------------------------------------- */

static bool check_configuration(const struct worker *worker, char why[WHY_BYTES])
{
    if (worker->reload_refused)
        (void)snprintf(why, WHY_BYTES, "in force; warning: the last reload was refused");
    else
        (void)snprintf(why, WHY_BYTES, "in force");
    return true;
}

static bool check_group(const struct worker *worker, char why[WHY_BYTES])
{
    static const char *const standings[] = {
        [CONSUMER_WITHOUT_TOPICS] = "the topics do not exist, or no broker answers",
        [CONSUMER_OUTSIDE] = "not a member: no partition was assigned yet, or all were taken away",
        [CONSUMER_TAKING_OVER] = "offsets and journal of the new partitions are being read",
        [CONSUMER_REVOKING] = "partitions are being given back",
        [CONSUMER_FAILED] = "the consumer failed",
    };
    enum consumer_standing standing = request_consumer_standing(worker->consumer);
    int held, all;
    request_consumer_share(worker->consumer, &held, &all);
    const char *text = standing == CONSUMER_MEMBER ? NULL : standings[standing];
    if (worker->terminations > 0)
        text = "draining";
    else if (text == NULL && held > 0 && worker->phase == WORKER_HALTED)
        text = "the group refuses this member's transactions; a new assignment is awaited";
    if (text != NULL)
        (void)snprintf(why, WHY_BYTES, "%s", text);
    else
        (void)snprintf(why, WHY_BYTES, "joined, %d of %d partitions", held, all);
    return text == NULL;
}

static bool check_tokens(const struct worker *worker, char why[WHY_BYTES])
{
    const struct directory_settings *settings = &worker->settings->directory;
    size_t used = 0;
    if (directory_ready(worker->directory)) {
        (void)snprintf(why, WHY_BYTES, "one per tenant");
        return true;
    }
    for (int i = 0; i < settings->n_tenants && used < WHY_BYTES; i++) {
        struct directory_tenant_state state = directory_tenant_state(worker->directory, i);
        if (!state.has_token)
            used += (size_t)snprintf(why + used, WHY_BYTES - used, "%s%s: %s", used > 0 ? ", " : "",
                                     settings->tenants[i].name,
                                     state.is_refused ? "its credential is refused" : "none");
    }
    return false;
}

static bool check_clock(const struct worker *worker, char why[WHY_BYTES])
{
    const struct instant *now = loop_now(worker->loop);
    int64_t apart_ms = now->directory_ms - now->wall_ms; /* 0 before the directory's first reply */
    (void)snprintf(why, WHY_BYTES, "the directory's is %" PRId64 " s ahead", apart_ms / SECOND_MS);
    return apart_ms <= CLOCK_APART_MS && apart_ms >= -CLOCK_APART_MS;
}

static bool check_journal(const struct worker *worker, char why[WHY_BYTES])
{
    const char *warning = request_consumer_journal_warning(worker->consumer);
    int32_t first;
    int n = request_consumer_unreadable(worker->consumer, &first);
    if (n > 0)
        (void)snprintf(why, WHY_BYTES, "unreadable in %d partitions, %" PRId32 " the first", n,
                       first);
    else if (warning[0] != '\0')
        (void)snprintf(why, WHY_BYTES, "readable; warning: %s", warning);
    else
        (void)snprintf(why, WHY_BYTES, "readable");
    return n == 0;
}

/* Neither throttling, breaker nor a pause: a restart, or a load balancer that looks elsewhere,
 * cures none of them (contract 6). */
static const struct {
    const char *name;
    bool (*passes)(const struct worker *worker, char why[WHY_BYTES]);
} checks[] = {
    {"configuration", check_configuration},
    {"group", check_group},
    {"tokens", check_tokens},
    {"clock", check_clock},
    {"journal", check_journal},
};

/* page NULL: no line for each. */
static bool is_ready(const struct worker *worker, FILE *page)
{
    bool ready = true;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        char why[WHY_BYTES] = "";
        bool passes = checks[i].passes(worker, why);
        ready = ready && passes;
        if (page != NULL)
            fprintf(page, "[%c] %s: %s\n", passes ? '+' : '-', checks[i].name, why);
    }
    return ready;
}

static int write_ready(void *context, bool verbose, FILE *page)
{
    bool ready = is_ready(context, verbose ? page : NULL);
    fputs(ready ? "ready\n" : "not ready\n", page);
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* ---- what is sampled ------------------------------------------------------------------------- */

static void sample_process(struct metrics *metrics)
{
    struct rusage usage;
    long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%lld %lld", &total, &resident) != 2)
            resident = 0;
        (void)fclose(file);
    }
    metrics->resident_bytes = resident * sysconf(_SC_PAGESIZE);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics->cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000) +
                          (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void sample_slots(const struct worker *worker, struct metrics *metrics)
{
    int64_t now_ms = loop_now(worker->loop)->wall_ms, oldest_ms = now_ms;
    metrics->in_flight = 0;
    metrics->waiting = request_consumer_behind(worker->consumer);
    for (const struct slot *slot = worker->slots; slot != NULL; slot = slot->after) {
        if (slot->dropped || slot->phase == SLOT_SPARE || slot->phase == SLOT_STOPPED)
            continue;
        ++*(slot->phase == SLOT_IN_LANES ? &metrics->waiting : &metrics->in_flight);
        if (slot->publication.started_ms < oldest_ms)
            oldest_ms = slot->publication.started_ms;
    }
    metrics->oldest_ms = now_ms - oldest_ms;
}

static void sample(struct worker *worker)
{
    struct metrics *metrics = &worker->metrics;
    int held, all;
    sample_process(metrics);
    sample_slots(worker, metrics);
    request_consumer_share(worker->consumer, &held, &all);
    metrics->partitions_held = held;
    metrics->partitions = all;
    metrics->dedupe_window_ms =
        request_consumer_window_ms(worker->consumer, loop_now(worker->loop)->wall_ms);
    metrics->directory_in_flight = directory_in_flight(worker->directory);
    metrics->n_tenants = worker->settings->directory.n_tenants;
    for (int i = 0; i < metrics->n_tenants; i++)
        metrics->tenants[i] =
            (struct tenant_metrics){.name = worker->settings->directory.tenants[i].name,
                                    .state = directory_tenant_state(worker->directory, i)};
    metrics->paused = worker->still.paused;
    metrics->ready = is_ready(worker, NULL);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Closes the root; 500 when there was no memory. */
static int finish_json(struct json_out *out, FILE *page)
{
    json_out_close_object(out);
    int status = out->failed ? MHD_HTTP_INTERNAL_SERVER_ERROR : MHD_HTTP_OK;
    if (!out->failed)
        (void)fwrite(out->bytes, 1, out->used, page);
    json_out_free(out);
    fputc('\n', page);
    return status;
}

static void write_outcomes(struct json_out *out, const struct metrics *metrics)
{
    static const char *const kinds[] = {[VERDICT_SUCCEEDED] = "succeeded",
                                        [VERDICT_CONFLICT] = "conflict",
                                        [VERDICT_FAILED] = "failed"};
    int64_t sums[sizeof kinds / sizeof kinds[0]] = {0};
    for (enum reason reason = REASON_OK + 1; reason < REASONS; reason++)
        sums[reason_verdict(reason)] += metrics->outcomes[reason];
    json_out_open_object(out, "outcomes");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i] != NULL)
            json_out_number(out, kinds[i], sums[i]);
    json_out_close_object(out);
    json_out_open_object(out, "codes");
    for (enum reason reason = REASON_OK + 1; reason < REASONS; reason++)
        if (metrics->outcomes[reason] > 0)
            json_out_number(out, reason_code(reason), metrics->outcomes[reason]);
    json_out_close_object(out);
    json_out_number(out, "replayed", metrics->replays);
    json_out_number(out, "deadLetters", metrics->dead_letters);
}

static void write_tenants(struct json_out *out, const struct metrics *metrics)
{
    static const char *const breakers[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half-open"};
    json_out_open_array(out, "tenants");
    for (int i = 0; i < metrics->n_tenants; i++) {
        const struct directory_tenant_state *state = &metrics->tenants[i].state;
        json_out_open_object(out, NULL);
        json_out_text(out, "name", metrics->tenants[i].name);
        json_out_bool(out, "token", state->has_token);
        json_out_text(out, "breaker", breakers[state->breaker]);
        json_out_bool(out, "throttled", state->throttled_ms > 0);
        json_out_number(out, "throttledMs", state->throttled_ms);
        json_out_number(out, "concurrencyLimit", state->concurrency_limit);
        json_out_number(out, "resourceUnitsLeft", state->units_left);
        json_out_number(out, "writesLeft", state->writes_left);
        json_out_time(out, "credentialExpiresAt", state->credential_expires_at_ms);
        json_out_close_object(out);
    }
    json_out_close_array(out);
}

static void write_recent(struct json_out *out, const struct metrics *metrics)
{
    const struct recent_outcome *outcome;
    json_out_open_array(out, "recent");
    for (int i = 0; (outcome = metrics_recent(metrics, i)) != NULL; i++) {
        json_out_open_object(out, NULL);
        json_out_time(out, "at", outcome->at_ms);
        json_out_text(out, "code", reason_code(outcome->reason));
        json_out_text(out, "hint", reason_hint(outcome->reason));
        json_out_text(out, "userId", outcome->user_id);
        json_out_number(out, "partition", outcome->partition);
        json_out_number(out, "offset", outcome->offset);
        json_out_close_object(out);
    }
    json_out_close_array(out);
}

static const char *phase_word(const struct worker *worker)
{
    if (worker->terminations > 0)
        return "draining";
    if (worker->still.paused)
        return "paused";
    return worker->phase == WORKER_RUNNING ? "running" : "waiting"; /* for an assignment */
}

static int write_status(void *context, bool verbose, FILE *page)
{
    (void)verbose;
    struct worker *worker = context;
    struct metrics *metrics = &worker->metrics;
    const struct instant *now = loop_now(worker->loop);
    struct json_out out = {0};
    sample(worker);
    json_out_open_object(&out, NULL);
    json_out_text(&out, "version", RESTORE_WORKER_VERSION);
    json_out_text(&out, "instance", worker->settings->kafka.instance);
    json_out_time(&out, "now", now->wall_ms);
    json_out_time(&out, "startedAt", metrics->started_at_ms);
    json_out_bool(&out, "ready", metrics->ready != 0);
    json_out_text(&out, "phase", phase_word(worker));
    json_out_number(&out, "partitionsAssigned", metrics->partitions_held);
    json_out_number(&out, "partitions", metrics->partitions);
    json_out_number(&out, "outcomesLastMinute", metrics_last_minute(metrics, now->mono_ms));
    write_outcomes(&out, metrics);
    json_out_number(&out, "waiting", metrics->waiting);
    json_out_number(&out, "inFlight", metrics->in_flight);
    json_out_number(&out, "oldestUnfinishedSeconds", metrics->oldest_ms / SECOND_MS);
    json_out_number(&out, "directoryInFlight", metrics->directory_in_flight);
    write_tenants(&out, metrics);
    write_recent(&out, metrics);
    return finish_json(&out, page);
}

static int write_version(void *context, bool verbose, FILE *page)
{
    (void)context;
    (void)verbose;
    struct json_out out = {0};
    json_out_open_object(&out, NULL);
    json_out_text(&out, "version", RESTORE_WORKER_VERSION);
    json_out_text(&out, "librdkafka", rd_kafka_version_str());
    json_out_text(&out, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
    json_out_text(&out, "jansson", jansson_version_str());
    json_out_text(&out, "libmicrohttpd", MHD_get_version());
    return finish_json(&out, page);
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* That it is answered says all there is to say: the loop moved. */
static int write_live(void *context, bool verbose, FILE *page)
{
    (void)context;
    (void)verbose;
    fputs("live\n", page);
    return MHD_HTTP_OK;
}

static int write_metrics(void *context, bool verbose, FILE *page)
{
    (void)verbose;
    struct worker *worker = context;
    sample(worker);
    metrics_write(&worker->metrics, page);
    return MHD_HTTP_OK;
}

const struct admin_page *worker_pages(int *ret_n)
{
    static const char text[] = "text/plain; charset=utf-8", json[] = "application/json";
    static const struct admin_page pages[] = {
        {"/livez", text, write_live},
        {"/readyz", text, write_ready},
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics},
        {"/status", json, write_status},
        {"/version", json, write_version},
    };
    *ret_n = (int)(sizeof pages / sizeof pages[0]);
    return pages;
}

/* The daemon's life: its parts in the order they need each other, the loop, and the way out. */
#include "worker/worker.h"
#include "worker/admin.h"
#include "worker/log.h"
#include "worker/test_controls.h"

#include "producers/batch.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    KAFKA_START_MS = 60 * SECOND_MS, /* until init_transactions is answered */
    CLOSE_SECONDS = 3,               /* librdkafka 2.0.2 can hang in close: kafka-worker.md 2.6 */
    CLOSE_AGAIN_SECONDS = 10,
};

static int given_up(struct worker *worker, int exit_code, const char *what, const char *why)
{
    log_event(LOG_ERR, what, LOG_TEXT("error", why));
    worker_stop(worker, exit_code);
    return -1;
}

/* ---- what the parts report ------------------------------------------------------------------- */

static void on_assigned(void *context, struct request_partition *partition)
{
    struct worker *worker = context;
    if (worker->phase == WORKER_HALTED)
        worker->phase = WORKER_RUNNING;
    worker->records_may_wait = true;
    worker->n_newly_assigned++;
    log_event(LOG_DEBUG, "partition assigned", LOG_INT("partition", partition->id),
              LOG_INT("offset", partition->offsets.next));
}

static void on_consumer_failed(void *context, int exit_code, const char *why)
{
    log_event(LOG_ERR, "consumer failed", LOG_TEXT("error", why));
    if (exit_code != EX_CONFIG || !test_without("fencing"))
        worker_stop(context, exit_code);
}

static void on_kafka_log(void *context, int level, const char *line)
{
    (void)context;
    log_event(level > LOG_DEBUG ? LOG_DEBUG : level, "kafka", LOG_TEXT("detail", line));
}

static void on_call(void *context, const struct directory_call *call,
                    const struct directory_answer *answer, int64_t duration_ms)
{
    struct worker *worker = context;
    metrics_count_call(&worker->metrics, call->question->operation, answer->http_status,
                       duration_ms);
    if (!log_wants(LOG_DEBUG))
        return;
    log_event(LOG_DEBUG, "directory answered",
              LOG_TEXT("operation", directory_operation_name(call->question->operation)),
              LOG_INT("status", answer->http_status), LOG_TEXT("code", answer->error_code),
              LOG_TEXT("fault", call->fault),
              LOG_TEXT("client_request_id", call->question->client_request_id),
              LOG_TEXT("graph_request_id", answer->request_id),
              LOG_INT("duration_ms", duration_ms));
}

static void on_token(void *context, int tenant, const char *error)
{
    struct worker *worker = context;
    const char *name = worker->settings->directory.tenants[tenant].name;
    if (error[0] == '\0') {
        log_event(LOG_INFO, "token received", LOG_TEXT("tenant", name));
        return;
    }
    worker->metrics.token_failures++;
    log_event(LOG_WARNING, "no token", LOG_TEXT("tenant", name), LOG_TEXT("error", error));
}

static void on_breaker(void *context, int tenant, const char *why)
{
    struct worker *worker = context;
    const char *name = worker->settings->directory.tenants[tenant].name;
    int64_t now_mono_ms = loop_now(worker->loop)->mono_ms;
    still_set_unreachable(&worker->still, tenant, why != NULL, now_mono_ms);
    if (why != NULL)
        log_event(LOG_WARNING, "directory unreachable, its tenant's restores wait",
                  LOG_TEXT("tenant", name), LOG_TEXT("detail", why));
    else
        log_event(LOG_INFO, "directory reachable again", LOG_TEXT("tenant", name));
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_signal(void *context, uint32_t events)
{
    (void)events;
    struct worker *worker = context;
    struct signalfd_siginfo info;
    if (read(worker->signal_watch.fd, &info, sizeof info) != sizeof info)
        return;
    switch (info.ssi_signo) {
    case SIGTERM:
    case SIGINT:
        if (++worker->terminations > 1)
            _exit(128 + (int)info.ssi_signo);
        winding_drain(worker);
        break;
    case SIGHUP: worker->reload(worker); break;
    case SIGUSR1:
    case SIGUSR2:
        still_set_paused(&worker->still, info.ssi_signo == SIGUSR1,
                         loop_now(worker->loop)->mono_ms);
        worker->records_may_wait = true;
        log_event(LOG_INFO, worker->still.paused ? "paused" : "resumed");
        break;
    default: break;
    }
}

/* Until the loop runs, Kafka may keep us waiting for a minute; but nothing is taken yet. */
static void leave_at_once(int signal_number)
{
    (void)signal_number;
    _exit(EX_OK);
}

/* The rest stays blocked in a second run, and waits for open_signals. */
static void let_signals_end_us(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)signal(SIGTERM, leave_at_once);
    (void)signal(SIGINT, leave_at_once);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int open_signals(struct worker *worker)
{
    static const int watched[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    /* The other threads have all of them blocked already. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    worker->signal_watch = (struct watch){
        .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
        .on_ready = on_signal,
        .context = worker,
    };
    if (worker->signal_watch.fd < 0)
        return -errno;
    return loop_add(worker->loop, &worker->signal_watch, EPOLLIN);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static int open_loop(struct worker *worker)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = wake_fd < 0 ? -errno : loop_new(&worker->loop);
    worker->consumer_watch.fd = wake_fd;
    intake_init(worker);
    commits_init(worker);
    winding_init(worker);
    if (rc == 0)
        worker->metrics.started_at_ms = loop_now(worker->loop)->wall_ms;
    if (rc == 0)
        rc = loop_add(worker->loop, &worker->consumer_watch, EPOLLIN);
    if (rc == 0 && getrandom(worker->lanes.seed, LANE_SEED_BYTES, 0) != LANE_SEED_BYTES)
        rc = -EIO;
    if (rc == 0 &&
        getrandom(&worker->next_seed, sizeof worker->next_seed, 0) != sizeof worker->next_seed)
        rc = -EIO;
    return rc == 0 ? 0 : given_up(worker, EX_SOFTWARE, "cannot start", strerror(-rc));
}

static void fill_events(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    worker->events = (struct event_settings){
        .source = settings->events.source,
        .type_prefix = settings->events.type_prefix,
        .secret_expire_ms = settings->secret_expire_ms,
        .retention_ms = settings->policy.retention_days * DAY_MS,
        .recipient_key = worker->recipient_key,
        .default_tenant =
            settings->directory.n_tenants == 1 ? settings->directory.tenants[0].name : "",
    };
    for (int i = 0; i < OUT_TOPICS; i++)
        worker->events.topics[i] = settings->kafka.topics[i];
    worker->decoding = (struct decode_settings){
        .type_prefix = settings->events.type_prefix,
        .accept_plain_json = settings->kafka.accept_plain_json,
    };
}

static int open_publisher(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    const struct publisher_settings publishing = {
        .brokers = settings->kafka.brokers,
        .group = settings->kafka.group,
        .instance = settings->kafka.instance,
        .requests_topic = settings->kafka.requests_topic,
        .n_properties = worker->n_properties,
        .properties = worker->properties,
        .events = &worker->events,
        .read_mono_ms = loop_read_mono_ms,
        .log = on_kafka_log,
    };
    char error[512];
    int rc = publisher_new(&publishing, KAFKA_START_MS, &worker->publisher, error, sizeof error);
    if (rc != 0)
        return given_up(worker,
                        rc == -EINVAL   ? EX_CONFIG
                        : rc == -EACCES ? EX_NOPERM
                                        : EX_UNAVAILABLE,
                        "cannot publish", error);
    worker->publisher_watch.fd = publisher_fd(worker->publisher);
    rc = loop_add(worker->loop, &worker->publisher_watch, EPOLLIN);
    return rc == 0 ? 0 : given_up(worker, EX_SOFTWARE, "cannot start", strerror(-rc));
}

static int open_consumer(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    const struct request_consumer_settings consuming = {
        .brokers = settings->kafka.brokers,
        .group = settings->kafka.group,
        .instance = settings->kafka.instance,
        .requests_topic = settings->kafka.requests_topic,
        .journal_topic = settings->kafka.topics[TOPIC_JOURNAL],
        .n_properties = worker->n_properties,
        .properties = worker->properties,
        .start_latest = settings->kafka.start_latest,
        .journal_window_ms = settings->dedupe_window_ms,
        .wake_fd = worker->consumer_watch.fd,
    };
    const struct request_consumer_handlers handlers = {
        .context = worker,
        .on_assigned = on_assigned,
        .on_revoked = winding_revoked,
        .on_fetched = intake_fetched,
        .on_failed = on_consumer_failed,
        .on_log = on_kafka_log,
    };
    char error[512];
    int rc = request_consumer_new(&consuming, &handlers, &worker->consumer, error, sizeof error);
    return rc == 0 ? 0 : given_up(worker, EX_CONFIG, "cannot consume", error);
}

static int open_directory(struct worker *worker)
{
    struct directory_settings *settings = &worker->settings->directory;
    char error[512];
    settings->on_call = on_call;
    settings->on_token = on_token;
    settings->on_breaker = on_breaker;
    settings->context = worker;
    int rc = directory_new(settings, worker->loop, &worker->directory, error, sizeof error);
    return rc == 0 ? 0 : given_up(worker, EX_CONFIG, "cannot call the directory", error);
}

/* First of all parts: a port in use must not be told after a minute's wait for Kafka. Served is it
 * only when the loop turns, so no page sees a part that is not there. */
static int open_admin(struct worker *worker)
{
    struct admin_settings settings = {.listen = worker->settings->admin_listen, .context = worker};
    char error[512];
    if (settings.listen[0] == '\0')
        return 0;
    settings.pages = worker_pages(&settings.n_pages);
    if (admin_new(&settings, worker->loop, &worker->admin, error, sizeof error) != 0)
        return given_up(worker, EX_CONFIG, "cannot serve the admin pages", error);
    log_event(LOG_INFO, "admin pages", LOG_TEXT("listen", settings.listen),
              LOG_INT("port", admin_port(worker->admin)));
    return 0;
}

/* The publisher comes before the consumer: init_transactions ends what an earlier incarnation left
 * open, and only then do the offsets that the consumer asks for stand still (design 6). */
static int open_parts(struct worker *worker)
{
    worker->n_properties = settings_properties(worker->settings, worker->properties);
    worker->rules = calloc(1, sizeof *worker->rules);
    if (worker->rules == NULL)
        return given_up(worker, EX_SOFTWARE, "cannot start", strerror(ENOMEM));
    worker->rules->rules = worker->settings->policy;
    fill_events(worker);
    if (open_loop(worker) != 0 || open_admin(worker) != 0 || open_directory(worker) != 0 ||
        open_publisher(worker) != 0 || open_consumer(worker) != 0)
        return -1;
    int rc = open_signals(worker);
    return rc == 0 ? 0 : given_up(worker, EX_SOFTWARE, "cannot start", strerror(-rc));
}

/* ---- the loop and the way out ---------------------------------------------------------------- */

static void turn(struct worker *worker)
{
    int rc = loop_turn(worker->loop);
    if (rc != 0) {
        (void)given_up(worker, EX_SOFTWARE, "the loop failed", strerror(-rc));
        return;
    }
    if (worker->n_newly_assigned > 0) {
        log_event(LOG_INFO, "partitions assigned", LOG_INT("count", worker->n_newly_assigned));
        worker->n_newly_assigned = 0;
        worker->metrics.rebalances++;
    }
    int held, all;
    request_consumer_share(worker->consumer, &held, &all);
    directory_set_share(worker->directory, held, all);
    jobs_run_ready(worker);
    intake_take(worker);
    commits_begin(worker);
}

/* Whatever hangs on the way out, nothing depends on it: what was to be committed is. */
static int exit_code_of_alarm;

static void on_alarm(int signal_number)
{
    (void)signal_number;
    _exit(exit_code_of_alarm);
}

/* Returns the seconds. Who begins again has more of them: brokers that have just woken up answer
 * late, and without a supervisor nobody would start it. When they are not enough, Kafka is out of
 * reach. */
static int bound_exit(int exit_code)
{
    bool again = exit_code == EX_TEMPFAIL;
    exit_code_of_alarm = again ? EX_UNAVAILABLE : exit_code;
    int seconds = again ? CLOSE_AGAIN_SECONDS : CLOSE_SECONDS;
    (void)signal(SIGALRM, on_alarm);
    if (!test_without("exit-bound"))
        (void)alarm((unsigned)seconds);
    return seconds;
}

static void close_parts(struct worker *worker)
{
    int bound_ms = bound_exit(worker->exit_code) * SECOND_MS;
    /* Its slots are in the publisher's hands. What becomes of it the journal will tell. */
    if (worker->is_out && publisher_take(worker->publisher, bound_ms) == NULL)
        _exit(exit_code_of_alarm); /* a call of librdkafka hangs */
    batch_deinit(&worker->out);
    admin_free(worker->admin);
    request_consumer_free(worker->consumer);
    publisher_free(worker->publisher);
    directory_free(worker->directory);
    slots_free(worker);
    free(worker->rules);
    loop_free(worker->loop);
    if (worker->consumer_watch.fd >= 0)
        (void)close(worker->consumer_watch.fd);
    if (worker->signal_watch.fd >= 0)
        (void)close(worker->signal_watch.fd);
    (void)alarm(0);
}

static void run(struct worker *worker)
{
    worker->signal_watch.fd = worker->consumer_watch.fd = -1;
    let_signals_end_us();
    log_event(LOG_INFO, "starting", LOG_TEXT("version", RESTORE_WORKER_VERSION),
              LOG_TEXT("instance", worker->settings->kafka.instance));
    if (open_parts(worker) == 0)
        log_event(LOG_INFO, "started");
    while (worker->phase != WORKER_STOPPED)
        turn(worker);
    log_event(LOG_INFO, "stopping", LOG_INT("exit_code", worker->exit_code));
    close_parts(worker);
}

/* A consumer that may have fenced itself begins again; nobody is told but the log. What is owed to
 * the operator outlives that: the pause, and the count that restores are limited by. */
int worker_run(const char *config_path, struct settings *settings,
               const struct recipient_key *recipient_key, void (*reload)(struct worker *worker))
{
    struct worker *before = NULL, *worker;
    int exit_code;
    do {
        worker = calloc(1, sizeof *worker);
        assert(worker != NULL && "out of memory");
        worker->config_path = config_path;
        worker->settings = settings;
        worker->recipient_key = recipient_key;
        worker->reload = reload;
        if (before != NULL) {
            worker->still.paused = before->still.paused;
            memcpy(worker->restored, before->restored, sizeof worker->restored);
        }
        free(before);
        run(worker);
        exit_code = worker->exit_code;
        before = worker;
    } while (exit_code == EX_TEMPFAIL && worker->terminations == 0);
    free(worker);
    return exit_code == EX_TEMPFAIL ? EX_OK : exit_code; /* asked to end, it need not begin again */
}

int worker_set_policy(struct worker *worker)
{
    struct rules_version *version = calloc(1, sizeof *version);
    if (version == NULL)
        return -ENOMEM;
    version->rules = worker->settings->policy;
    if (worker->rules->n_slots == 0)
        free(worker->rules);
    worker->rules = version;
    return 0;
}

#include "producers/batch.h"
#include "producers/jwe.h"
#include "tests/sim/worker/played.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the loop -------------------------------------------------------------------------------- */

const struct instant *loop_now(const struct loop *loop)
{
    return &loop->now;
}

int64_t loop_read_mono_ms(void)
{
    assert(false && "nothing in the world reads a clock of its own");
    return 0;
}

void loop_set_timer(struct loop *loop, struct timer *timer, int64_t at_mono_ms)
{
    int rc = timers_set(&loop->timers, timer, at_mono_ms);
    assert(rc == 0);
}

void loop_cancel_timer(struct loop *loop, struct timer *timer)
{
    timers_cancel(&loop->timers, timer);
}

static void set_clock(struct world_worker *worker)
{
    int64_t now = worker->world->now_ms;
    worker->loop.now = (struct instant){.wall_ms = now, .directory_ms = now, .mono_ms = now};
}

static void turn(struct world_worker *worker)
{
    set_clock(worker);
    jobs_run_ready(&worker->worker);
    intake_take(&worker->worker);
    commits_begin(&worker->worker);
}

/* ---- the world ------------------------------------------------------------------------------- */

static void prepare_events(struct world *world)
{
    char error[256];
    int rc = recipient_key_load(TEST_DATA "/recipients.jwks", &world->recipient_key, error,
                                sizeof error);
    assert(rc == 0);
    world->events = (struct event_settings){
        .source = "urn:sim",
        .type_prefix = "t.",
        .secret_expire_ms = 24 * HOUR_MS,
        .recipient_key = world->recipient_key,
        .retention_ms = 30 * DAY_MS,
        .default_tenant = "contoso",
    };
    for (int i = 0; i < OUT_TOPICS; i++)
        world->events.topics[i] = "topic";
}

struct world *world_new(int n_partitions, int n_users)
{
    struct world *world = calloc(1, sizeof *world);
    assert(world != NULL && n_partitions <= WORLD_PARTITIONS_MAX && n_users <= WORLD_USERS_MAX);
    world->now_ms = WORLD_START_MS;
    world->n_partitions = n_partitions;
    world->n_users = n_users;
    world->commit_ms = COMMIT_MS;
    world->records = calloc(WORLD_RECORDS_MAX, sizeof *world->records);
    world->journal = calloc(WORLD_RECORDS_MAX, sizeof *world->journal);
    assert(world->records != NULL && world->journal != NULL);
    prepare_events(world);
    world->owner = -1;
    for (int u = 0; u < n_users; u++) {
        (void)snprintf(world->users[u].id, sizeof world->users[u].id,
                       "00000000-0000-4000-8000-%012x", (unsigned)u);
        (void)snprintf(world->users[u].name, sizeof world->users[u].name, "user%d@contoso.com", u);
    }
    return world;
}

static struct world_record *new_record(struct world *world, int32_t partition)
{
    assert(world->n_records < WORLD_RECORDS_MAX);
    struct world_record *record = &world->records[world->n_records++];
    record->partition = partition;
    record->offset = world->end[record->partition]++;
    record->user = -1;
    for (int w = 0; w < WORLD_WORKERS_MAX; w++)
        if (world->workers[w] != NULL)
            world->workers[w]->worker.records_may_wait = true;
    return record;
}

#define REQUESTED_BY "\"requestedBy\":{\"id\":\"ffffffff-0000-4000-8000-000000000000\"}"
#define NOTIFY "\"notify\":{\"to\":[\"help@contoso.com\"]}"

/* `subject`: the members that name it, with a comma behind. */
static void produce(struct world *world, int user, const char *subject)
{
    int n = world->n_records;
    struct world_record *record = new_record(world, user % world->n_partitions);
    record->user = user;
    (void)text_copy(record->key, sizeof record->key, world->users[user].id);
    int length = snprintf(record->value, sizeof record->value,
                          "{\"requestId\":\"r%d\",%s" NOTIFY "," REQUESTED_BY "}", n, subject);
    assert(length > 0 && (size_t)length < sizeof record->value);
}

void world_batch(struct world *world, int partition, const int *users, int n_users)
{
    int n = world->n_records;
    struct world_record *record = new_record(world, partition);
    size_t used = (size_t)snprintf(record->key, sizeof record->key, "r%d", n);
    used = (size_t)snprintf(record->value, sizeof record->value,
                            "{\"requestId\":\"r%d\"," REQUESTED_BY ",\"users\":[", n);
    record->n_items = n_users;
    for (int i = 0; i < n_users; i++) {
        bool by_name = users[i] < 0;
        const struct world_user *user = &world->users[by_name ? ~users[i] : users[i]];
        record->items[i].user = by_name ? ~users[i] : users[i];
        used +=
            (size_t)snprintf(record->value + used, sizeof record->value - used,
                             "%s{\"%s\":\"%s\"," NOTIFY "}", i > 0 ? "," : "",
                             by_name ? "userPrincipalName" : "id", by_name ? user->name : user->id);
        assert(used + sizeof "]}" < sizeof record->value);
    }
    (void)text_copy(record->value + used, sizeof record->value - used, "]}");
}

void world_request(struct world *world, int user)
{
    char subject[128];
    (void)snprintf(subject, sizeof subject, "\"user\":{\"id\":\"%s\"},", world->users[user].id);
    produce(world, user, subject);
}

void world_question(struct world *world, int user, enum request_mode mode)
{
    char subject[128] = "\"mode\":\"list\",";
    if (mode == MODE_PLAN)
        (void)snprintf(subject, sizeof subject, "\"mode\":\"plan\",\"user\":{\"id\":\"%s\"},",
                       world->users[user].id);
    produce(world, user, subject);
}

void world_garbage(struct world *world, int partition)
{
    struct world_record *record = new_record(world, partition);
    memset(record->value, 'x', sizeof record->value - 1);
}

void world_repeat(struct world *world, int record)
{
    const struct world_record *first = &world->records[record];
    struct world_record *again = new_record(world, first->partition);
    again->user = first->user;
    again->n_items = first->n_items;
    for (int i = 0; i < first->n_items; i++)
        again->items[i].user = first->items[i].user;
    memcpy(again->key, first->key, sizeof again->key);
    memcpy(again->value, first->value, sizeof again->value);
}

static struct settings *make_settings(void)
{
    struct settings *settings = calloc(1, sizeof *settings);
    assert(settings != NULL);
    settings->directory.n_tenants = 1;
    settings->directory.max_in_flight = 2 * WORLD_USERS_MAX;
    settings->directory.request_timeout_ms = 2000;
    settings->dedupe_window_ms = 72 * HOUR_MS;
    settings->shutdown_grace_ms = 25 * SECOND_MS;
    struct policy_rules *rules = &settings->policy;
    rules->retention_days = 30;
    rules->name_policy = NAME_POLICY_REJECT;
    rules->address_policy = ADDRESS_POLICY_REMOVE;
    rules->has_recipient_key = true;
    rules->notify_on_succeeded = true;
    rules->n_secret_domains = 1;
    (void)text_copy(rules->secret_domains[0], sizeof rules->secret_domains[0], "@contoso.com");
    rules->max_request_age_ms = 72 * HOUR_MS;
    rules->request_deadline_ms = 900 * SECOND_MS;
    return settings;
}

void world_start(struct world *world, int index)
{
    assert(world->workers[index] == NULL);
    struct world_worker *worker = calloc(1, sizeof *worker);
    assert(worker != NULL);
    worker->world = world;
    worker->index = index;
    worker->settings = make_settings();
    worker->loop.world = worker->directory.world = worker->consumer.world = world;
    worker->publisher.world = world;
    worker->directory.worker = worker->consumer.worker = worker->publisher.worker = worker;
    worker->consumer.ready_at_ms = worker->publisher.done_at_ms = -1;
    struct worker *w = &worker->worker;
    w->settings = worker->settings;
    w->loop = &worker->loop;
    w->directory = &worker->directory;
    w->consumer = &worker->consumer;
    w->publisher = &worker->publisher;
    w->decoding = (struct decode_settings){.type_prefix = "t.", .accept_plain_json = true};
    w->rules = calloc(1, sizeof *w->rules);
    assert(w->rules != NULL);
    w->rules->rules = worker->settings->policy;
    w->rules->rules.restores_per_hour = world->restores_per_hour;
    intake_init(w);
    commits_init(w);
    winding_init(w);
    world->workers[index] = worker;
    set_clock(worker);
}

void world_kill(struct world *world, int index)
{
    struct world_worker *worker = world->workers[index];
    if (worker == NULL)
        return;
    world->workers[index] = NULL;
    if (world->owner == index)
        world->owner = -1;
    played_directory_forget(world, worker);
    if (worker->publisher.batch != NULL)
        batch_deinit(worker->publisher.batch);
    slots_free(&worker->worker);
    timers_deinit(&worker->loop.timers);
    free(worker->worker.rules);
    free(worker->settings);
    free(worker);
}

void world_free(struct world *world)
{
    for (int w = 0; w < WORLD_WORKERS_MAX; w++)
        world_kill(world, w);
    while (world->calls != NULL) {
        struct world_call *call = world->calls;
        world->calls = call->next;
        free(call);
    }
    for (int i = 0; i < world->n_journal; i++)
        free(world->journal[i].record);
    recipient_key_free(world->recipient_key);
    json_out_free(&world->encoding);
    free(world->records);
    free(world->journal);
    free(world);
}

void world_freeze(struct world *world, int index, bool frozen)
{
    world->workers[index]->frozen = frozen;
}

void world_hand_over(struct world *world)
{
    world->hands_over = false;
    world->generation++;
    world->owner = world->next_owner;
    if (world->owner >= 0)
        played_consumer_assign(world->workers[world->owner]);
}

void world_assign(struct world *world, int worker)
{
    struct world_worker *old = world->owner < 0 ? NULL : world->workers[world->owner];
    world->next_owner = worker;
    if (old == NULL) {
        world_hand_over(world);
        return;
    }
    world->hands_over = true;
    set_clock(old);
    played_consumer_revoke(old, false);
}

void world_evict(struct world *world, int new_owner)
{
    world->next_owner = new_owner;
    world_hand_over(world);
}

static int64_t next_ms(const struct world *world)
{
    int64_t next = played_directory_next_ms(world);
    for (int w = 0; w < WORLD_WORKERS_MAX; w++) {
        const struct world_worker *worker = world->workers[w];
        if (worker == NULL || worker->frozen)
            continue;
        const struct timer *timer = timers_first(&worker->loop.timers);
        if (timer != NULL && timer->at_mono_ms < next)
            next = timer->at_mono_ms;
        int64_t consumer = played_consumer_next_ms(worker);
        if (consumer < next)
            next = consumer;
        if (worker->publisher.done_at_ms >= 0 && worker->publisher.done_at_ms < next)
            next = worker->publisher.done_at_ms;
    }
    return next;
}

/* What is due for this worker, one thing; false: nothing. */
static bool step_worker(struct world_worker *worker)
{
    struct world *world = worker->world;
    set_clock(worker);
    struct timer *timer = timers_first(&worker->loop.timers);
    if (worker->publisher.done_at_ms >= 0 && worker->publisher.done_at_ms <= world->now_ms) {
        played_publisher_step(worker);
        worker->worker.publisher_watch.on_ready(worker->worker.publisher_watch.context, 0);
    } else if (timer != NULL && timer->at_mono_ms <= world->now_ms) {
        timers_cancel(&worker->loop.timers, timer);
        timer->on_due(timer->context);
    } else if (!played_consumer_due(worker)) {
        return false;
    }
    return true;
}

bool world_step(struct world *world)
{
    int64_t next = next_ms(world);
    if (next == INT64_MAX)
        return false;
    if (next > world->now_ms)
        world->now_ms = next;
    world->n_events++;
    bool stepped = false;
    for (int w = 0; w < WORLD_WORKERS_MAX && !stepped; w++)
        if (world->workers[w] != NULL && !world->workers[w]->frozen)
            stepped = step_worker(world->workers[w]);
    for (int w = 0; w < WORLD_WORKERS_MAX; w++)
        if (world->workers[w] != NULL)
            set_clock(world->workers[w]);
    if (!stepped)
        played_directory_step(world);
    for (int w = 0; w < WORLD_WORKERS_MAX; w++)
        if (world->workers[w] != NULL && !world->workers[w]->frozen)
            turn(world->workers[w]);
    return true;
}

void world_catch_up(struct world *world)
{
    while (next_ms(world) <= world->now_ms)
        (void)world_step(world);
}

static bool all_finished(const struct world *world)
{
    for (int i = 0; i < world->n_records; i++)
        if (world->records[i].outcomes == 0)
            return false;
    return true;
}

bool world_run_to_event(struct world *world, long event)
{
    bool more = true;
    while (more && world->n_events < event)
        more = world_step(world);
    return more;
}

bool world_run(struct world *world, int64_t until_ms)
{
    /* A call that outlives the outcomes still changes the directory. */
    while ((!all_finished(world) || world->calls != NULL) && world->now_ms < until_ms &&
           world_step(world))
        continue;
    return all_finished(world);
}

static const char *user_verdict(const struct world *world, int user)
{
    const struct world_user *u = &world->users[user];
    const char *told = NULL;
    for (int i = 0; i < world->n_records; i++) {
        const struct world_record *record = &world->records[i];
        if (record->user == user && record->told_password[0] != '\0')
            told = record->told_password;
        for (int k = 0; k < record->n_items; k++)
            if (record->items[k].user == user && record->items[k].told_password[0] != '\0')
                told = record->items[k].told_password;
    }
    if (u->restores > 1)
        return "a user was restored twice";
    if (u->overlaps > 0)
        return "two changes of one user overlapped";
    if (told != NULL && strcmp(told, u->password) != 0)
        return "the password that was told is not the one that works";
    return NULL;
}

static const char *items_verdict(const struct world_record *record)
{
    int n_succeeded = 0;
    if (record->early_summaries > 0)
        return "a summary came before the last outcome";
    for (int i = 0; i < record->n_items && record->reason != REASON_REQUEST_ID_REUSED; i++) {
        if (record->items[i].outcomes == 0)
            return "an item has no outcome";
        if (record->items[i].outcomes > 1)
            return "an item has two outcomes";
        n_succeeded += reason_verdict(record->items[i].reason) == VERDICT_SUCCEEDED;
    }
    if (n_succeeded != record->n_succeeded && !record->replayed)
        return "a summary is not the sum of the outcomes";
    return NULL;
}

/* When nobody is left but the spare. */
static const char *worker_verdict(const struct worker *worker)
{
    if (worker->n_slots > 1)
        return NULL;
    return worker->held_bytes > 0   ? "memory is counted that nobody holds"
           : worker->n_fetching > 0 ? "a look into the journal is counted that nobody waits for"
                                    : NULL;
}

const char *world_verdict(const struct world *world)
{
    const char *verdict;
    for (int w = 0; w < WORLD_WORKERS_MAX; w++) {
        verdict = world->workers[w] != NULL ? worker_verdict(&world->workers[w]->worker) : NULL;
        if (verdict != NULL)
            return verdict;
    }
    for (int i = 0; i < world->n_records; i++) {
        if (world->records[i].outcomes == 0)
            return "a record has no outcome";
        if (world->records[i].outcomes > 1)
            return "a record has two outcomes";
        verdict = items_verdict(&world->records[i]);
        if (verdict != NULL)
            return verdict;
    }
    for (int user = 0; user < world->n_users; user++) {
        verdict = user_verdict(world, user);
        if (verdict != NULL)
            return verdict;
    }
    return NULL;
}

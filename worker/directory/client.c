/* The client as its caller sees it, and its queues: what waits for a slot, for a token, or for a
 * look-up of the same requester. Each tenant has its own. */
#include "worker/directory/client.h"

#include "worker/directory/assertion.h"
#include "worker/test_controls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct call_queue *queue_for(struct directory *directory, const struct directory_call *call)
{
    struct tenant *tenant = &directory->tenants[call->tenant];
    return call_changes((int)call->question->operation) ? &tenant->changes : &tenant->reads;
}

void directory_wake(struct directory *directory)
{
    if (directory->pump_timer.place == 0)
        loop_set_timer(directory->loop, &directory->pump_timer, loop_now(directory->loop)->mono_ms);
}

static void enqueue(struct directory *directory, struct call_queue *queue,
                    struct directory_call *call)
{
    call->queue = NULL;
    call->exchange = NULL;
    call->wait_until_mono_ms =
        loop_now(directory->loop)->mono_ms + directory->settings->request_timeout_ms;
    queue_append(queue, call);
    directory_wake(directory);
}

void directory_enqueue(struct directory *directory, struct directory_call *call)
{
    enqueue(directory, queue_for(directory, call), call);
}

void directory_ask(struct directory *directory, struct directory_call *call)
{
    enum directory_operation operation = call->question->operation;
    assert(call->tenant >= 0 && call->tenant < directory->n_tenants && call->on_answer != NULL);
    assert(operation != DIRECTORY_SET_PASSWORD || call->password != NULL);
    assert(operation != DIRECTORY_LIST_DELETED || call->list != NULL);
    call->asked_again = false;
    call->fault = NULL;
    if (operation == DIRECTORY_REQUESTER || operation == DIRECTORY_REQUESTER_APP ||
        call_changes((int)operation))
        enqueue(directory, &directory->asked, call);
    else
        directory_enqueue(directory, call);
}

void directory_answer_unsent(struct directory *directory, struct directory_call *call,
                             enum directory_status status, int64_t retry_after_ms)
{
    answer_clear(&directory->brief);
    directory->brief.status = status;
    directory->brief.retry_after_ms = retry_after_ms;
    call->on_answer(call->context, &directory->brief);
}

bool directory_abandon(struct directory *directory, struct directory_call *call)
{
    if (call->queue != NULL) {
        queue_leave(call);
        return true;
    }
    assert(call->exchange != NULL && call->exchange->directory == directory);
    if (call_changes(call->exchange->kind)) {
        call->asked_again = true; /* and is not sent again after a 401 */
        return false;
    }
    exchange_cancel(call->exchange);
    return true;
}

static bool is_unproven(const struct directory_call *call)
{
    return call_changes((int)call->question->operation) &&
           loop_read_mono_ms() > call->proven_until_mono_ms && !test_without("proof");
}

/* A change that would have to wait for the budget until its intent proves nothing any more comes
 * back when its turn has come, and only then has its intent committed again: the budget is asked
 * first, the proof second. Not so a job that has changed something: who is half restored goes
 * first. */
static void admit_change(struct tenant *tenant, struct directory_call *call)
{
    struct directory *directory = tenant->directory;
    int64_t wait_ms = reach_wait_ms(tenant);
    if (wait_ms == 0 && !call->has_changed && !test_without("budget"))
        wait_ms = budget_turn_ms(&tenant->budget, tenant->changes.n, &call->turn_at_mono_ms,
                                 loop_now(directory->loop)->mono_ms);
    if (wait_ms > 0)
        directory_answer_unsent(directory, call, DIRECTORY_BUSY, wait_ms);
    else if (is_unproven(call) && throttle_wait_ms(&tenant->throttle, loop_read_mono_ms()) == 0)
        directory_answer_unsent(directory, call, DIRECTORY_UNPROVEN, 0);
    else
        queue_append(&tenant->changes, call);
}

/* How long the tenant, or this very call, has been told to stay away. */
static int64_t throttled_ms(struct tenant *tenant, const struct directory_call *call)
{
    int64_t now_mono_ms = loop_read_mono_ms();
    int64_t wait_ms = throttle_wait_ms(&tenant->throttle, now_mono_ms);
    char url[CALL_URL_BYTES];
    int kind = (int)call->question->operation;
    if (wait_ms > 0 || tenant->throttle.n_held == 0 ||
        !call_write_url(kind, tenant->token.settings->graph_url, call->question, url))
        return wait_ms;
    return throttle_held_ms(&tenant->throttle, throttle_call(call_method(kind), url), now_mono_ms);
}

/* The call leaves for the wire, or learns that it cannot leave. */
static void send_call(struct tenant *tenant, struct directory_call *call)
{
    struct directory *directory = tenant->directory;
    struct token *token = token_current(&tenant->token);
    int64_t wait_ms = throttled_ms(tenant, call);
    int64_t hold_ms = reach_wait_ms(tenant);
    if (hold_ms > 0)
        directory_answer_unsent(directory, call, DIRECTORY_BUSY, hold_ms);
    else if (token == NULL)
        directory_answer_unsent(directory, call, DIRECTORY_DENIED, 0);
    else if (wait_ms > 0)
        directory_answer_unsent(directory, call, DIRECTORY_BUSY,
                                wait_ms + throttle_jitter_ms(THROTTLE_JITTER_MS));
    else if (is_unproven(call)) /* it ran out in the line: to be committed again, but not at once */
        directory_answer_unsent(directory, call, DIRECTORY_BUSY, 0);
    else
        exchange_start(tenant, call, token);
}

bool tenant_waits_for_token(const struct tenant *tenant)
{
    return token_current(&tenant->token) == NULL && !token_refused(&tenant->token);
}

static bool has_slot(const struct tenant *tenant)
{
    const struct directory *directory = tenant->directory;
    int shared = directory->n_exchanges - directory->n_tenants * directory->own_slots;
    return directory->free_exchanges != NULL &&
           (tenant->n_busy < tenant->concurrency.limit || test_without("concurrency")) &&
           (tenant->n_busy < directory->own_slots || directory->n_shared_busy < shared);
}

/* The tenant's next call, out of its queue; NULL: none, or none that the budget has room for, and
 * *until is no later than when it has. */
static struct directory_call *take_affordable(struct tenant *tenant, int64_t *until_mono_ms)
{
    /* Changes first: a change that waits too long loses its proof and costs another commit. */
    struct directory_call *firsts[] = {tenant->changes.first, tenant->reads.first};
    int64_t now_mono_ms = loop_now(tenant->directory->loop)->mono_ms;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct directory_call *call = firsts[i];
        if (call == NULL)
            continue;
        struct call_cost cost = call_cost((int)call->question->operation, call->question);
        int64_t wait_ms = budget_wait_ms(&tenant->budget, cost, now_mono_ms);
        if (wait_ms == 0 || test_without("budget")) {
            queue_leave(call);
            return call;
        }
        if (now_mono_ms + wait_ms < *until_mono_ms)
            *until_mono_ms = now_mono_ms + wait_ms;
    }
    return NULL;
}

/* One call of the next tenant that has one and may send it. False: there is none. */
static bool send_next(struct directory *directory, int64_t *until_mono_ms)
{
    for (int i = 0; i < directory->n_tenants; i++) {
        struct tenant *tenant = &directory->tenants[directory->turn];
        directory->turn = (directory->turn + 1) % directory->n_tenants;
        /* What an open breaker holds needs neither. */
        if (tenant->reach.breaker.state == BREAKER_CLOSED &&
            (tenant_waits_for_token(tenant) || !has_slot(tenant)))
            continue;
        struct directory_call *call = take_affordable(tenant, until_mono_ms);
        if (call == NULL)
            continue;
        send_call(tenant, call);
        return true;
    }
    return false;
}

/* Answers those in the queue who have waited too long; *until: when the next one will have. */
static void expire(struct directory *directory, struct call_queue *queue, int64_t *until_mono_ms)
{
    while (queue->first != NULL &&
           queue->first->wait_until_mono_ms <= loop_now(directory->loop)->mono_ms)
        directory_answer_unsent(directory, queue_take(queue), DIRECTORY_BUSY, 0);
    if (queue->first != NULL && queue->first->wait_until_mono_ms < *until_mono_ms)
        *until_mono_ms = queue->first->wait_until_mono_ms;
}

static void pump(void *context)
{
    struct directory *directory = context;
    struct directory_call *call;
    while ((call = queue_take(&directory->asked)) != NULL) {
        struct tenant *tenant = &directory->tenants[call->tenant];
        if (call_changes((int)call->question->operation))
            admit_change(tenant, call);
        else
            requesters_ask(&tenant->requesters, call);
    }
    int64_t until_mono_ms;
    do
        until_mono_ms = INT64_MAX;
    while (send_next(directory, &until_mono_ms));
    for (int i = 0; i < directory->n_tenants; i++) {
        expire(directory, &directory->tenants[i].changes, &until_mono_ms);
        expire(directory, &directory->tenants[i].reads, &until_mono_ms);
    }
    if (until_mono_ms < INT64_MAX)
        loop_set_timer(directory->loop, &directory->wait_timer, until_mono_ms);
    else
        loop_cancel_timer(directory->loop, &directory->wait_timer);
}

/* Whoever waited for the token goes on, or is told DENIED. */
static void on_token_change(void *context, const char *error)
{
    struct tenant *tenant = context;
    struct directory *directory = tenant->directory;
    const struct directory_settings *settings = directory->settings;
    if (settings->on_token != NULL)
        settings->on_token(settings->context, (int)(tenant - directory->tenants), error);
    reach_token_changed(tenant);
    directory_wake(directory);
}

static int start_tenant(struct directory *directory, int number, char *reterr, size_t reterr_bytes)
{
    struct tenant *tenant = &directory->tenants[number];
    const struct tenant_settings *settings = &directory->settings->tenants[number];
    tenant->directory = directory;
    tenant->requesters.directory = directory;
    budget_init(&tenant->budget, settings->resource_units_per_10s, settings->writes_per_150s,
                directory->settings->promise_max_ms);
    concurrency_init(&tenant->concurrency, directory->settings->max_in_flight);
    tenant->token.loop = directory->loop;
    tenant->token.settings = settings;
    tenant->token.on_change = on_token_change;
    tenant->token.context = tenant;
    int rc = token_source_init(&tenant->token, directory->http);
    if (rc == -EMSGSIZE)
        (void)snprintf(reterr, reterr_bytes, "tenant %s: the credential or a URL is too long",
                       settings->name);
    if (rc < 0)
        return rc;
    rc = reach_init(tenant);
    if (rc < 0)
        token_source_deinit(&tenant->token);
    return rc;
}

static int start(struct directory *directory, char *reterr, size_t reterr_bytes)
{
    const struct directory_settings *settings = directory->settings;
    struct http_settings http = {.ca_file = settings->ca_file,
                                 .connections_max =
                                     settings->max_in_flight + 2 * settings->n_tenants,
                                 .timeout_ms = settings->request_timeout_ms};
    int rc = http_new(directory->loop, &http, &directory->http);
    if (rc < 0)
        return rc;
    directory->tenants = calloc((size_t)settings->n_tenants + 1, sizeof *directory->tenants);
    directory->exchanges = calloc((size_t)settings->max_in_flight, sizeof *directory->exchanges);
    if (directory->tenants == NULL || directory->exchanges == NULL)
        return -ENOMEM;
    /* All slots now: later there is nobody to tell that memory is short. */
    for (int i = 0; i < settings->max_in_flight; i++) {
        rc = exchange_init(&directory->exchanges[i], directory);
        if (rc < 0)
            return rc;
        directory->n_exchanges++;
    }
    directory->own_slots = settings->n_tenants > 1
                               ? settings->max_in_flight / (2 * settings->n_tenants)
                               : settings->max_in_flight;
    for (; directory->n_tenants < settings->n_tenants; directory->n_tenants++) {
        rc = start_tenant(directory, directory->n_tenants, reterr, reterr_bytes);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int directory_new(const struct directory_settings *settings, struct loop *loop,
                  struct directory **ret_directory, char *reterr, size_t reterr_bytes)
{
    assert(settings->max_in_flight > 0 && settings->n_tenants <= TENANTS_MAX);
    (void)snprintf(reterr, reterr_bytes, "no memory for the directory client");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    struct directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        curl_global_cleanup();
        return -ENOMEM;
    }
    directory->settings = settings;
    directory->loop = loop;
    directory->pump_timer = (struct timer){.on_due = pump, .context = directory};
    directory->wait_timer = (struct timer){.on_due = pump, .context = directory};
    int rc = start(directory, reterr, reterr_bytes);
    if (rc < 0) {
        directory_free(directory);
        return rc;
    }
    *ret_directory = directory;
    return 0;
}

void directory_set_share(struct directory *directory, int held, int all)
{
    int64_t now_mono_ms = loop_now(directory->loop)->mono_ms;
    for (int i = 0; i < directory->n_tenants; i++)
        if (budget_set_share(&directory->tenants[i].budget, held, all, now_mono_ms))
            directory_wake(directory);
}

bool directory_ready(const struct directory *directory)
{
    for (int i = 0; i < directory->n_tenants; i++)
        if (token_current(&directory->tenants[i].token) == NULL)
            return false;
    return true;
}

bool directory_reaches_nobody(const struct directory *directory)
{
    for (int i = 0; i < directory->n_tenants; i++)
        if (directory->tenants[i].reach.breaker.state == BREAKER_CLOSED)
            return false;
    return directory->n_tenants > 0;
}

struct directory_tenant_state directory_tenant_state(const struct directory *directory, int number)
{
    struct tenant *tenant = &directory->tenants[number];
    const struct certificate *certificate = directory->settings->tenants[number].certificate;
    int64_t now_mono_ms = loop_now(directory->loop)->mono_ms, writes_left;
    int64_t units_left = budget_left(&tenant->budget, now_mono_ms, &writes_left);
    return (struct directory_tenant_state){
        .credential_expires_at_ms = certificate != NULL ? certificate->expires_at_ms : 0,
        .has_token = token_current(&tenant->token) != NULL,
        .is_refused = token_refused(&tenant->token),
        .breaker = tenant->reach.breaker.state,
        .throttled_ms = throttle_wait_ms(&tenant->throttle, now_mono_ms),
        .units_left = units_left,
        .writes_left = writes_left,
        .concurrency_limit = tenant->concurrency.limit,
    };
}

int directory_in_flight(const struct directory *directory)
{
    return directory->n_busy;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    loop_cancel_timer(directory->loop, &directory->pump_timer);
    loop_cancel_timer(directory->loop, &directory->wait_timer);
    for (int i = 0; i < directory->n_exchanges; i++)
        exchange_deinit(&directory->exchanges[i]);
    for (int i = 0; i < directory->n_tenants; i++) {
        reach_deinit(&directory->tenants[i]);
        token_source_deinit(&directory->tenants[i].token);
        requesters_deinit(&directory->tenants[i].requesters);
    }
    free(directory->exchanges);
    free(directory->tenants);
    http_free(directory->http);
    free(directory);
    curl_global_cleanup();
}

#include "worker/directory/reach.h"

#include "worker/directory/client.h"
#include "worker/directory/retry_after.h"
#include "worker/test_controls.h"

#include <assert.h>

enum { PROBE_JITTER_MS = SECOND_MS / 2 }; /* instances do not come back together */

static struct breaker *breaker_of(struct tenant *tenant)
{
    return &tenant->reach.breaker;
}

static void tell(struct tenant *tenant, const char *why)
{
    const struct directory_settings *settings = tenant->directory->settings;
    if (settings->on_breaker != NULL)
        settings->on_breaker(settings->context, (int)(tenant - tenant->directory->tenants), why);
}

static void set_timer(struct tenant *tenant, int64_t at_mono_ms)
{
    loop_set_timer(tenant->directory->loop, &tenant->reach.timer, at_mono_ms);
}

static void opened(struct tenant *tenant, const char *why)
{
    set_timer(tenant, breaker_of(tenant)->probe_at_mono_ms);
    directory_wake(tenant->directory); /* those who wait for a slot or a token are told */
    tell(tenant, why);
}

/* What left before may be on the wire still, so silence is watched for at once. */
static void closed(struct tenant *tenant)
{
    set_timer(tenant, breaker_of(tenant)->heard_at_mono_ms + BREAKER_SILENT_MS);
    tell(tenant, NULL);
}

/* The throttle's time is the probe's too (P6). */
static void send_probe(struct tenant *tenant)
{
    struct reach *reach = &tenant->reach;
    struct token *token = token_current(&tenant->token);
    int64_t now_mono_ms = loop_now(tenant->directory->loop)->mono_ms;
    int64_t throttled_ms = throttle_wait_ms(&tenant->throttle, now_mono_ms);
    int64_t held_ms =
        throttle_held_ms(&tenant->throttle, throttle_call("GET", reach->url), now_mono_ms);
    if (held_ms > throttled_ms)
        throttled_ms = held_ms;
    if (token == NULL) /* reach_token_changed goes on */
        return;
    if (throttled_ms > 0) {
        set_timer(tenant, now_mono_ms + throttled_ms);
        return;
    }
    breaker_probe_leaves(&reach->breaker);
    reach->token = token_hold(token);
    reach->header = (struct curl_slist){.data = token->header};
    reach->probe.method = "GET";
    reach->probe.url = reach->url;
    reach->probe.headers = &reach->header;
    transfer_start(&reach->probe);
}

static void on_due(void *context)
{
    struct tenant *tenant = context;
    int64_t now_mono_ms = loop_now(tenant->directory->loop)->mono_ms;
    struct breaker *breaker = breaker_of(tenant);
    if (breaker_probe_is_due(breaker, now_mono_ms))
        send_probe(tenant);
    if (breaker->state != BREAKER_CLOSED || test_without("breaker") ||
        (tenant->n_busy == 0 && !tenant_waits_for_token(tenant)))
        return;
    if (breaker_still_awaits(breaker, now_mono_ms))
        opened(tenant, "nothing was heard of it for 5 s");
    else
        set_timer(tenant, breaker->heard_at_mono_ms + BREAKER_SILENT_MS);
}

static bool answers(const struct reply *reply)
{
    return reply->fate == REPLY_WHOLE && reply->http_status < 500;
}

static void on_probed(void *context)
{
    struct tenant *tenant = context;
    struct reach *reach = &tenant->reach;
    const struct reply *reply = &reach->probe.reply;
    struct loop *loop = tenant->directory->loop;
    int64_t now_mono_ms = loop_read_mono_ms();
    int64_t floor_ms = retry_after_parse(reply->retry_after, loop_now(loop)->directory_ms);
    throttle_take(&tenant->throttle, throttle_call(reach->probe.method, reach->url), reply,
                  floor_ms, now_mono_ms);
    if (reply->fate == REPLY_WHOLE && reply->http_status == 401)
        token_reject(&tenant->token, reach->token);
    token_release(reach->token);
    reach->token = NULL;
    int64_t more_ms = floor_ms > BREAKER_PROBE_MS ? floor_ms - BREAKER_PROBE_MS : 0;
    if (breaker_probe_ends(&reach->breaker, answers(reply),
                           more_ms + throttle_jitter_ms(PROBE_JITTER_MS), now_mono_ms))
        closed(tenant);
    else
        set_timer(tenant, reach->breaker.probe_at_mono_ms);
}

int reach_init(struct tenant *tenant)
{
    struct reach *reach = &tenant->reach;
    const struct directory_settings *settings = tenant->directory->settings;
    const struct directory_question nobody = {.operation = DIRECTORY_DELETED_BY_ID,
                                              .id = "00000000-0000-0000-0000-000000000000"};
    int timeout_ms = settings->request_timeout_ms < REACH_PROBE_MAX_MS
                         ? settings->request_timeout_ms
                         : REACH_PROBE_MAX_MS;
    bool fits = call_write_url(DIRECTORY_DELETED_BY_ID, tenant->token.settings->graph_url, &nobody,
                               reach->url);
    assert(fits && "settings bound a tenant's URL");
    reach->timer = (struct timer){.on_due = on_due, .context = tenant};
    reach->probe.on_done = on_probed;
    reach->probe.context = tenant;
    int rc = transfer_init(&reach->probe, tenant->directory->http);
    if (rc < 0)
        return rc;
    transfer_stand_alone(&reach->probe, timeout_ms);
    reach_awaits(tenant);
    return 0;
}

void reach_deinit(struct tenant *tenant)
{
    loop_cancel_timer(tenant->directory->loop, &tenant->reach.timer);
    transfer_deinit(&tenant->reach.probe);
    token_release(tenant->reach.token);
    tenant->reach.token = NULL;
}

void reach_awaits(struct tenant *tenant)
{
    struct breaker *breaker = breaker_of(tenant);
    breaker_awaits(breaker, loop_read_mono_ms());
    if (breaker->state == BREAKER_CLOSED && tenant->reach.timer.place == 0)
        set_timer(tenant, breaker->heard_at_mono_ms + BREAKER_SILENT_MS);
}

void reach_take(struct tenant *tenant, const struct reply *reply)
{
    struct breaker *breaker = breaker_of(tenant);
    int64_t now_mono_ms = loop_read_mono_ms();
    if (reply->fate == REPLY_UNPROVEN) /* it did not leave, and could have */
        return;
    if (answers(reply) || test_without("breaker"))
        breaker_heard(breaker, now_mono_ms);
    else if (breaker_failed(breaker, now_mono_ms))
        opened(tenant, reply->fate == REPLY_WHOLE ? "it answers with 5xx" : "it does not answer");
}

void reach_token_changed(struct tenant *tenant)
{
    struct breaker *breaker = breaker_of(tenant);
    /* The last token ended in a quiet hour, when nothing was watched for. */
    if (breaker->state == BREAKER_CLOSED && tenant->reach.timer.place == 0 &&
        tenant_waits_for_token(tenant))
        reach_awaits(tenant);
    if (breaker->state != BREAKER_OPEN)
        return;
    if (token_current(&tenant->token) != NULL) {
        set_timer(tenant, breaker->probe_at_mono_ms);
    } else if (token_refused(&tenant->token)) { /* an answer: its calls are denied at once */
        breaker_probe_leaves(breaker);
        (void)breaker_probe_ends(breaker, true, 0, loop_read_mono_ms());
        closed(tenant);
    }
}

int64_t reach_wait_ms(const struct tenant *tenant)
{
    if (tenant->reach.breaker.state == BREAKER_CLOSED)
        return 0;
    return REACH_WAIT_MS + throttle_jitter_ms(REACH_WAIT_MS);
}

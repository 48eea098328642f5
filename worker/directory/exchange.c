/* One call on the wire, from the slot it takes to the answer: pages, the requester's second call,
 * the fresh token after a 401. */
#include "worker/directory/client.h"

#include "worker/directory/retry_after.h"
#include "worker/test_controls.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void on_done(void *context);

int exchange_init(struct exchange *exchange, struct directory *directory)
{
    exchange->directory = directory;
    exchange->transfer.on_done = on_done;
    exchange->transfer.context = exchange;
    int rc = transfer_init(&exchange->transfer, directory->http);
    if (rc < 0)
        return rc;
    exchange->next_free = directory->free_exchanges;
    directory->free_exchanges = exchange;
    return 0;
}

/* libcurl's own copy of a request is out of reach; PR_SET_DUMPABLE keeps it out of core dumps. */
static void forget_secrets(struct exchange *exchange)
{
    if (exchange->kind == DIRECTORY_SET_PASSWORD)
        explicit_bzero(exchange->body, sizeof exchange->body);
    token_release(exchange->token);
    exchange->token = NULL;
}

void exchange_deinit(struct exchange *exchange)
{
    forget_secrets(exchange);
    transfer_deinit(&exchange->transfer);
}

/* The last one freed is the next one used: its memory is still in the cache. */
static void give_back(struct exchange *exchange)
{
    struct directory *directory = exchange->directory;
    directory->n_busy--;
    if (--exchange->tenant->n_busy >= directory->own_slots)
        directory->n_shared_busy--;
    exchange->next_free = directory->free_exchanges;
    directory->free_exchanges = exchange;
    directory_wake(directory);
}

static struct directory_call *detach(struct exchange *exchange)
{
    struct directory_call *call = exchange->call;
    forget_secrets(exchange);
    call->exchange = NULL;
    exchange->call = NULL;
    return call;
}

static void add_header(struct exchange *exchange, int *n, char *text)
{
    struct curl_slist *header = &exchange->headers[*n];
    *header = (struct curl_slist){.data = text};
    if (*n > 0)
        exchange->headers[*n - 1].next = header;
    ++*n;
}

static void send_request(struct exchange *exchange)
{
    struct transfer *transfer = &exchange->transfer;
    const struct directory_question *question = exchange->call->question;
    int n = 0;
    add_header(exchange, &n, exchange->token->header);
    add_header(exchange, &n, exchange->id_header);
    add_header(exchange, &n, "Accept: application/json");
    if (call_is_advanced(exchange->kind))
        add_header(exchange, &n, "ConsistencyLevel: eventual");
    size_t body_bytes =
        call_write_body(exchange->kind, question, exchange->call->password, exchange->body);
    transfer->changes = call_changes(exchange->kind);
    assert(!transfer->changes || body_bytes > 0 || exchange->kind == DIRECTORY_DELETE_USER);
    if (body_bytes > 0)
        add_header(exchange, &n, "Content-Type: application/json");
    transfer->method = call_method(exchange->kind);
    transfer->url = exchange->url;
    transfer->headers = exchange->headers;
    transfer->body = body_bytes > 0 ? exchange->body : NULL;
    transfer->body_bytes = body_bytes;
    transfer->proven_until_mono_ms = exchange->call->proven_until_mono_ms;
    exchange->started_at_mono_ms = loop_read_mono_ms();
    exchange->call->has_changed |= transfer->changes;
    budget_take(&exchange->tenant->budget, call_cost(exchange->kind, question),
                exchange->started_at_mono_ms);
    transfer_start(transfer);
}

static void count_busy(struct tenant *tenant)
{
    struct directory *directory = tenant->directory;
    directory->n_busy++;
    if (tenant->n_busy >= directory->own_slots)
        directory->n_shared_busy++;
    if (tenant->n_busy++ == 0)
        reach_awaits(tenant);
}

void exchange_start(struct tenant *tenant, struct directory_call *call, struct token *token)
{
    struct directory *directory = tenant->directory;
    struct exchange *exchange = directory->free_exchanges;
    directory->free_exchanges = exchange->next_free;
    count_busy(tenant);
    exchange->tenant = tenant;
    exchange->call = call;
    call->exchange = exchange;
    exchange->token = token_hold(token);
    exchange->kind = (int)call->question->operation;
    exchange->n_pages = 0;
    answer_clear(&exchange->answer);
    exchange->answer.list = call->list;
    if (call->list != NULL)
        user_list_clear(call->list);
    (void)snprintf(exchange->id_header, sizeof exchange->id_header, "client-request-id: %s",
                   call->question->client_request_id);
    bool fits = call_write_url(exchange->kind, exchange->tenant->token.settings->graph_url,
                               call->question, exchange->url);
    assert(fits && "a question is shorter than any URL");
    exchange->throttled_as = throttle_call(call_method(exchange->kind), exchange->url);
    send_request(exchange);
}

void exchange_cancel(struct exchange *exchange)
{
    transfer_cancel(&exchange->transfer);
    (void)detach(exchange);
    give_back(exchange);
}

static bool is_visible_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* The token goes to the directory's own host and nowhere else (directory-api.md 2.3). */
static bool is_at_home(const struct exchange *exchange, const char *url)
{
    const char *graph_url = exchange->tenant->token.settings->graph_url;
    size_t n = strlen(graph_url);
    return strncasecmp(url, graph_url, n) == 0 && url[n] == '/' && is_visible_ascii(url);
}

/* A list in order is right as far as it goes, any other that cannot be read to its end answers
 * nothing. */
static void give_up_reading(struct exchange *exchange)
{
    struct directory_answer *answer = &exchange->answer;
    if (answer->list != NULL)
        answer->list->truncated = true;
    else
        answer->status = DIRECTORY_UNKNOWN;
}

/* True: the answer needs another reply, and its request is under way. */
static bool go_on(struct exchange *exchange)
{
    struct directory_answer *answer = &exchange->answer;
    if (answer->status != DIRECTORY_YES)
        return false;
    if (exchange->kind == DIRECTORY_REQUESTER && answer->requester.enabled) {
        struct directory_question found = {0};
        (void)text_copy(found.id, sizeof found.id, answer->requester.id);
        exchange->kind = CALL_REQUESTER_ROLES;
        (void)call_write_url(exchange->kind, exchange->tenant->token.settings->graph_url, &found,
                             exchange->url);
    } else if (exchange->url[0] == '\0') {
        return false;
    } else if (!is_at_home(exchange, exchange->url)) {
        answer->status = DIRECTORY_UNKNOWN;
        return false;
    } else if (++exchange->n_pages == CALL_PAGES_MAX) {
        give_up_reading(exchange);
        return false;
    }
    send_request(exchange);
    return true;
}

static int64_t date_of(struct directory *directory, const struct reply *reply)
{
    if (reply->fate != REPLY_WHOLE)
        return -1;
    if (strcmp(directory->last_date, reply->date) != 0) {
        (void)text_copy(directory->last_date, sizeof directory->last_date, reply->date);
        directory->last_date_ms = http_date_parse(reply->date);
    }
    return directory->last_date[0] == '\0' ? -1 : directory->last_date_ms;
}

static void learn_concurrency(struct exchange *exchange, int64_t now_mono_ms)
{
    struct tenant *tenant = exchange->tenant;
    const struct reply *reply = &exchange->transfer.reply;
    int status = reply->http_status;
    if (reply->fate == REPLY_UNPROVEN)
        return;
    if (reply->fate != REPLY_WHOLE || status == 429 || status == 503 || status == 504)
        concurrency_failed(&tenant->concurrency, exchange->started_at_mono_ms, now_mono_ms);
    else if (status < 500)
        concurrency_succeeded(&tenant->concurrency, exchange->kind, tenant->n_busy,
                              exchange->started_at_mono_ms, now_mono_ms);
}

static void take_reply(struct exchange *exchange)
{
    struct directory *directory = exchange->directory;
    struct directory_answer *answer = &exchange->answer;
    const struct reply *reply = &exchange->transfer.reply;
    const struct instant *now = loop_now(directory->loop);
    int64_t date_ms = date_of(directory, reply);
    if (date_ms >= 0)
        loop_set_directory_offset_ms(directory->loop,
                                     clock_take(&directory->clock, date_ms, now->mono_ms));
    struct asked asked = {exchange->kind, exchange->call->question, now->directory_ms};
    reply_answer(&asked, reply, answer, exchange->url);
    exchange->call->fault = exchange->transfer.fault;
    int64_t now_mono_ms = loop_read_mono_ms();
    reach_take(exchange->tenant, reply);
    learn_concurrency(exchange, now_mono_ms);
    if (test_without("retry-after"))
        answer->retry_after_ms = 0;
    if (answer->retry_after_ms > 0) {
        throttle_take(&exchange->tenant->throttle, exchange->throttled_as, reply,
                      answer->retry_after_ms, now_mono_ms);
        /* Counted from the turn's clock, which the reply may be younger than. */
        answer->retry_after_ms +=
            now_mono_ms - now->mono_ms + throttle_jitter_ms(THROTTLE_JITTER_MS);
    }
    const struct directory_settings *settings = directory->settings;
    if (settings->on_call != NULL)
        settings->on_call(settings->context, exchange->call, answer,
                          now_mono_ms - exchange->started_at_mono_ms);
}

static void on_done(void *context)
{
    struct exchange *exchange = context;
    struct directory *directory = exchange->directory;
    take_reply(exchange);
    if (exchange->answer.http_status == 401 && !exchange->call->asked_again) {
        /* Certainly not done; once more, with a fresh token. */
        token_reject(&exchange->tenant->token, exchange->token);
        reach_awaits(exchange->tenant);
        struct directory_call *call = detach(exchange);
        call->asked_again = true;
        give_back(exchange);
        directory_enqueue(directory, call);
        return;
    }
    if (go_on(exchange))
        return;
    answer_close((int)exchange->call->question->operation, &exchange->answer);
    struct directory_call *call = detach(exchange);
    call->on_answer(call->context, &exchange->answer);
    give_back(exchange);
}

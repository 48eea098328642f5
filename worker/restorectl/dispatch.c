#include "worker/restorectl/dispatch.h"

#include "worker/clock.h"
#include "worker/restorectl/events.h"
#include "worker/restorectl/printer.h"
#include "worker/restorectl/progress.h"
#include "worker/restorectl/sender.h"

#include <string.h>

enum {
    TURN_MS = 500, /* how often the progress line moves */
    /* A batch's summary is never published before its last outcome, but readers of two topics may
     * see it first (contract 4). */
    STRAGGLERS_MS = 10000,
    MISSING_NAMED_MAX = 20,
};

/* A request that waits for its outcome. */
struct flight {
    const struct request *request;
    int n_outcomes;
    struct event summary;  /* of a batch; `whole` is NULL until it is there */
    int64_t until_mono_ms; /* then the summary waits no longer */
};

struct run {
    const struct options *options; /* print, no_wait, output, timeout_ms */
    struct connection connection;
    const struct request *requests;
    int n_requests;
    bool is_bulk;
    struct sender *sender;
    struct events *events;
    struct printer printer;
    struct progress progress;
    struct tally tally;
    int n_sent, n_done, n_flights;
    struct flight flights[IN_FLIGHT_MAX];
    int64_t until_mono_ms;
};

static struct flight *find_flight(struct run *run, const char *request_id)
{
    for (int i = 0; i < run->n_flights; i++)
        if (strcmp(run->flights[i].request->id, request_id) == 0)
            return &run->flights[i];
    return NULL;
}

static void end_flight(struct run *run, struct flight *flight)
{
    if (flight->summary.whole != NULL) {
        printer_put(&run->printer, &flight->summary, NULL);
        tally_add(&run->tally, &flight->summary);
        event_deinit(&flight->summary);
    }
    *flight = run->flights[--run->n_flights];
    run->n_done++;
}

static bool batch_is_whole(const struct flight *flight)
{
    return flight->summary.whole != NULL &&
           flight->n_outcomes >= json_integer_value(json_object_get(flight->summary.data, "total"));
}

/* The first outcome ends the request of one user; the summary, once all outcomes are here, that of
 * `users` (contract 1). The summary counts for the exit code: outcomes may be missing. */
static void take_event(struct run *run, struct event *event)
{
    struct flight *flight = find_flight(run, event->request_id);
    if (flight == NULL || event->is_request) {
        event_deinit(event);
        return;
    }
    progress_clear(&run->progress);
    if (run->is_bulk)
        run->until_mono_ms = clock_read_mono_ms() + run->options->timeout_ms;
    if (event->kind == EVENT_BATCH_COMPLETED) {
        event_deinit(&flight->summary);
        flight->summary = *event;
        flight->until_mono_ms = clock_read_mono_ms() + STRAGGLERS_MS;
    } else {
        bool is_last = !flight->request->is_batch || event_ends_batch(event);
        printer_put(&run->printer, event, flight->request->user);
        flight->n_outcomes++;
        if (is_last)
            tally_add(&run->tally, event);
        event_deinit(event);
        if (is_last) {
            end_flight(run, flight);
            return;
        }
    }
    if (batch_is_whole(flight))
        end_flight(run, flight);
}

static void end_late_batches(struct run *run)
{
    for (int i = run->n_flights - 1; i >= 0; i--) {
        struct flight *flight = &run->flights[i];
        if (flight->summary.whole != NULL && clock_read_mono_ms() >= flight->until_mono_ms)
            end_flight(run, flight);
    }
}

static enum exit_code send_more(struct run *run)
{
    enum exit_code code = sender_check(run->sender);
    while (code == EXIT_OK && run->n_sent < run->n_requests && run->n_flights < IN_FLIGHT_MAX) {
        const struct request *request = &run->requests[run->n_sent];
        code = sender_send(run->sender, request);
        if (code == EXIT_OK) {
            run->flights[run->n_flights++] = (struct flight){.request = request};
            run->n_sent++;
        }
    }
    return code;
}

static int turn_ms(const struct run *run)
{
    int64_t left_ms = run->until_mono_ms - clock_read_mono_ms();
    return left_ms < TURN_MS ? (int)left_ms : TURN_MS;
}

static enum exit_code send_and_await(struct run *run)
{
    enum exit_code code = send_more(run); /* however little time is left */
    run->until_mono_ms = run->connection.until_mono_ms;
    while (code == EXIT_OK && run->n_done < run->n_requests && turn_ms(run) > 0) {
        struct event event;
        code = send_more(run);
        if (code != EXIT_OK)
            break;
        progress_show(&run->progress, run->n_done, &run->tally);
        enum events_result result = events_next(run->events, turn_ms(run), &event);
        if (result == EVENTS_FOUND)
            take_event(run, &event);
        else if (result == EVENTS_DENIED)
            code = EXIT_NOT_PERMITTED;
        end_late_batches(run);
    }
    progress_clear(&run->progress);
    return code == EXIT_OK ? sender_flush(run->sender) : code;
}

/* A flight whose summary is here has an outcome, though not all of its users' were seen. */
static void name_missing(struct run *run)
{
    int n_unsent = run->n_requests - run->n_sent;
    for (int i = run->n_flights - 1; i >= 0; i--)
        if (run->flights[i].summary.whole != NULL)
            end_flight(run, &run->flights[i]);
    for (int i = 0; i < run->n_flights; i++) {
        if (i == MISSING_NAMED_MAX) {
            fprintf(stderr, "restorectl: and %d more\n", run->n_flights - i);
            break;
        }
        fprintf(stderr, "restorectl: no outcome yet; later: restorectl wait %s\n",
                run->flights[i].request->id);
    }
    if (n_unsent > 0)
        fprintf(stderr, "restorectl: %d were not sent; --resume goes on from the results\n",
                n_unsent);
}

static enum exit_code send_alone(struct run *run)
{
    enum exit_code code = EXIT_OK;
    for (int i = 0; i < run->n_requests && code == EXIT_OK; i++)
        code = sender_send(run->sender, &run->requests[i]);
    if (code == EXIT_OK)
        code = sender_flush(run->sender);
    for (int i = 0; i < run->n_requests && code == EXIT_OK; i++)
        printf("%s\n", run->requests[i].id);
    return code;
}

/* Reading begins before the requests are sent, so that no outcome can be missed. */
static enum exit_code send_all(struct run *run)
{
    enum exit_code code = EXIT_OK;
    if (!run->options->no_wait)
        code = events_open(&run->connection, EVENTS_FROM_NOW, &run->events);
    if (code == EXIT_OK)
        code = sender_open(&run->connection, &run->sender);
    if (code == EXIT_OK && run->options->no_wait) {
        code = send_alone(run);
    } else if (code == EXIT_OK) {
        progress_begin(&run->progress, run->n_requests, run->is_bulk);
        code = send_and_await(run);
        name_missing(run);
        if (code == EXIT_OK)
            code = tally_exit_code(&run->tally, run->n_requests - run->n_done);
    }
    sender_close(run->sender);
    events_close(run->events);
    return code;
}

enum exit_code dispatch_requests(const struct options *options, const struct request *requests,
                                 int n_requests, bool is_bulk)
{
    int64_t wall_ms = clock_read_wall_ms();
    struct run run = {.options = options,
                      .requests = requests,
                      .n_requests = n_requests,
                      .is_bulk = is_bulk,
                      .printer = {.out = stdout, .output = options->output, .wall_ms = wall_ms}};
    enum exit_code code = connection_open(options, !options->print, &run.connection);
    if (code != EXIT_OK)
        return code;
    if (!options->print)
        code = send_all(&run);
    for (int i = 0; options->print && i < n_requests; i++)
        request_print(&requests[i], run.connection.settings, wall_ms,
                      options->output == OUTPUT_JSON, stdout);
    connection_close(&run.connection);
    return code;
}

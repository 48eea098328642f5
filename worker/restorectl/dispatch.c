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
    struct event summary;  /* of a batch; type EVENT_TYPES until it is there */
    int64_t until_mono_ms; /* then the summary waits no longer */
};

struct run {
    const struct dispatch *dispatch;
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
    const struct dispatch *dispatch = run->dispatch;
    if (flight == NULL || event->type == EVENT_IS_REQUEST) {
        event_deinit(event);
        return;
    }
    progress_clear(&run->progress);
    if (dispatch->is_bulk)
        run->until_mono_ms = clock_read_mono_ms() + dispatch->options->timeout_ms;
    if (event->type == EVENT_IS_BATCH) {
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
    int n = run->dispatch->n_requests;
    while (code == EXIT_OK && run->n_sent < n && run->n_flights < IN_FLIGHT_MAX) {
        const struct request *request = &run->dispatch->requests[run->n_sent];
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
    int n = run->dispatch->n_requests;
    run->until_mono_ms = run->dispatch->connection->until_mono_ms;
    while (code == EXIT_OK && run->n_done < n && turn_ms(run) > 0) {
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
    int n_unsent = run->dispatch->n_requests - run->n_sent;
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
    const struct dispatch *dispatch = run->dispatch;
    enum exit_code code = EXIT_OK;
    for (int i = 0; i < dispatch->n_requests && code == EXIT_OK; i++)
        code = sender_send(run->sender, &dispatch->requests[i]);
    if (code == EXIT_OK)
        code = sender_flush(run->sender);
    for (int i = 0; i < dispatch->n_requests && code == EXIT_OK; i++)
        printf("%s\n", dispatch->requests[i].id);
    return code;
}

static void print_requests(const struct dispatch *dispatch)
{
    const struct settings *settings = dispatch->connection->settings;
    const struct request_place place = {settings->kafka.requests_topic,
                                        settings->events.type_prefix, clock_read_wall_ms()};
    for (int i = 0; i < dispatch->n_requests; i++)
        request_print(&dispatch->requests[i], &place, dispatch->options->output == OUTPUT_JSON,
                      stdout);
}

/* Reading begins before the requests are sent, so that no outcome can be missed. */
enum exit_code dispatch_requests(const struct dispatch *dispatch)
{
    const struct options *options = dispatch->options;
    struct run run = {
        .dispatch = dispatch,
        .printer = {.out = stdout, .output = options->output, .wall_ms = clock_read_wall_ms()}};
    enum exit_code code = EXIT_OK;
    if (options->print) {
        print_requests(dispatch);
        return EXIT_OK;
    }
    if (!options->no_wait)
        code = events_open(dispatch->connection, EVENTS_FROM_NOW, &run.events);
    if (code == EXIT_OK)
        code = sender_open(dispatch->connection, &run.sender);
    if (code == EXIT_OK && options->no_wait) {
        code = send_alone(&run);
    } else if (code == EXIT_OK) {
        progress_begin(&run.progress, dispatch->n_requests, dispatch->is_bulk);
        code = send_and_await(&run);
        name_missing(&run);
        if (code == EXIT_OK)
            code = tally_exit_code(&run.tally, dispatch->n_requests - run.n_done);
    }
    sender_close(run.sender);
    events_close(run.events);
    return code;
}

/* wait REQUEST-ID: everything that is there is read first, and the newest wins. Whether it was a
 * batch, which only its summary ends, stands in the request; where that may not be read, only the
 * summary itself shows it. */
#include "worker/clock.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/events.h"
#include "worker/restorectl/printer.h"
#include "worker/restorectl/progress.h"

#include <string.h>

enum { TURN_MS = 500, KEPT_MAX = USERS_MAX + 1 }; /* a batch's outcomes and its summary */

struct waiting {
    const char *id;
    bool is_batch, caught_up, is_denied;
    int n_kept;
    struct event kept[KEPT_MAX]; /* the newest of each event id */
};

static struct event *find_kept(struct waiting *waiting, const struct event *event)
{
    for (int i = 0; i < waiting->n_kept; i++)
        if (strcmp(waiting->kept[i].id, event->id) == 0)
            return &waiting->kept[i];
    return NULL;
}

/* A single user's newest outcome may be of another kind, so of another id, than the one before. */
static void keep(struct waiting *waiting, struct event *event)
{
    struct event *old = find_kept(waiting, event);
    waiting->is_batch = waiting->is_batch || event->kind == EVENT_BATCH_COMPLETED;
    if (old == NULL && waiting->n_kept < KEPT_MAX) {
        waiting->kept[waiting->n_kept++] = *event;
        return;
    }
    if (old == NULL || old->at_ms > event->at_ms) {
        event_deinit(event);
        return;
    }
    event_deinit(old);
    *old = *event;
}

static void take_event(struct waiting *waiting, struct event *event)
{
    bool is_ours = strcmp(event->request_id, waiting->id) == 0;
    if (is_ours && event->is_request)
        waiting->is_batch = waiting->is_batch || json_object_get(event->data, "users") != NULL;
    if (is_ours && !event->is_request)
        keep(waiting, event);
    else
        event_deinit(event);
}

static const struct event *find_end(const struct waiting *waiting)
{
    const struct event *newest = NULL;
    for (int i = 0; i < waiting->n_kept; i++) {
        const struct event *event = &waiting->kept[i];
        bool ends =
            !waiting->is_batch || event->kind == EVENT_BATCH_COMPLETED || event_ends_batch(event);
        if (ends && (newest == NULL || event->at_ms >= newest->at_ms))
            newest = event;
    }
    return newest;
}

static void await_end(struct waiting *waiting, struct events *events, int64_t until_mono_ms)
{
    struct progress progress;
    static const struct tally none;
    progress_begin(&progress, 1, false);
    while (!waiting->is_denied && !(waiting->caught_up && find_end(waiting) != NULL)) {
        struct event event;
        int64_t left_ms = until_mono_ms - clock_read_mono_ms();
        if (left_ms <= 0)
            break;
        progress_show(&progress, 0, &none);
        switch (events_next(events, left_ms < TURN_MS ? (int)left_ms : TURN_MS, &event)) {
        case EVENTS_FOUND: take_event(waiting, &event); break;
        case EVENTS_CAUGHT_UP: waiting->caught_up = true; break;
        case EVENTS_DENIED: waiting->is_denied = true; break;
        case EVENTS_NOTHING: break;
        }
    }
    progress_clear(&progress);
}

/* Of a batch all outcomes, the summary last. */
static enum exit_code print_end(struct waiting *waiting, enum output output)
{
    struct printer printer = {.out = stdout, .output = output, .wall_ms = clock_read_wall_ms()};
    struct tally tally = {0};
    const struct event *end = find_end(waiting);
    if (end == NULL) {
        fprintf(stderr, "restorectl: no outcome yet; later: restorectl wait %s\n", waiting->id);
        return EXIT_TIMED_OUT;
    }
    for (int i = 0; waiting->is_batch && i < waiting->n_kept; i++)
        if (&waiting->kept[i] != end)
            printer_put(&printer, &waiting->kept[i], NULL);
    printer_put(&printer, end, NULL);
    tally_add(&tally, end);
    return tally_exit_code(&tally, 0);
}

enum exit_code command_wait(const struct options *options)
{
    struct connection connection;
    struct events *events = NULL;
    struct waiting waiting = {.id = options->request_id};
    enum exit_code code = connection_open(options, true, &connection);
    if (code != EXIT_OK)
        return code;
    code = events_open(&connection, EVENTS_FROM_BEGINNING, &events);
    if (code == EXIT_OK) {
        await_end(&waiting, events, connection.until_mono_ms);
        code = waiting.is_denied ? EXIT_NOT_PERMITTED : print_end(&waiting, options->output);
    }
    for (int i = 0; i < waiting.n_kept; i++)
        event_deinit(&waiting.kept[i]);
    events_close(events);
    connection_close(&connection);
    return code;
}

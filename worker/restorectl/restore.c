#include "worker/clock.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/outcome_print.h"
#include "worker/restorectl/request.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURN_MS = 1000 }; /* how often the progress line moves */

struct waiting {
    const struct options *options;
    int n_users, n_found, n_failed, n_conflicts;
    char (*ids)[IDENTITY_BYTES + 1]; /* request ids; "" once its outcome is there */
    int64_t begun_at_mono_ms;
};

enum exit_code outcomes_exit_code(int n_failed, int n_conflicts, int n_missing)
{
    if (n_missing > 0)
        return EXIT_TIMED_OUT;
    if (n_failed > 0)
        return EXIT_SOME_FAILED;
    return n_conflicts > 0 ? EXIT_CONFLICT : EXIT_OK;
}

static void count_and_print(struct waiting *waiting, const struct found_outcome *found)
{
    waiting->n_found++;
    waiting->n_failed += found->kind == OUTCOME_FAILED;
    waiting->n_conflicts += found->kind == OUTCOME_CONFLICT;
    if (waiting->options->json)
        outcome_print_json(found, stdout);
    else
        outcome_print_text(found, stdout);
}

/* One line that is written over; only people see it. */
static void show_progress(const struct waiting *waiting, bool done)
{
    int64_t waited_ms = clock_read_mono_ms() - waiting->begun_at_mono_ms;
    if (!isatty(STDERR_FILENO))
        return;
    if (done)
        fputs("\r\033[K", stderr);
    else
        fprintf(stderr, "\r%d of %d outcomes after %" PRId64 " s", waiting->n_found,
                waiting->n_users, waited_ms / 1000);
}

static int64_t milliseconds_left(const struct waiting *waiting)
{
    return waiting->begun_at_mono_ms + waiting->options->timeout_ms - clock_read_mono_ms();
}

static int turn_ms(int64_t left_ms)
{
    return left_ms < TURN_MS ? (int)left_ms : TURN_MS;
}

static int find_id(const struct waiting *waiting, const char *id)
{
    for (int i = 0; i < waiting->n_users; i++)
        if (*id != '\0' && strcmp(waiting->ids[i], id) == 0)
            return i;
    return -1;
}

/* The first outcome of each request. */
static void await_each(struct waiting *waiting, struct outcomes *outcomes)
{
    int64_t left_ms;
    while (waiting->n_found < waiting->n_users && (left_ms = milliseconds_left(waiting)) > 0) {
        struct found_outcome found;
        if (outcomes_next(outcomes, turn_ms(left_ms), &found) == OUTCOMES_FOUND) {
            int i = find_id(waiting, found.request_id);
            if (i >= 0) {
                show_progress(waiting, true);
                waiting->ids[i][0] = '\0';
                count_and_print(waiting, &found);
            }
            found_outcome_deinit(&found);
        }
        show_progress(waiting, false);
    }
    show_progress(waiting, true);
}

static void name_missing(const struct waiting *waiting)
{
    for (int i = 0; i < waiting->n_users; i++)
        if (waiting->ids[i][0] != '\0')
            fprintf(stderr, "restorectl: no outcome yet; later: restorectl wait %s\n",
                    waiting->ids[i]);
}

/* Reading begins before the requests are sent, so that no outcome can be missed. */
static enum exit_code send_and_wait(struct waiting *waiting, struct connection *connection,
                                    const struct request_record *records)
{
    struct outcomes *outcomes = NULL;
    enum exit_code code = EXIT_OK;
    if (!waiting->options->no_wait)
        code = outcomes_open(connection, false, &outcomes);
    if (code != EXIT_OK)
        return code;
    code = requests_send(connection, records, waiting->n_users);
    if (code == EXIT_OK && outcomes == NULL) {
        for (int i = 0; i < waiting->n_users; i++)
            printf("%s\n", waiting->ids[i]);
    } else if (code == EXIT_OK) {
        await_each(waiting, outcomes);
        name_missing(waiting);
        code = outcomes_exit_code(waiting->n_failed, waiting->n_conflicts,
                                  waiting->n_users - waiting->n_found);
    }
    if (outcomes != NULL)
        outcomes_close(outcomes);
    return code;
}

static enum exit_code make_records(const struct options *options, const char *type_prefix,
                                   struct waiting *waiting, struct request_record *records)
{
    struct restore_request request;
    int64_t now_ms = clock_read_wall_ms();
    for (int i = 0; i < options->n_users; i++) {
        int r = request_begin(options, i, now_ms, &request);
        if (r == 0)
            r = request_record_init(&request, type_prefix, &records[i]);
        if (r < 0) {
            fprintf(stderr, "restorectl: %s\n", strerror(-r));
            return EXIT_INTERNAL;
        }
        (void)text_copy(waiting->ids[i], sizeof waiting->ids[i], request.envelope.id);
    }
    return EXIT_OK;
}

enum exit_code command_restore(const struct options *options)
{
    struct connection connection = {0};
    struct waiting waiting = {
        .options = options, .n_users = options->n_users, .begun_at_mono_ms = clock_read_mono_ms()};
    size_t n = (size_t)options->n_users;
    enum exit_code code = connection_open(options, !options->print, &connection);
    if (code != EXIT_OK)
        return code;
    struct request_record *records = calloc(n, sizeof *records);
    waiting.ids = calloc(n, sizeof *waiting.ids);
    assert(records != NULL && waiting.ids != NULL); /* at most 100 users */

    code = make_records(options, connection.settings->events.type_prefix, &waiting, records);
    if (code == EXIT_OK && !options->print)
        code = send_and_wait(&waiting, &connection, records);
    for (size_t i = 0; i < n; i++) {
        if (code == EXIT_OK && options->print)
            request_record_print(&records[i], connection.settings->kafka.requests_topic,
                                 options->json, stdout);
        request_record_deinit(&records[i]);
    }
    free(records);
    free(waiting.ids);
    connection_close(&connection);
    return code;
}

/* Everything that is there is read first: the newest outcome wins. Only when there is none, the
 * next to come ends the wait. */
static bool await_newest(struct waiting *waiting, struct outcomes *outcomes,
                         struct found_outcome *ret_newest)
{
    bool has_one = false, caught_up = false;
    int64_t left_ms;
    while (!(has_one && caught_up) && (left_ms = milliseconds_left(waiting)) > 0) {
        struct found_outcome found;
        enum outcomes_result result = outcomes_next(outcomes, turn_ms(left_ms), &found);
        caught_up = caught_up || result == OUTCOMES_CAUGHT_UP;
        if (result == OUTCOMES_FOUND) {
            bool newer = find_id(waiting, found.request_id) >= 0 &&
                         (!has_one || found.at_ms >= ret_newest->at_ms);
            if (newer && has_one)
                found_outcome_deinit(ret_newest);
            if (newer)
                *ret_newest = found;
            else
                found_outcome_deinit(&found);
            has_one = has_one || newer;
        }
        show_progress(waiting, false);
    }
    show_progress(waiting, true);
    return has_one;
}

enum exit_code command_wait(const struct options *options)
{
    char id[1][IDENTITY_BYTES + 1];
    struct connection connection = {0};
    struct outcomes *outcomes;
    struct found_outcome newest;
    struct waiting waiting = {
        .options = options, .n_users = 1, .ids = id, .begun_at_mono_ms = clock_read_mono_ms()};
    (void)text_copy(id[0], sizeof id[0], options->request_id);
    enum exit_code code = connection_open(options, true, &connection);
    if (code == EXIT_OK)
        code = outcomes_open(&connection, true, &outcomes);
    if (code == EXIT_OK) {
        if (await_newest(&waiting, outcomes, &newest)) {
            count_and_print(&waiting, &newest);
            found_outcome_deinit(&newest);
        } else {
            name_missing(&waiting);
        }
        code = outcomes_exit_code(waiting.n_failed, waiting.n_conflicts, 1 - waiting.n_found);
        outcomes_close(outcomes);
    }
    connection_close(&connection);
    return code;
}

/* watch: outcomes of everybody as they come, until SIGINT or SIGTERM. */
#include "worker/clock.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/events.h"
#include "worker/restorectl/printer.h"

#include <signal.h>
#include <string.h>
#include <time.h>

enum { TURN_MS = 200 };

static bool is_signalled(const sigset_t *ends)
{
    static const struct timespec at_once;
    return sigtimedwait(ends, NULL, &at_once) > 0;
}

/* Silence must not look like "nothing happens" while Kafka is away. */
static void say_trouble(struct connection *connection)
{
    if (connection->last_error[0] == '\0')
        return;
    fprintf(stderr, "restorectl: Kafka at %s: %s\n", connection->brokers, connection->last_error);
    connection->last_error[0] = '\0';
}

static enum exit_code watch(struct connection *connection, struct events *events,
                            enum output output, const sigset_t *ends)
{
    struct printer printer = {.out = stdout, .output = output};
    while (!is_signalled(ends)) {
        struct event event;
        enum events_result result = events_next(events, TURN_MS, &event);
        say_trouble(connection);
        if (result == EVENTS_DENIED)
            return EXIT_NOT_PERMITTED;
        if (result != EVENTS_FOUND)
            continue;
        printer.wall_ms = clock_read_wall_ms();
        if (!event.is_request)
            printer_put(&printer, &event, NULL);
        event_deinit(&event);
        if (ferror(stdout))
            return EXIT_IO;
    }
    return EXIT_OK;
}

enum exit_code command_watch(const struct options *options)
{
    struct connection connection;
    struct events *events = NULL;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before librdkafka starts its threads */
    enum exit_code code = connection_open(options, true, &connection);
    if (code != EXIT_OK)
        return code;
    code = events_open(&connection, EVENTS_FROM_NOW, &events);
    if (code == EXIT_OK) {
        fputs("restorectl: watching\n", stderr);
        code = watch(&connection, events, options->output, &ends);
    }
    events_close(events);
    connection_close(&connection);
    return code;
}

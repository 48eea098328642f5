/* retry EVENT-FILE|-: sends what an event has ready, as it stands there. */
#include "worker/restorectl/commands.h"
#include "worker/restorectl/dispatch.h"
#include "worker/restorectl/input.h"
#include "worker/restorectl/ready.h"

static enum exit_code wrong_event(const struct options *options, const char *why)
{
    fprintf(stderr, "restorectl: %s: %s\n", options->event_file, why);
    return EXIT_BAD_DATA;
}

static enum exit_code make_requests(const struct options *options, const struct ready *ready,
                                    struct request requests[READY_MAX], int *ret_n)
{
    for (*ret_n = 0; *ret_n < ready->n; (*ret_n)++)
        if (!request_from_ready(ready->requests[*ret_n], &options->request.requested_by,
                                &requests[*ret_n]))
            return wrong_event(options, "its ready request is not {key, event}");
    return EXIT_OK;
}

static enum exit_code send_ready(const struct options *options, const json_t *data)
{
    struct ready ready;
    struct request requests[READY_MAX];
    int n = 0;
    enum exit_code code =
        ready_choose(data, name_policy_word(options->request.name_policy), stderr, &ready);
    if (code == EXIT_OK)
        code = make_requests(options, &ready, requests, &n);
    if (code == EXIT_OK)
        code = dispatch_requests(options, requests, n, false);
    while (n > 0)
        request_deinit(&requests[--n]);
    return code;
}

/* A whole event has its data inside; what has none is the data. */
enum exit_code command_retry(const struct options *options)
{
    struct input input;
    json_error_t error;
    char why[JSON_ERROR_TEXT_LENGTH + 64];
    enum exit_code code = input_read(options->event_file, &input);
    if (code == EXIT_OK) {
        json_t *whole = json_loadb(input.bytes, input.n_bytes, JSON_REJECT_DUPLICATES, &error);
        const json_t *data = json_object_get(whole, "data");
        if (whole == NULL) {
            snprintf(why, sizeof why, "line %d, column %d: %s", error.line, error.column,
                     error.text);
            code = wrong_event(options, why);
        } else {
            code = send_ready(options, data != NULL ? data : whole);
        }
        json_decref(whole);
    }
    input_deinit(&input);
    return code;
}

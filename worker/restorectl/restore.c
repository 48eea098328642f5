/* restore USER..., plan USER... and deleted: one request, made of the command line. */
#include "worker/restorectl/bulk.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/dispatch.h"

#include <string.h>

static enum exit_code ask(const struct options *options, enum request_mode mode)
{
    struct request request;
    struct restore_request terms = options->request;
    terms.mode = mode;
    int r = request_make(&terms, options->users, options->n_users, options->request_id, &request);
    if (r < 0) {
        fprintf(stderr, "restorectl: %s\n", strerror(-r));
        return EXIT_INTERNAL;
    }
    enum exit_code code = dispatch_requests(options, &request, 1, false);
    request_deinit(&request);
    return code;
}

enum exit_code command_restore(const struct options *options)
{
    return options->csv != NULL ? bulk_restore(options) : ask(options, MODE_RESTORE);
}

enum exit_code command_plan(const struct options *options)
{
    return ask(options, MODE_PLAN);
}

enum exit_code command_deleted(const struct options *options)
{
    return ask(options, MODE_LIST);
}

#include "tests/directory_sim/record.h"

#include "tests/directory_sim/sim.h"

#include <stdio.h>
#include <string.h>

static enum MHD_Result header_write(void *cls, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    /* Never a token: a record may lie where everybody reads it. */
    json_pair(cls, name, text_same(name, "Authorization") ? "<redacted>" : value);
    return MHD_YES;
}

static void request_write(struct buffer *line, const struct call *call)
{
    json_key(line, "request");
    buffer_text(line, "{");
    json_pair(line, "method", call->method);
    json_pair(line, "target", call->target);
    json_key(line, "headers");
    buffer_text(line, "{");
    MHD_get_connection_values(call->connection, MHD_HEADER_KIND, header_write, line);
    buffer_text(line, "}");
    json_pair(line, "body", call->body.n ? call->body.bytes : NULL);
    buffer_text(line, "}");
}

static void response_write(struct buffer *line, const struct call *call)
{
    json_key(line, "response");
    buffer_text(line, "{");
    json_number_pair(line, "status", call->status);
    json_key(line, "headers");
    buffer_text(line, "{");
    for (size_t i = 0; i < call->n_headers; i++)
        json_pair(line, call->header[i].name, call->header[i].value);
    buffer_text(line, "}");
    json_pair(line, "body", call->reply.n ? call->reply.bytes : NULL);
    buffer_text(line, "}");
}

void record_call(const struct call *call)
{
    if (!call->sim->record || strncmp(call->path, "/v1.0/", 6) != 0)
        return;
    struct buffer line = {0};
    buffer_text(&line, "{");
    request_write(&line, call);
    if (!call->drop)
        response_write(&line, call);
    buffer_text(&line, "}\n");
    if (fwrite(line.bytes, 1, line.n, call->sim->record) != line.n ||
        fflush(call->sim->record) != 0)
        fprintf(stderr, "directory-sim: cannot write the record\n");
    buffer_clear(&line);
}

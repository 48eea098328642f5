/* A reply as it comes in, and what it means: status, headers and JSON become a directory_answer.
 * Nothing here knows a socket or a clock. Bodies hold names and addresses: they are never logged.
 */
#ifndef WORKER_DIRECTORY_REPLY_H
#define WORKER_DIRECTORY_REPLY_H

#include "policy/directory.h"
#include "worker/directory/calls.h"

enum {
    REPLY_BODY_BYTES_MAX = 1024 * 1024,
    REPLY_HEADER_BYTES_MAX = 64 * 1024, /* all lines together */
};

enum reply_fate {
    REPLY_WHOLE,
    REPLY_UNSENT,   /* the request never left */
    REPLY_UNPROVEN, /* ... because its intent was committed too long ago */
    REPLY_LOST,     /* the request left, no whole reply came (or it was larger than we take) */
};

struct reply {
    enum reply_fate fate;
    int http_status;
    /* headers, "" when absent or longer */
    char retry_after[64];
    char date[64];
    char request_id[GUID_CHARS + 1];
    char throttle_scope[128];
    size_t header_bytes;
    char *body; /* owned, reused from call to call */
    size_t body_bytes, body_room;
};

void reply_deinit(struct reply *reply);
/* Ready for the next reply. Overwrites the body with zeros if it was `secret`. */
void reply_clear(struct reply *reply, bool secret);

/* One line as it came, the status line too (a second one starts the headers anew: RFC 9110 15.2).
 * False: more than we take. */
bool reply_take_header(struct reply *reply, const char *line, size_t bytes);
/* False: more than we take, or no memory. */
bool reply_take_body(struct reply *reply, const char *data, size_t bytes);

/* Before the first reply to a question: no facts yet. The large arrays are left as they are. */
void answer_clear(struct directory_answer *answer);

/* What a reply answers. */
struct asked {
    int kind; /* enum call_kind */
    const struct directory_question *question;
    int64_t now_ms; /* directory time */
};

/* Fills in what the reply says. Facts add up over the pages and calls of one question.
 * ret_next_link: the absolute URL of the next page, "" when there is none; its host is the caller's
 * to check. */
void reply_answer(const struct asked *asked, const struct reply *reply,
                  struct directory_answer *answer, char ret_next_link[CALL_URL_BYTES]);
/* After the last page: counts decide what an empty list or a single match means. */
void answer_close(int kind, struct directory_answer *answer);

/* reply_facts.c: a 2xx's body into the answer. False: it cannot be what was asked for. */
bool reply_read_facts(const struct asked *asked, const struct reply *reply,
                      struct directory_answer *answer, char ret_next_link[CALL_URL_BYTES]);

#endif

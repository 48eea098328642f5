/* A tenant's circuit breaker: while the directory is down nothing but a probe is sent to it (design
 * 8). Closed -> open: BREAKER_FAILURES calls in a row failed, or something is awaited and nothing
 * was heard for BREAKER_SILENT_MS. Open -> half-open: a probe is on its way, one at a time. It was
 * answered: closed; it failed: open again. Pure: time and chance come in. */
#ifndef WORKER_DIRECTORY_BREAKER_H
#define WORKER_DIRECTORY_BREAKER_H

#include "policy/instant.h"

#include <stdbool.h>

/* With the probe's own time and the jobs' wait (reach.h), work goes on within 5 s of the
 * directory's recovery, however long it was away: the pause between probes does not grow. */
enum {
    BREAKER_FAILURES = 5,
    BREAKER_SILENT_MS = 5 * SECOND_MS,
    BREAKER_PROBE_MS = SECOND_MS, /* from one probe's end to the next one's start */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker { /* starts as {0} */
    enum breaker_state state;
    int n_failures;           /* in a row */
    int64_t heard_at_mono_ms; /* or waited for since then */
    int64_t opened_at_mono_ms;
    int64_t probe_at_mono_ms; /* OPEN: the next probe's time */
};

/* Something is awaited from now on, and nothing was before. */
void breaker_awaits(struct breaker *breaker, int64_t now_mono_ms);
/* A call was answered, also with no, or with "too many". */
void breaker_heard(struct breaker *breaker, int64_t now_mono_ms);
/* A call was not answered, or with a 5xx. True: that opened it. */
bool breaker_failed(struct breaker *breaker, int64_t now_mono_ms);
/* Something is awaited still. True: for too long, which opened it. */
bool breaker_still_awaits(struct breaker *breaker, int64_t now_mono_ms);

bool breaker_probe_is_due(const struct breaker *breaker, int64_t now_mono_ms);
/* Open -> half-open. */
void breaker_probe_leaves(struct breaker *breaker);
/* Half-open -> closed when the probe was answered (true), else open for BREAKER_PROBE_MS and
 * `more_ms`: jitter, or what Retry-After asks for. */
bool breaker_probe_ends(struct breaker *breaker, bool answered, int64_t more_ms,
                        int64_t now_mono_ms);

#endif

#include "worker/directory/breaker.h"

#include <assert.h>

static bool open_until(struct breaker *breaker, int64_t probe_at_mono_ms)
{
    breaker->state = BREAKER_OPEN;
    breaker->probe_at_mono_ms = probe_at_mono_ms;
    return true;
}

static bool open_now(struct breaker *breaker, int64_t now_mono_ms)
{
    breaker->opened_at_mono_ms = now_mono_ms;
    return open_until(breaker, now_mono_ms + BREAKER_PROBE_MS);
}

void breaker_awaits(struct breaker *breaker, int64_t now_mono_ms)
{
    breaker->heard_at_mono_ms = now_mono_ms;
}

void breaker_heard(struct breaker *breaker, int64_t now_mono_ms)
{
    breaker->heard_at_mono_ms = now_mono_ms;
    breaker->n_failures = 0;
}

/* What left before it opened may still fail: that is no news. */
bool breaker_failed(struct breaker *breaker, int64_t now_mono_ms)
{
    breaker->heard_at_mono_ms = now_mono_ms;
    if (breaker->state != BREAKER_CLOSED || ++breaker->n_failures < BREAKER_FAILURES)
        return false;
    return open_now(breaker, now_mono_ms);
}

bool breaker_still_awaits(struct breaker *breaker, int64_t now_mono_ms)
{
    if (breaker->state != BREAKER_CLOSED ||
        now_mono_ms < breaker->heard_at_mono_ms + BREAKER_SILENT_MS)
        return false;
    return open_now(breaker, now_mono_ms);
}

bool breaker_probe_is_due(const struct breaker *breaker, int64_t now_mono_ms)
{
    return breaker->state == BREAKER_OPEN && now_mono_ms >= breaker->probe_at_mono_ms;
}

void breaker_probe_leaves(struct breaker *breaker)
{
    assert(breaker->state == BREAKER_OPEN);
    breaker->state = BREAKER_HALF_OPEN;
}

bool breaker_probe_ends(struct breaker *breaker, bool answered, int64_t more_ms,
                        int64_t now_mono_ms)
{
    assert(breaker->state == BREAKER_HALF_OPEN);
    if (!answered) {
        (void)open_until(breaker, now_mono_ms + BREAKER_PROBE_MS + more_ms);
        return false;
    }
    breaker->state = BREAKER_CLOSED;
    breaker_heard(breaker, now_mono_ms);
    return true;
}

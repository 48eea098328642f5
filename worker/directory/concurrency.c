#include "worker/directory/concurrency.h"

void concurrency_init(struct concurrency *concurrency, int limit_max)
{
    *concurrency = (struct concurrency){.limit = limit_max, .limit_max = limit_max};
}

static int floor_of(const struct concurrency *concurrency)
{
    return concurrency->limit_max < CONCURRENCY_FLOOR ? concurrency->limit_max : CONCURRENCY_FLOOR;
}

static void begin_round(struct concurrency *concurrency)
{
    concurrency->n_replies = 0;
    concurrency->quick = false;
    concurrency->limit_without_queue = 0;
}

static void decrease(struct concurrency *concurrency, int limit, int64_t now_mono_ms)
{
    int least = floor_of(concurrency);
    concurrency->limit = limit > least ? limit : least;
    concurrency->began_mono_ms = now_mono_ms;
    begin_round(concurrency);
}

static void increase(struct concurrency *concurrency)
{
    int step = concurrency->limit_max / CONCURRENCY_ROUNDS;
    concurrency->limit += step > 0 ? step : 1;
    if (concurrency->limit > concurrency->limit_max)
        concurrency->limit = concurrency->limit_max;
    begin_round(concurrency);
}

static int64_t learn_least_ms(struct concurrency *concurrency, int kind, int64_t rtt_ms)
{
    int64_t *least_ms = &concurrency->least_ms[kind];
    if (*least_ms == 0 || rtt_ms < *least_ms || concurrency->limit <= floor_of(concurrency))
        *least_ms = rtt_ms;
    return *least_ms;
}

void concurrency_succeeded(struct concurrency *concurrency, int kind, int n_busy,
                           int64_t started_at_mono_ms, int64_t now_mono_ms)
{
    int64_t rtt_ms = now_mono_ms - started_at_mono_ms;
    if (rtt_ms < 1)
        rtt_ms = 1;
    int64_t least_ms = learn_least_ms(concurrency, kind, rtt_ms);
    if (started_at_mono_ms < concurrency->began_mono_ms || n_busy * 2 < concurrency->limit)
        return;
    int without_queue = (int)(concurrency->limit * least_ms * 9 / (rtt_ms * 10));
    if (without_queue > concurrency->limit_without_queue)
        concurrency->limit_without_queue = without_queue;
    if (rtt_ms <= 2 * least_ms + CONCURRENCY_SLACK_MS)
        concurrency->quick = true;
    if (++concurrency->n_replies < concurrency->limit)
        return;
    if (concurrency->quick)
        increase(concurrency);
    else
        decrease(concurrency, concurrency->limit_without_queue, now_mono_ms);
}

void concurrency_failed(struct concurrency *concurrency, int64_t started_at_mono_ms,
                        int64_t now_mono_ms)
{
    if (started_at_mono_ms >= concurrency->began_mono_ms)
        decrease(concurrency, concurrency->limit / 2, now_mono_ms);
}

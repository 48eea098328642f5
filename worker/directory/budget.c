#include "worker/directory/budget.h"

/* A token is this many parts for each millisecond of its window: then even one token per window,
 * divided among thousands of partitions, flows by whole parts. The largest, a budget of 10^7 in
 * writes over a whole window, is 1.5 * 10^17. */
enum { PARTS = 100000 };

static struct bucket bucket_of(int limit, int window_ms)
{
    return (struct bucket){
        .limit = limit, .window_ms = window_ms, .token = (int64_t)window_ms * PARTS};
}

void budget_init(struct budget *budget, int units_per_10s, int writes_per_150s,
                 int64_t promise_max_ms)
{
    *budget = (struct budget){
        .units = bucket_of(units_per_10s, BUDGET_UNITS_WINDOW_MS),
        .writes = bucket_of(writes_per_150s, BUDGET_WRITES_WINDOW_MS),
        .promise_max_ms = promise_max_ms,
    };
}

static void bucket_share(struct bucket *bucket, int held, int all)
{
    int64_t parts_per_ms = all > 0 ? (int64_t)bucket->limit * PARTS * held / all : 0;
    bucket->capacity = parts_per_ms * bucket->window_ms / 10;
    bucket->rate_per_ms = parts_per_ms - parts_per_ms / 10;
    if (bucket->level > bucket->capacity)
        bucket->level = bucket->capacity;
}

static void bucket_fill(struct bucket *bucket, int64_t elapsed_ms)
{
    /* Longer than that changes nothing, but for a debt that is larger than the whole budget. */
    if (elapsed_ms > bucket->window_ms)
        elapsed_ms = bucket->window_ms;
    bucket->level += elapsed_ms * bucket->rate_per_ms;
    if (bucket->level > bucket->capacity)
        bucket->level = bucket->capacity;
}

static void fill(struct budget *budget, int64_t now_mono_ms)
{
    int64_t elapsed_ms = now_mono_ms - budget->filled_at_mono_ms;
    if (elapsed_ms <= 0)
        return;
    bucket_fill(&budget->units, elapsed_ms);
    bucket_fill(&budget->writes, elapsed_ms);
    budget->filled_at_mono_ms = now_mono_ms;
}

bool budget_set_share(struct budget *budget, int held, int all, int64_t now_mono_ms)
{
    if (budget->share_held == held && budget->share_all == all)
        return false;
    fill(budget, now_mono_ms);
    budget->share_held = held;
    budget->share_all = all;
    bucket_share(&budget->units, held, all);
    bucket_share(&budget->writes, held, all);
    /* They were promised at another rate: whoever comes now need not wait for them. */
    budget->promised_until_mono_ms = 0;
    return true;
}

/* Until the level is `parts`. */
static int64_t bucket_wait_ms(const struct bucket *bucket, int64_t parts)
{
    int64_t missing = parts - bucket->level;
    if (missing <= 0 && bucket->rate_per_ms > 0)
        return 0;
    if (missing / BUDGET_WAIT_MAX_MS >= bucket->rate_per_ms)
        return BUDGET_WAIT_MAX_MS;
    return (missing + bucket->rate_per_ms - 1) / bucket->rate_per_ms;
}

static int64_t bucket_call_ms(const struct bucket *bucket, int n)
{
    int64_t parts = n * bucket->token;
    if (n == 0)
        return 0;
    return bucket_wait_ms(bucket, parts < bucket->capacity ? parts : bucket->capacity);
}

int64_t budget_wait_ms(struct budget *budget, struct call_cost cost, int64_t now_mono_ms)
{
    fill(budget, now_mono_ms);
    int64_t units_ms = bucket_call_ms(&budget->units, cost.units);
    int64_t writes_ms = bucket_call_ms(&budget->writes, cost.writes);
    return units_ms > writes_ms ? units_ms : writes_ms;
}

void budget_take(struct budget *budget, struct call_cost cost, int64_t now_mono_ms)
{
    fill(budget, now_mono_ms);
    budget->units.level -= cost.units * budget->units.token;
    budget->writes.level -= cost.writes * budget->writes.token;
}

static int64_t bucket_left(const struct bucket *bucket)
{
    return bucket->level > 0 ? bucket->level / bucket->token : 0;
}

int64_t budget_left(struct budget *budget, int64_t now_mono_ms, int64_t *ret_writes)
{
    fill(budget, now_mono_ms);
    *ret_writes = bucket_left(&budget->writes);
    return bucket_left(&budget->units);
}

int64_t budget_turn_ms(struct budget *budget, int n_ahead, int64_t *turn_at_mono_ms,
                       int64_t now_mono_ms)
{
    const struct bucket *writes = &budget->writes;
    fill(budget, now_mono_ms);
    if (writes->rate_per_ms == 0) /* no partition is held: there is no turn to promise */
        return 0;
    int64_t first = writes->token < writes->capacity ? writes->token : writes->capacity;
    int64_t line_ms = bucket_wait_ms(writes, n_ahead * writes->token + first);
    int64_t at_mono_ms = now_mono_ms + line_ms;
    bool promised = *turn_at_mono_ms > 0;
    if (promised && *turn_at_mono_ms > now_mono_ms + BUDGET_LINE_MS)
        return *turn_at_mono_ms - now_mono_ms; /* it came early */
    if ((!promised || line_ms > BUDGET_LINE_MS) && budget->promised_until_mono_ms > at_mono_ms)
        at_mono_ms = budget->promised_until_mono_ms;
    if (at_mono_ms <= now_mono_ms + BUDGET_LINE_MS)
        return 0;
    if (at_mono_ms > now_mono_ms + budget->promise_max_ms) {
        *turn_at_mono_ms = 0;
        return budget->promise_max_ms / 4;
    }
    budget->promised_until_mono_ms = at_mono_ms + writes->token / writes->rate_per_ms + 1;
    *turn_at_mono_ms = at_mono_ms;
    return at_mono_ms - now_mono_ms;
}

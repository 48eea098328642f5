#include "worker/still.h"

struct standstill still_read(const struct still *still, int tenant, int64_t now_mono_ms)
{
    int64_t since_ms = now_mono_ms - still->changed_at_mono_ms;
    struct standstill read = {.paused_ms = still->paused_ms, .paused = still->paused};
    if (tenant >= 0) {
        read.unreachable = still->tenants[tenant].unreachable;
        read.unreachable_ms = still->tenants[tenant].unreachable_ms;
    }
    if (read.paused)
        read.paused_ms += since_ms;
    else if (read.unreachable)
        read.unreachable_ms += since_ms;
    return read;
}

static void add_up(struct still *still, int64_t now_mono_ms)
{
    for (int i = 0; i < TENANTS_MAX; i++)
        still->tenants[i].unreachable_ms = still_read(still, i, now_mono_ms).unreachable_ms;
    still->paused_ms = still_read(still, -1, now_mono_ms).paused_ms;
    still->changed_at_mono_ms = now_mono_ms;
}

void still_set_paused(struct still *still, bool paused, int64_t now_mono_ms)
{
    add_up(still, now_mono_ms);
    still->paused = paused;
}

void still_set_unreachable(struct still *still, int tenant, bool unreachable, int64_t now_mono_ms)
{
    add_up(still, now_mono_ms);
    still->tenants[tenant].unreachable = unreachable;
}

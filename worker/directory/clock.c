#include "worker/directory/clock.h"

int64_t clock_take(struct clock_samples *samples, int64_t date_ms, int64_t mono_ms)
{
    samples->offset_ms[samples->oldest] = date_ms + SECOND_MS / 2 - mono_ms;
    samples->oldest = (samples->oldest + 1) % CLOCK_SAMPLES;
    if (samples->n < CLOCK_SAMPLES)
        samples->n++;

    int64_t sorted[CLOCK_SAMPLES];
    for (int i = 0; i < samples->n; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > samples->offset_ms[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = samples->offset_ms[i];
    }
    return sorted[samples->n / 2];
}

#include "policy/backoff.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

int64_t backoff_ms(int n, int64_t retry_after_ms, uint64_t *random)
{
    int64_t bound_ms = BACKOFF_FIRST_MS;
    for (int i = 0; i < n && bound_ms < BACKOFF_MAX_MS; i++)
        bound_ms *= 2;
    if (bound_ms > BACKOFF_MAX_MS)
        bound_ms = BACKOFF_MAX_MS;
    int64_t jitter_ms = (int64_t)(random_next(random) % (uint64_t)(bound_ms + 1));
    return retry_after_ms > jitter_ms ? retry_after_ms : jitter_ms;
}

#include "worker/directory/throttle.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* `<scope>/<Read|Write|ReadWrite>/<appId>/<tenantId>`, directory-api.md 7.2. */
static bool is_for_all(const char *throttle_scope)
{
    static const char *const scopes[] = {"Tenant", "Application", "Tenant_Application"};
    size_t n = strcspn(throttle_scope, "/");
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
        if (strlen(scopes[i]) == n && strncasecmp(throttle_scope, scopes[i], n) == 0)
            return true;
    return false;
}

/* FNV-1a, 64 bits (RFC 9923). */
uint64_t throttle_call(const char *method, const char *url)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (int i = 0; i < 2; i++)
        for (const char *at = i == 0 ? method : url; *at != '\0'; at++)
            hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
    return hash;
}

static int held_find(const struct throttle *throttle, uint64_t call)
{
    for (int i = 0; i < throttle->n_held; i++)
        if (throttle->held[i].call == call)
            return i;
    return -1;
}

static int held_first_over(const struct throttle *throttle)
{
    int first = 0;
    for (int i = 1; i < throttle->n_held; i++)
        if (throttle->held[i].until_mono_ms < throttle->held[first].until_mono_ms)
            first = i;
    return first;
}

static void hold(struct throttle *throttle, uint64_t call, int64_t until_mono_ms)
{
    int place = held_find(throttle, call);
    if (place >= 0 && throttle->held[place].until_mono_ms > until_mono_ms)
        return; /* a longer one stands */
    if (place < 0)
        place =
            throttle->n_held < THROTTLE_HELD_MAX ? throttle->n_held++ : held_first_over(throttle);
    throttle->held[place].call = call;
    throttle->held[place].until_mono_ms = until_mono_ms;
}

void throttle_take(struct throttle *throttle, uint64_t call, const struct reply *reply,
                   int64_t retry_after_ms, int64_t now_mono_ms)
{
    int64_t until_mono_ms = now_mono_ms + retry_after_ms;
    if (reply->fate != REPLY_WHOLE || retry_after_ms <= 0 ||
        (reply->http_status != 429 && reply->http_status < 500))
        return;
    if ((reply->http_status != 429 && reply->http_status != 503) ||
        !is_for_all(reply->throttle_scope))
        hold(throttle, call, until_mono_ms);
    else if (until_mono_ms > throttle->closed_until_mono_ms)
        throttle->closed_until_mono_ms = until_mono_ms;
}

int64_t throttle_wait_ms(const struct throttle *throttle, int64_t now_mono_ms)
{
    int64_t wait_ms = throttle->closed_until_mono_ms - now_mono_ms;
    return wait_ms > 0 ? wait_ms : 0;
}

int64_t throttle_held_ms(struct throttle *throttle, uint64_t call, int64_t now_mono_ms)
{
    int64_t wait_ms = 0;
    for (int i = throttle->n_held; i-- > 0;) {
        int64_t left_ms = throttle->held[i].until_mono_ms - now_mono_ms;
        if (left_ms <= 0)
            throttle->held[i] = throttle->held[--throttle->n_held];
        else if (throttle->held[i].call == call)
            wait_ms = left_ms;
    }
    return wait_ms;
}

int64_t throttle_jitter_ms(int64_t below_ms)
{
    uint32_t random = 0;
    if (below_ms <= 0 || getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        return 0;
    return random % below_ms;
}

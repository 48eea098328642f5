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

void throttle_take(struct throttle *throttle, const struct reply *reply, int64_t retry_after_ms,
                   int64_t now_mono_ms)
{
    if (reply->fate != REPLY_WHOLE || (reply->http_status != 429 && reply->http_status != 503) ||
        !is_for_all(reply->throttle_scope))
        return;
    if (now_mono_ms + retry_after_ms > throttle->closed_until_mono_ms)
        throttle->closed_until_mono_ms = now_mono_ms + retry_after_ms;
}

int64_t throttle_wait_ms(const struct throttle *throttle, int64_t now_mono_ms)
{
    int64_t wait_ms = throttle->closed_until_mono_ms - now_mono_ms;
    return wait_ms > 0 ? wait_ms : 0;
}

int64_t throttle_jitter_ms(int64_t below_ms)
{
    uint32_t random = 0;
    if (below_ms <= 0 || getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        return 0;
    return random % below_ms;
}

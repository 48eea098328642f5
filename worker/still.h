/* Where time stands still for the jobs' deadlines (contract 3): while the worker is paused, and for
 * a tenant while its breaker is open. Sums since the start, so that a job need only keep what they
 * were when it began. Loop thread only. */
#ifndef WORKER_STILL_H
#define WORKER_STILL_H

#include "policy/job.h"
#include "worker/directory/directory.h"

struct still { /* starts as {0} */
    bool paused;
    int64_t paused_ms; /* up to the last change */
    int64_t changed_at_mono_ms;
    struct {
        bool unreachable;
        int64_t unreachable_ms; /* without the pauses in between */
    } tenants[TENANTS_MAX];
};

void still_set_paused(struct still *still, bool paused, int64_t now_mono_ms);
void still_set_unreachable(struct still *still, int tenant, bool unreachable, int64_t now_mono_ms);
/* tenant < 0: of none. */
struct standstill still_read(const struct still *still, int tenant, int64_t now_mono_ms);

#endif

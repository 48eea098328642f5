/* A directory of one user and of one who bears his name by now, and a journal, in virtual time:
 * just enough of both for a restore to go wrong in every way that is known (directory-api 1.5, 2
 * and 7.5). */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "policy/job.h"
#include "tests/unit/policy/given.h"

enum {
    CALL_MS = 100,
    COMMIT_MS = 20,
    REQUEST_TIMEOUT_MS = 30 * SECOND_MS,
    DIRECTORY_AHEAD_MS = 3 * SECOND_MS, /* its clock */
};

/* What befalls one call. */
enum fault {
    FAULT_NONE,
    FAULT_BUSY,        /* 429 with Retry-After */
    FAULT_LOST_BEFORE, /* time-out, nothing done */
    FAULT_LOST_AFTER,  /* 503 with Retry-After, but done; reads: as BUSY */
    FAULT_NOT_FOUND,   /* a replica that knows nothing */
    FAULT_UNPROVEN,    /* a change not sent: its intent is too old */
    FAULT_DENIED,
    FAULT_REJECTED,
    FAULT_STALE, /* a replica that does not know of the last password yet */
    FAULTS
};
const char *fault_name(enum fault fault);

#define HOLDER_ID "77777777-0000-0000-0000-000000000000"

enum place { PLACE_BIN, PLACE_ACTIVE, PLACE_PURGED };

struct world {
    /* how it is made */
    enum place place;
    bool name_taken;       /* by the holder */
    bool name_taken_again; /* by a third, when the holder has given way */
    bool holder_synced;
    int n_holder_roles, n_user_roles;
    int64_t holder_lag_ms;      /* what he was is seen this long */
    bool restore_refused;       /* for good, and not because of a clash */
    int n_template_names_taken; /* from {n} = 2 */
    bool new_name_taken;
    bool address_taken;
    int64_t lag_ms;                 /* a restored user is 404 this long ... */
    int64_t bin_lag_ms;             /* ... and still in the bin this long */
    int64_t another_restores_at_ms; /* an administrator; 0: does not */
    int64_t deleted_again_after_ms; /* our restore, by an administrator; 0: is not */
    int64_t requester_read_ago_ms;  /* for another job, before this one; 0: was not */
    bool requester_is_nobody;
    bool manager_is_nobody;
    bool password_refused;
    int64_t retry_after_ms; /* of FAULT_BUSY */
    /* Since its start; from == until: never. The breaker is open, so that no call leaves; the
     * worker is paused, which stops no job that has begun. */
    int64_t open_from_ms, open_until_ms, paused_from_ms, paused_until_ms;

    /* what happens to it */
    int64_t now_ms; /* monotonic */
    int64_t requester_read_at_ms;
    int64_t deleted_at_ms; /* the bin's date, directory time */
    bool deleted_again;
    struct user_facts user;
    struct {
        enum place place, seen_place; /* seen: until seen_until_ms */
        char name[NAME_BYTES + 1], seen_name[NAME_BYTES + 1];
        int64_t seen_until_ms;
        int n_freed, n_undone; /* effects of our changes */
    } holder;
    bool user_deleted;      /* by us: the wrong one */
    int n_restored;         /* by the worker */
    int64_t restored_at_ms; /* by whomever */
    int password;           /* who set it: number of the incarnation, 0: the old one */
    int n_password_writes;
    int64_t first_password_at_ms; /* lastPasswordChangeDateTime before all of them */
    /* a change on the wire when its process died */
    bool has_late;
    struct directory_question late;
    int late_password;
    int64_t late_at_ms;
};

void world_start(struct world *world);
struct instant world_now(const struct world *world);
/* Up to now, and now. */
struct standstill world_still(const struct world *world);
/* Time passes; what is under way arrives. */
void world_wait_until(struct world *world, int64_t now_ms);

/* The call with its fault. `password`: what SET_PASSWORD sets. */
void world_ask(struct world *world, const struct directory_question *question, enum fault fault,
               int password, struct directory_answer *ret_answer);
/* Whether FAULT_NOT_FOUND can befall it. */
bool world_may_not_know(enum directory_operation operation);
/* The caller dies with the call on the wire: it arrives at `at_ms`. */
void world_ask_late(struct world *world, const struct directory_question *question, int password,
                    int64_t at_ms);

#endif

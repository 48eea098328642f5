/* A test that proves a guard must fail without it. Where RESTORE_TEST_CONTROLS is defined (CMake's
 * WORKER_TEST_CONTROLS does it) the environment RESTORE_TEST_WITHOUT=prereq,proof switches single
 * guards off; anywhere else, the release above all, this is the constant false and the guards
 * cannot be reached.
 *
 *   prereq           libcurl may send a change again by itself
 *   proof            a change leaves however old its intent is
 *   settling         a resumed job does not wait for what its predecessor sent
 *   done-records     the journal's outcomes are not believed
 *   intents          the journal's intents are not believed
 *   journal-offsets  what is done is told again, also for records that it was done for
 *   generation       transactions do not say which generation of the group they are of
 *   held             a job goes on when its partition is another's by now
 *   fencing          who lost its name to another process goes on
 *   lanes            all records of a partition run one after the other
 *   key-order        records of one key do not wait for each other
 *   retry-after      nobody waits as long as the directory says
 *   budget           a tenant is asked for more than its budget
 *   concurrency      the slots alone limit how many calls are on the wire
 *   breaker          a directory that is down is called as if it were up
 *   freeing          what was published is not freed
 *   secrecy          the log shows each new password
 *   undumpable       the process may be dumped and read
 *   dead-letters     what is no request is passed over in silence
 *   drain            SIGTERM ends the process where it stands
 *   grace            SIGTERM waits for open calls however long they take
 *   exit-bound       the process waits for librdkafka to close, however long that takes */
#ifndef WORKER_TEST_CONTROLS_H
#define WORKER_TEST_CONTROLS_H

#include <stdbool.h>

#ifdef RESTORE_TEST_CONTROLS
#include <stdlib.h>
#include <string.h>

static inline bool test_without(const char *guard)
{
    const char *list = getenv("RESTORE_TEST_WITHOUT");
    size_t n = strlen(guard);
    for (const char *at = list; at != NULL && (at = strstr(at, guard)) != NULL; at += n)
        if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}
#else
static inline bool test_without(const char *guard)
{
    (void)guard;
    return false;
}
#endif

#endif

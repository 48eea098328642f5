/* The worlds that every script is played in: one for each row of design section 9's second table,
 * and one for each thing that may be different about the people. */
#ifndef TESTS_SIM_SITUATIONS_H
#define TESTS_SIM_SITUATIONS_H

#include "tests/sim/run.h"

struct situation {
    const char *name;
    bool is_policy; /* a row of that table: played with the longest scripts */
    void (*make)(struct run *run);
};
extern const struct situation situations[];
extern const int n_situations;

/* Fails the test with all that is needed to see it again. */
void assert_promises_kept(struct run *run, const char *situation);

#endif

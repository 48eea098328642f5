/* Every script of up to five faults, and a crash at every action of each, in every situation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/situations.h"

#include <string.h>

static struct run run;
static long n_runs;

static void play(const struct situation *situation, const struct script *script)
{
    run_given(&run);
    situation->make(&run);
    run.script = *script;
    run_restore(&run);
    n_runs++;
    if (run.broken != NULL) { /* again, for the story */
        run_given(&run);
        situation->make(&run);
        run.script = *script;
        run.traced = true;
        run_restore(&run);
        assert_promises_kept(&run, situation->name);
    }
}

/* Dying before an action, and after one that is only told, differ in what is lost; a change may
 * also arrive, at once or late, at a directory that the next incarnation already looks at. */
static void play_with_every_crash(const struct situation *situation, struct script *script)
{
    static bool changes[sizeof run.changes / sizeof run.changes[0]];
    int n_actions = run.n_actions;
    memcpy(changes, run.changes, sizeof changes);
    script->n_crashes = 1;
    for (int i = 0; i < n_actions; i++) {
        script->crashes[0].at_action = i;
        script->crashes[0].crash = CRASH_BEFORE;
        play(situation, script);
        script->crashes[0].crash = CRASH_AFTER;
        play(situation, script);
        if (changes[i]) {
            script->crashes[0].crash = CRASH_LATE;
            play(situation, script);
        }
    }
    script->n_crashes = 0;
}

static void play_all(const struct situation *situation, struct script *script, int n_kinds,
                     int n_faults_max)
{
    play(situation, script);
    if (run.n_faults_used < script->n_faults || run.says_nothing_new)
        return; /* it ended before, or is another script in other words */
    /* A script that ends in FAULT_NONE is a shorter one. */
    if (script->n_faults == 0 || script->faults[script->n_faults - 1] != FAULT_NONE)
        play_with_every_crash(situation, script);
    if (script->n_faults == n_faults_max)
        return;
    for (int fault = 0; fault < n_kinds; fault++) {
        script->faults[script->n_faults++] = (enum fault)fault;
        play_all(situation, script, n_kinds, n_faults_max);
        script->n_faults--;
    }
}

static void from_the_restore_on_five_faults_break_nothing(void **state)
{
    (void)state;
    n_runs = 0;
    for (int i = 0; i < n_situations; i++) {
        struct script script = {.from = DIRECTORY_RESTORE};
        play_all(&situations[i], &script, FAULT_NOT_FOUND + 1, situations[i].is_policy ? 5 : 3);
    }
    print_message("%ld runs\n", n_runs);
}

static void from_the_start_on_two_faults_of_any_kind_break_nothing(void **state)
{
    (void)state;
    n_runs = 0;
    for (int i = 0; i < n_situations; i++) {
        struct script script = {.from = DIRECTORY_OPERATION_COUNT};
        play_all(&situations[i], &script, FAULTS, 2);
    }
    print_message("%ld runs\n", n_runs);
}

static void from_the_restore_on_three_faults_of_any_kind_break_nothing(void **state)
{
    (void)state;
    n_runs = 0;
    for (int i = 0; i < n_situations; i++) {
        struct script script = {.from = DIRECTORY_RESTORE};
        play_all(&situations[i], &script, FAULTS, situations[i].is_policy ? 3 : 2);
    }
    print_message("%ld runs\n", n_runs);
}

/* Killed, taken up, and killed again: no plan survives on memory alone. */
static void two_kills_anywhere_break_nothing(void **state)
{
    (void)state;
    n_runs = 0;
    for (int i = 0; i < n_situations; i++) {
        struct script script = {.from = DIRECTORY_OPERATION_COUNT, .n_crashes = 1};
        int n_first = 1;
        for (int first = 0; first < n_first; first++)
            for (int how = CRASH_BEFORE; how <= CRASH_LATE; how++) {
                script.crashes[0].at_action = first;
                script.crashes[0].crash = (enum crash)how;
                script.n_crashes = 1;
                play(&situations[i], &script);
                int n_actions = run.n_actions;
                n_first = n_actions;
                script.n_crashes = 2;
                for (int second = first + 1; second < n_actions; second++)
                    for (int again = CRASH_BEFORE; again <= CRASH_LATE; again++) {
                        script.crashes[1].at_action = second;
                        script.crashes[1].crash = (enum crash)again;
                        play(&situations[i], &script);
                    }
            }
    }
    print_message("%ld runs\n", n_runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_restore_on_five_faults_break_nothing),
        cmocka_unit_test(from_the_restore_on_three_faults_of_any_kind_break_nothing),
        cmocka_unit_test(two_kills_anywhere_break_nothing),
        cmocka_unit_test(from_the_start_on_two_faults_of_any_kind_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

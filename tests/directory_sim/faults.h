/* Faults that tests order: what goes wrong with which call, and how often. */
#ifndef DIRECTORY_SIM_FAULTS_H
#define DIRECTORY_SIM_FAULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct call;
struct sim;

enum { FAULTS_MAX = 1000 };

enum fault_kind { FAULT_ANSWER, FAULT_RESET, FAULT_HANG, FAULT_DELAY };

struct fault {
    struct fault *next;
    int64_t id;
    /* NULL matches all; path is a part of the decoded path, target one of the target as received,
     * with the query */
    char *method, *path, *target, *user, *tenant;
    enum fault_kind kind;
    bool after; /* the effect takes place first */
    int status; /* ANSWER */
    char *code;
    json_t *headers, *body;
    int64_t fill_bytes; /* ANSWER: blanks behind the body */
    int64_t delay_ms;
    int64_t times_left;    /* -1: for ever */
    int64_t until_mono_ms; /* INT64_MAX: for ever */
    int64_t hits;
};

struct faults {
    struct fault *first; /* in the order they were added */
    int64_t last_id;
    int n;
};

/* NULL, or what is wrong with the order. */
const char *fault_add(struct sim *sim, const json_t *order);
void faults_clear(struct faults *faults);
/* The first living fault that fits the call, its count taken; NULL if none. Valid until the next
 * change of the faults. Spent ones stay listed, with their hits, until they are cleared. */
const struct fault *faults_take(struct sim *sim, const struct call *call);
/* Writes the ordered answer of a FAULT_ANSWER over whatever the call has. */
void fault_answer(const struct fault *fault, struct call *call);
void faults_write(const struct faults *faults, struct call *call);

#endif

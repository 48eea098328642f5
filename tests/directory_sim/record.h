/* The traffic for the contract tests: what was asked and what was answered, one JSON object a line.
 */
#ifndef DIRECTORY_SIM_RECORD_H
#define DIRECTORY_SIM_RECORD_H

struct call;

/* A Graph call (not the login) as it is answered; nothing unless sim->record is open. Whole at
 * once, so that a reader never sees half a line. */
void record_call(const struct call *call);

#endif

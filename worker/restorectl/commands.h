/* The commands of restorectl. Each prints its errors to stderr. */
#ifndef WORKER_RESTORECTL_COMMANDS_H
#define WORKER_RESTORECTL_COMMANDS_H

#include "worker/restorectl/options.h"

enum exit_code command_restore(const struct options *options);
enum exit_code command_wait(const struct options *options);
enum exit_code command_topics_create(const struct options *options);
enum exit_code command_topics_check(const struct options *options);
enum exit_code command_keys_new(const struct options *options);

/* 0 all succeeded; some failed is worse than a conflict; not to know is worse than both, because
 * then neither is certain. */
enum exit_code outcomes_exit_code(int n_failed, int n_conflicts, int n_missing);

#endif

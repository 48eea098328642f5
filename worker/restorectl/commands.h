/* The commands of restorectl. Each prints its errors to stderr. */
#ifndef WORKER_RESTORECTL_COMMANDS_H
#define WORKER_RESTORECTL_COMMANDS_H

#include "worker/restorectl/options.h"

enum exit_code command_restore(const struct options *options);
enum exit_code command_plan(const struct options *options);
enum exit_code command_deleted(const struct options *options);
enum exit_code command_wait(const struct options *options);
enum exit_code command_watch(const struct options *options);
enum exit_code command_retry(const struct options *options);
enum exit_code command_topics_create(const struct options *options);
enum exit_code command_topics_check(const struct options *options);
enum exit_code command_topics_acls(const struct options *options);
enum exit_code command_keys_new(const struct options *options);

#endif

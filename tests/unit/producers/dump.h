/* Encoded messages as JSON, to be compared with a golden file. */
#ifndef TESTS_UNIT_PRODUCERS_DUMP_H
#define TESTS_UNIT_PRODUCERS_DUMP_H

#include "producers/out_message.h"

#include <jansson.h>

/* [{topic, partition, key, headers: [[name, value], ...], value}, ...]; a value that is JSON stands
 * there as such, `secret` in it only as its number of parts, and one that repeats the first
 * message's byte for byte says so. */
json_t *dump_messages(const struct event_settings *settings, const struct out_message *messages);

/* Fails the test, and prints both, unless data/<folder>/<name>/expected holds the same. */
void assert_golden(const struct event_settings *settings, const struct out_message *messages,
                   const char *folder, const char *name);

#endif

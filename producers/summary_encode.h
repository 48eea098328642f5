/* The summary of a record with `users`: batch-completed (contract 4). */
#ifndef PRODUCERS_SUMMARY_ENCODE_H
#define PRODUCERS_SUMMARY_ENCODE_H

#include "policy/summary.h"
#include "producers/json_out.h"
#include "producers/out_message.h"

/* A topic takes records of 1 MB unless it is told otherwise. Ready requests repeat `reason` and
 * more for every user, so those beyond this are left out; each stands in its user's own event. */
enum { SUMMARY_BYTES_MAX = 900 * 1000 };

/* The event; -ENOMEM. */
int summary_encode(const struct event_settings *settings, const struct summary *summary,
                   struct json_out *scratch, struct out_message **ret_event);

#endif

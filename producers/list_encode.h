/* The answer to mode `list`: users[] and truncated (contract 4). */
#ifndef PRODUCERS_LIST_ENCODE_H
#define PRODUCERS_LIST_ENCODE_H

#include "policy/user_list.h"
#include "producers/json_out.h"

void list_encode(struct json_out *out, const struct user_list *list);

#endif

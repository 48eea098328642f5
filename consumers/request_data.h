/* `data` of a request (contract 3) -> restore_request, as far as this version carries it out. */
#ifndef CONSUMERS_REQUEST_DATA_H
#define CONSUMERS_REQUEST_DATA_H

#include "consumers/json_in.h"
#include "policy/request.h"

/* Fills all but ret_request->envelope; false after json_in_fail, and then what it holds says
 * nothing. *ret_items are those of `users`, with what is theirs alone, for the caller to free; NULL
 * where there are none. */
bool request_data_read(struct json_in *in, const json_t *data, struct restore_request *ret_request,
                       struct request_items **ret_items);

/* As `time` and `expirytime` are read as well: RFC 3339, never 0, which would say absent. */
bool request_time_read(struct json_in *in, const char *text, int64_t *ret_ms);

#endif

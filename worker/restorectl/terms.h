/* What a request may say, taken from text: an option's argument or a CSV file's cell. Each gives
 * NULL, or what is wrong with the text (contract 3 has the lengths). */
#ifndef WORKER_RESTORECTL_TERMS_H
#define WORKER_RESTORECTL_TERMS_H

#include "policy/request.h"

/* By object id or user principal name; false: neither. */
bool term_name_user(const char *text, struct named *ret_named);

const char *term_user(struct restore_request *request, const char *text);
const char *term_tenant(struct restore_request *request, const char *text);
const char *term_requested_by(struct restore_request *request, const char *text);
const char *term_reason(struct restore_request *request, const char *text);
const char *term_ticket(struct restore_request *request, const char *text);
const char *term_notify(struct restore_request *request, const char *text); /* adds one */
const char *term_name_policy(struct restore_request *request, const char *text);
const char *term_new_name(struct restore_request *request, const char *text);
const char *term_match(struct restore_request *request, const char *text);
const char *term_closing_within(struct restore_request *request, const char *text);

/* True and *ret_number, 1 to `high`. */
bool term_number(const char *text, long high, long *ret_number);

#endif

#include "worker/restorectl/terms.h"

#include "policy/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSING_WITHIN_DAYS_MAX = 30 }; /* policy.retention_days at most */

bool term_name_user(const char *text, struct named *ret_named)
{
    ret_named->by = text_is_guid(text) ? NAMED_BY_ID : NAMED_BY_NAME;
    const char *sign = strchr(text, '@');
    bool is_name = sign != NULL && sign != text && sign[1] != '\0';
    return (ret_named->by == NAMED_BY_ID || is_name) &&
           text_copy(ret_named->text, sizeof ret_named->text, text);
}

/* Lengths in code points, as the contract counts them. */
static bool copy_chars(char *to, size_t to_bytes, const char *from, size_t chars_max)
{
    size_t chars = utf8_count(from, strlen(from));
    return chars > 0 && chars <= chars_max && text_copy(to, to_bytes, from);
}

const char *term_user(struct restore_request *request, const char *text)
{
    return term_name_user(text, &request->user) ? NULL
                                                : "neither an object id nor a user principal name";
}

const char *term_tenant(struct restore_request *request, const char *text)
{
    return *text != '\0' && text_copy(request->tenant, sizeof request->tenant, text)
               ? NULL
               : "1 to 64 bytes";
}

const char *term_requested_by(struct restore_request *request, const char *text)
{
    static const char app[] = "app:";
    struct named *requester = &request->requested_by;
    if (strncmp(text, app, sizeof app - 1) != 0)
        return term_name_user(text, requester) ? NULL
                                               : "an object id, a user principal name or app:ID";
    requester->by = NAMED_BY_APP_ID;
    text += sizeof app - 1;
    return text_is_guid(text) && text_copy(requester->text, sizeof requester->text, text)
               ? NULL
               : "app: and an application id";
}

const char *term_reason(struct restore_request *request, const char *text)
{
    return copy_chars(request->reason, sizeof request->reason, text, REASON_CHARS)
               ? NULL
               : "1 to 1024 characters";
}

const char *term_ticket(struct restore_request *request, const char *text)
{
    char system[sizeof request->ticket_system] = "";
    const char *id;
    if (!text_split_at(text, ':', system, sizeof system, &id))
        return "SYSTEM:ID";
    return copy_chars(request->ticket_system, sizeof request->ticket_system, system,
                      TICKET_CHARS) &&
                   copy_chars(request->ticket_id, sizeof request->ticket_id, id, TICKET_CHARS)
               ? NULL
               : "SYSTEM:ID, each 1 to 128 characters";
}

const char *term_notify(struct restore_request *request, const char *text)
{
    struct recipients *to = &request->notify_to;
    if (to->n == RECIPIENTS_MAX)
        return "at most 5";
    request->has_notify_to = true;
    return *text != '\0' && text_copy(to->address[to->n++], ADDRESS_BYTES + 1, text)
               ? NULL
               : "1 to 254 bytes";
}

const char *term_name_policy(struct restore_request *request, const char *text)
{
    for (int i = NAME_POLICY_REJECT; i < NAME_POLICIES; i++) {
        if (strcmp(text, name_policy_word((enum name_policy)i)) == 0) {
            request->name_policy = (enum name_policy)i;
            return NULL;
        }
    }
    return "reject, rename-restored, rename-active or replace-active";
}

const char *term_new_name(struct restore_request *request, const char *text)
{
    return *text != '\0' && text_copy(request->new_user_principal_name,
                                      sizeof request->new_user_principal_name, text)
               ? NULL
               : "1 to 113 bytes";
}

const char *term_match(struct restore_request *request, const char *text)
{
    return *text != '\0' && text_copy(request->match, sizeof request->match, text)
               ? NULL
               : "1 to 113 bytes";
}

bool term_number(const char *text, long high, long *ret_number)
{
    char *end;
    *ret_number = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *ret_number >= 1 && *ret_number <= high;
}

const char *term_closing_within(struct restore_request *request, const char *text)
{
    long days;
    if (!term_number(text, CLOSING_WITHIN_DAYS_MAX, &days))
        return "1 to 30 days";
    request->closing_within_days = (int)days;
    return NULL;
}

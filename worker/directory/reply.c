#include "worker/directory/reply.h"

#include "worker/directory/retry_after.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_ROOM_FIRST = 4096, BODY_ROOM_KEPT = 64 * 1024 };

void reply_deinit(struct reply *reply)
{
    free(reply->body);
    *reply = (struct reply){0};
}

void reply_clear(struct reply *reply, bool secret)
{
    if (secret && reply->body != NULL)
        explicit_bzero(reply->body, reply->body_room);
    if (reply->body_room > BODY_ROOM_KEPT) {
        free(reply->body);
        reply->body = NULL;
        reply->body_room = 0;
    }
    *reply = (struct reply){.body = reply->body, .body_room = reply->body_room};
}

static const struct header_row {
    const char *name;
    size_t at, bytes;
} header_rows[] = {
#define ROW(name, field)                                                                           \
    {                                                                                              \
        name, offsetof(struct reply, field), sizeof((struct reply *)0)->field                      \
    }
    ROW("retry-after", retry_after),
    ROW("date", date),
    ROW("request-id", request_id),
    ROW("x-ms-throttle-scope", throttle_scope),
#undef ROW
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void take_status_line(struct reply *reply, const char *line, size_t bytes)
{
    for (size_t i = 0; i < sizeof header_rows / sizeof header_rows[0]; i++)
        ((char *)reply)[header_rows[i].at] = '\0';
    reply->http_status = 0;
    const char *at = memchr(line, ' ', bytes);
    if (at == NULL || line + bytes - at < 4)
        return;
    for (int i = 1; i <= 3; i++)
        if (at[i] >= '0' && at[i] <= '9')
            reply->http_status = reply->http_status * 10 + (at[i] - '0');
}

bool reply_take_header(struct reply *reply, const char *line, size_t bytes)
{
    reply->header_bytes += bytes;
    if (reply->header_bytes > REPLY_HEADER_BYTES_MAX)
        return false;
    if (bytes > 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        take_status_line(reply, line, bytes);
        return true;
    }
    for (size_t i = 0; i < sizeof header_rows / sizeof header_rows[0]; i++) {
        const struct header_row *row = &header_rows[i];
        size_t n = strlen(row->name);
        if (bytes <= n || line[n] != ':' || strncasecmp(line, row->name, n) != 0)
            continue;
        const char *value = line + n + 1, *end = line + bytes;
        while (value < end && is_blank(*value))
            value++;
        while (end > value && is_blank(end[-1]))
            end--;
        char *to = (char *)reply + row->at;
        to[0] = '\0';
        if ((size_t)(end - value) < row->bytes &&
            memchr(value, '\0', (size_t)(end - value)) == NULL)
            *(char *)mempcpy(to, value, (size_t)(end - value)) = '\0';
        break;
    }
    return true;
}

bool reply_take_body(struct reply *reply, const char *data, size_t bytes)
{
    if (bytes > REPLY_BODY_BYTES_MAX - reply->body_bytes)
        return false;
    size_t room = reply->body_room == 0 ? BODY_ROOM_FIRST : reply->body_room;
    while (room < reply->body_bytes + bytes)
        room *= 2;
    if (room != reply->body_room) {
        char *body = realloc(reply->body, room);
        if (body == NULL)
            return false;
        reply->body = body;
        reply->body_room = room;
    }
    memcpy(reply->body + reply->body_bytes, data, bytes);
    reply->body_bytes += bytes;
    return true;
}

void answer_clear(struct directory_answer *answer)
{
    memset(answer, 0, offsetof(struct directory_answer, requester.role_template_ids));
    user_facts_clear(&answer->user);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* Graph's error object; `root` is what json_loadb gave, NULL included. */
static void read_error(const json_t *root, struct directory_answer *answer)
{
    const json_t *error = json_object_get(root, "error");
    (void)text_copy(answer->error_code, sizeof answer->error_code, text_of(error, "code"));
    const json_t *inner = json_object_get(error, "innerError");
    if (answer->request_id[0] == '\0' && text_is_guid(text_of(inner, "request-id")))
        (void)text_copy(answer->request_id, sizeof answer->request_id,
                        text_of(inner, "request-id"));
}

static bool is_clash_code(const char *code)
{
    static const char *const codes[] = {"ObjectConflict", "ConflictingObjects", "PropertyConflict"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (text_equal_ignore_case(code, codes[i]))
            return true;
    return false;
}

/* Only two properties have a remedy; a clash of any other is a refusal. */
static enum directory_status status_of_property(const char *property, size_t n)
{
    static const struct {
        const char *property;
        enum directory_status status;
    } rows[] = {{"userPrincipalName", DIRECTORY_NAME_TAKEN},
                {"proxyAddresses", DIRECTORY_ADDRESS_TAKEN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i].property) == n && strncasecmp(property, rows[i].property, n) == 0)
            return rows[i].status;
    return DIRECTORY_REJECTED;
}

/* A target may be one of the addresses, with or without its scheme. */
static bool read_named_address(const char *target, struct directory_answer *answer)
{
    if (strchr(target, '@') == NULL)
        return false;
    if (answer->n_named_addresses < NAMED_ADDRESSES_MAX) {
        char *to = answer->named_addresses[answer->n_named_addresses];
        int n = snprintf(to, PROXY_ADDRESS_BYTES + 1, "%s%s",
                         strchr(target, ':') == NULL ? "smtp:" : "", target);
        answer->n_named_addresses += n > 0 && n <= PROXY_ADDRESS_BYTES;
    }
    return true;
}

/* directory-api.md 1.5: the same clash comes as 400 Request_BadRequest and as 409
 * Request_MultipleObjectsWithSameKeyValue. Details name the property, but their target may be the
 * word "None"; then the message does. */
static enum directory_status read_clash(const json_t *error, struct directory_answer *answer)
{
    static const char sentence[] = "same value for property ";
    const char *message = strstr(text_of(error, "message"), sentence);
    bool is_clash =
        message != NULL ||
        text_equal_ignore_case(text_of(error, "code"), "Request_MultipleObjectsWithSameKeyValue");
    const json_t *details = json_object_get(error, "details");
    enum directory_status found = DIRECTORY_REJECTED;
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *detail = json_array_get(details, i);
        if (!is_clash && !is_clash_code(text_of(detail, "code")))
            continue;
        is_clash = true;
        const char *target = text_of(detail, "target");
        enum directory_status status = read_named_address(target, answer)
                                           ? DIRECTORY_ADDRESS_TAKEN
                                           : status_of_property(target, strlen(target));
        if (found == DIRECTORY_REJECTED)
            found = status;
    }
    if (found != DIRECTORY_REJECTED)
        return found;
    if (message == NULL)
        return DIRECTORY_REJECTED;
    message += sizeof sentence - 1;
    return status_of_property(message, strcspn(message, " .,'\""));
}

/* What a status and code mean, first match; a row without code is for any. */
static const struct status_row {
    int http_status;
    const char *code;
    enum directory_status status;
} status_rows[] = {
    {404, NULL, DIRECTORY_NOT_FOUND},
    {401, NULL, DIRECTORY_DENIED},
    {403, NULL, DIRECTORY_DENIED},
    {429, NULL, DIRECTORY_BUSY},
    {409, "Directory_ConcurrencyViolation", DIRECTORY_BUSY}, /* a lock inside the directory */
    {400, "Directory_ExpiredPageToken", DIRECTORY_BUSY},     /* the list starts anew */
};

static bool may_clash(int kind)
{
    return kind == DIRECTORY_RESTORE || kind == DIRECTORY_RESTORE_HOLDER ||
           kind == DIRECTORY_RENAME_USER;
}

static enum directory_status status_of_error(int kind, const json_t *root,
                                             struct directory_answer *answer)
{
    int http_status = answer->http_status;
    for (size_t i = 0; i < sizeof status_rows / sizeof status_rows[0]; i++) {
        const struct status_row *row = &status_rows[i];
        if (row->http_status == http_status &&
            (row->code == NULL || strcmp(row->code, answer->error_code) == 0))
            return row->status;
    }
    /* 408 is a gateway's: it does not say how far the request came. */
    if (http_status < 400 || http_status >= 500 || http_status == 408)
        return call_changes(kind) ? DIRECTORY_UNKNOWN : DIRECTORY_BUSY;
    if (may_clash(kind) && (http_status == 400 || http_status == 409))
        return read_clash(json_object_get(root, "error"), answer);
    return DIRECTORY_REJECTED;
}

void reply_answer(const struct asked *asked, const struct reply *reply,
                  struct directory_answer *answer, char ret_next_link[CALL_URL_BYTES])
{
    static const enum directory_status without_reply[] = {
        [REPLY_UNSENT] = DIRECTORY_BUSY,
        [REPLY_UNPROVEN] = DIRECTORY_UNPROVEN,
        [REPLY_LOST] = DIRECTORY_UNKNOWN,
    };
    ret_next_link[0] = '\0';
    answer->http_status = 0;
    answer->request_id[0] = '\0';
    if (reply->fate != REPLY_WHOLE) {
        answer->status = without_reply[reply->fate];
        return;
    }
    answer->http_status = reply->http_status;
    answer->retry_after_ms = 0;
    if (reply->retry_after[0] != '\0') {
        /* Two stamps of one clock are nearer the truth than one of ours. */
        int64_t date_ms = http_date_parse(reply->date);
        answer->retry_after_ms =
            retry_after_parse(reply->retry_after, date_ms < 0 ? asked->now_ms : date_ms);
    }
    if (text_is_guid(reply->request_id))
        (void)text_copy(answer->request_id, sizeof answer->request_id, reply->request_id);
    if (reply->http_status >= 200 && reply->http_status < 300) {
        answer->status = reply_read_facts(asked, reply, answer, ret_next_link) ? DIRECTORY_YES
                                                                               : DIRECTORY_UNKNOWN;
        return;
    }
    json_t *root =
        reply->body_bytes > 0 ? json_loadb(reply->body, reply->body_bytes, 0, NULL) : NULL;
    read_error(root, answer);
    answer->status = status_of_error(asked->kind, root, answer);
    json_decref(root);
}

#include "consumers/request_data.h"

#include "policy/rules.h"
#include "policy/time_text.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIME_BYTES_MAX = 64,
    CLOSING_WITHIN_DAYS_MAX = 30, /* policy.retention_days at most */
};

/* One `data` or one item of its `users`. */
struct request_data {
    struct restore_request request;
    struct request_items *items; /* NULL: no `users` */
};

#define REQUEST(member) offsetof(struct request_data, request.member)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(a)[0])

/* The words of contract 3, from the policy's tables. An enum without negative values is an unsigned
 * to gcc and clang, and so are functions of one. */
static const struct json_words MODE_WORDS = {request_mode_word, MODE_LIST + 1};
static const struct json_words NAME_WORDS = {name_policy_word, NAME_POLICIES};
static const struct json_words ADDRESS_WORDS = {address_policy_word, ADDRESS_POLICY_REJECT + 1};
static const struct json_words PASSWORD_WORDS = {password_choice_word, PASSWORD_LEAVE + 1};

/* ---- who ---- */

/* `limit` is the enum named_by that the field stands for. */
static bool read_name(struct json_in *in, const json_t *value, const struct json_field *field,
                      void *to)
{
    struct named *named = to;
    const char *text = json_in_text(in, value, NAME_BYTES);
    if (text == NULL)
        return false;
    if (field->limit != NAMED_BY_NAME && !text_is_guid(text))
        return json_in_fail(in, "is not a GUID");
    if (named->by != NAMED_BY_NOTHING)
        return json_in_fail(in, "stands beside another name; exactly one is allowed");
    named->by = (enum named_by)field->limit;
    bool fits = text_copy(named->text, sizeof named->text, text);
    assert(fits);
    return true;
}

static const struct json_field WHO[] = {
    {.name = "id", .read = read_name, .limit = NAMED_BY_ID},
    {.name = "userPrincipalName", .read = read_name, .limit = NAMED_BY_NAME},
    {.name = "appId", .read = read_name, .limit = NAMED_BY_APP_ID}, /* of requestedBy alone: last */
};
static const struct json_fields USER = {WHO, ARRAY_SIZE(WHO) - 1};
static const struct json_fields REQUESTER = {WHO, ARRAY_SIZE(WHO)};

static bool read_named(struct json_in *in, const json_t *value, const struct json_field *field,
                       void *to)
{
    const struct named *named = to;
    if (!json_in_object(in, value, field->detail, to))
        return false;
    return named->by != NAMED_BY_NOTHING || json_in_fail(in, "names nobody");
}

/* ---- leaves ---- */

bool request_time_read(struct json_in *in, const char *text, int64_t *ret_ms)
{
    int64_t ms;
    if (!time_parse(text, &ms))
        return json_in_fail(in, "is not a time as RFC 3339 writes it");
    *ret_ms = ms > 0 ? ms : 1; /* what lies before 1970 is no less past */
    return true;
}

static bool read_time(struct json_in *in, const json_t *value, const struct json_field *field,
                      void *to)
{
    (void)field;
    const char *text = json_in_text(in, value, TIME_BYTES_MAX);
    return text != NULL && request_time_read(in, text, to);
}

static bool read_plan_hash(struct json_in *in, const json_t *value, const struct json_field *field,
                           void *to)
{
    static const char PREFIX[] = "sha256:";
    const char *text = json_in_text(in, value, PLAN_HASH_CHARS);
    if (text == NULL)
        return false;
    if (strlen(text) != PLAN_HASH_CHARS || strncmp(text, PREFIX, sizeof PREFIX - 1) != 0 ||
        strspn(text + sizeof PREFIX - 1, "0123456789abcdef") != DIGEST_CHARS)
        return json_in_fail(in, "is not sha256: and 64 hex digits");
    return json_read_text(in, value, field, to);
}

static bool read_days(struct json_in *in, const json_t *value, const struct json_field *field,
                      void *to)
{
    (void)field;
    json_int_t days = json_integer_value(value); /* 0 for what is no integer */
    if (days < 1 || days > CLOSING_WITHIN_DAYS_MAX)
        return json_in_fail(in, "must be a whole number, 1 to %d", CLOSING_WITHIN_DAYS_MAX);
    *(int *)to = (int)days;
    return true;
}

/* BCP 47's shape: subtags of 1 to 8 letters and digits, the first of letters. Whether there is such
 * a language is the mail service's business. */
static bool read_locale(struct json_in *in, const json_t *value, const struct json_field *field,
                        void *to)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char DIGITS[] = "0123456789";
    const char *text = json_in_text(in, value, field->limit);
    if (text == NULL)
        return false;
    for (const char *subtag = text;;) {
        size_t n = strspn(subtag, LETTERS);
        bool bad = n < 1 || n > 8 || (subtag == text && strcspn(subtag, DIGITS) < n);
        if (bad || (subtag[n] != '-' && subtag[n] != '\0'))
            return json_in_fail(in, "is not a language tag as BCP 47 writes it");
        if (subtag[n] == '\0')
            return json_read_text(in, value, field, to);
        subtag += n + 1;
    }
}

/* ---- notify ---- */

static bool recipients_read(struct json_in *in, const json_t *value, size_t min,
                            struct recipients *recipients)
{
    size_t i;
    json_t *element;
    if (!json_in_array(in, value, min, RECIPIENTS_MAX))
        return false;
    json_array_foreach(value, i, element)
    {
        size_t mark = json_in_enter_index(in, i);
        const char *text = json_in_text(in, element, ADDRESS_BYTES);
        if (text == NULL)
            return false;
        if (recipient_word(text) == 0 && !text_is_address(text))
            return json_in_fail(in, "is neither an address nor one of: user-alternate, manager, "
                                    "requester");
        bool fits = text_copy(recipients->address[i], sizeof recipients->address[i], text);
        assert(fits);
        json_in_leave(in, mark);
    }
    recipients->n = (int)json_array_size(value);
    return true;
}

static bool read_to(struct json_in *in, const json_t *value, const struct json_field *field,
                    void *to)
{
    (void)field;
    struct request_data *data = to;
    data->request.has_notify_to = true;
    return recipients_read(in, value, 1, &data->request.notify_to);
}

static bool read_cc(struct json_in *in, const json_t *value, const struct json_field *field,
                    void *to)
{
    (void)field;
    return recipients_read(in, value, 0, to);
}

/* ---- the objects ---- */

static bool read_users(struct json_in *in, const json_t *value, const struct json_field *field,
                       void *to);

/* clang-format off */
static const struct json_field NOTIFY_FIELDS[] = {
    {"to",     read_to,     0,                  0,            NULL},
    {"cc",     read_cc,     REQUEST(notify_cc), 0,            NULL},
    {"locale", read_locale, REQUEST(locale),    LOCALE_BYTES, NULL},
};
static const struct json_fields NOTIFY = {NOTIFY_FIELDS, ARRAY_SIZE(NOTIFY_FIELDS)};

static const struct json_field NAME_CONFLICT_FIELDS[] = {
    {"policy",               json_read_word, REQUEST(name_policy),             0,          &NAME_WORDS},
    {"newUserPrincipalName", json_read_text, REQUEST(new_user_principal_name), NAME_BYTES, NULL},
    {"renameActiveTo",       json_read_text, REQUEST(rename_active_to),        NAME_BYTES, NULL},
};
static const struct json_fields NAME_CONFLICT = {NAME_CONFLICT_FIELDS, ARRAY_SIZE(NAME_CONFLICT_FIELDS)};

static const struct json_field CONFLICT_FIELDS[] = {
    {"userPrincipalName", json_read_object, 0,                       0, &NAME_CONFLICT},
    {"proxyAddresses",    json_read_word,   REQUEST(address_policy), 0, &ADDRESS_WORDS},
};
static const struct json_fields CONFLICT = {CONFLICT_FIELDS, ARRAY_SIZE(CONFLICT_FIELDS)};

static const struct json_field TICKET_FIELDS[] = {
    {"system", json_read_prose, REQUEST(ticket_system), TICKET_CHARS, NULL},
    {"id",     json_read_prose, REQUEST(ticket_id),     TICKET_CHARS, NULL},
};
static const struct json_fields TICKET = {TICKET_FIELDS, ARRAY_SIZE(TICKET_FIELDS)};

static const struct json_field ITEM_FIELDS[] = {
    {"id",                   read_name,        REQUEST(user),                    NAMED_BY_ID,     NULL},
    {"userPrincipalName",    read_name,        REQUEST(user),                    NAMED_BY_NAME,   NULL},
    {"newUserPrincipalName", json_read_text,   REQUEST(new_user_principal_name), NAME_BYTES,      NULL},
    {"renameActiveTo",       json_read_text,   REQUEST(rename_active_to),        NAME_BYTES,      NULL},
    {"notify",               json_read_object, 0,                                0,               &NOTIFY},
    {"planHash",             read_plan_hash,   REQUEST(plan_hash),               PLAN_HASH_CHARS, NULL},
};
static const struct json_fields ITEM = {ITEM_FIELDS, ARRAY_SIZE(ITEM_FIELDS)};

static const struct json_field DATA_FIELDS[] = {
    {"mode",              json_read_word,   REQUEST(mode),                        0,               &MODE_WORDS},
    {"tenant",            json_read_text,   REQUEST(tenant),                      TENANT_BYTES,    NULL},
    {"user",              read_named,       REQUEST(user),                        0,               &USER},
    {"users",             read_users,       offsetof(struct request_data, items), 0,               NULL},
    {"requestedBy",       read_named,       REQUEST(requested_by),                0,               &REQUESTER},
    {"planHash",          read_plan_hash,   REQUEST(plan_hash),                   PLAN_HASH_CHARS, NULL},
    {"conflict",          json_read_object, 0,                                    0,               &CONFLICT},
    {"password",          json_read_word,   REQUEST(password),                    0,               &PASSWORD_WORDS},
    {"notify",            json_read_object, 0,                                    0,               &NOTIFY},
    {"reason",            json_read_prose,  REQUEST(reason),                      REASON_CHARS,    NULL},
    {"ticket",            json_read_object, 0,                                    0,               &TICKET},
    {"notAfter",          read_time,        REQUEST(not_after_ms),                0,               NULL},
    {"match",             json_read_text,   REQUEST(match),                       NAME_BYTES,      NULL},
    {"closingWithinDays", read_days,        REQUEST(closing_within_days),         0,               NULL},
};
static const struct json_fields DATA = {DATA_FIELDS, ARRAY_SIZE(DATA_FIELDS)};
/* clang-format on */

/* The last item's place among those that name the user so. "x", "x" and "x#2" would give two of
 * them the same ids. */
static bool occurrence_set(struct json_in *in, struct request_items *items)
{
    struct restore_request *last = &items->requests[items->n - 1];
    char name[USER_IN_IDS_BYTES + 1], other[USER_IN_IDS_BYTES + 1];
    last->occurrence = 1;
    for (int i = 0; i < items->n - 1; i++)
        last->occurrence += text_equal_ignore_case(items->requests[i].user.text, last->user.text);
    request_user_in_ids(last, name);
    for (int i = 0; i < items->n - 1; i++) {
        request_user_in_ids(&items->requests[i], other);
        if (text_equal_ignore_case(name, other))
            return json_in_fail(in, "would have the ids of users[%d]", i);
    }
    return true;
}

static bool read_users(struct json_in *in, const json_t *value, const struct json_field *field,
                       void *to)
{
    (void)field;
    struct request_items *items;
    size_t i;
    json_t *element;
    if (!json_in_array(in, value, 1, ITEMS_MAX))
        return false;
    items = calloc(1, sizeof *items + json_array_size(value) * sizeof items->requests[0]);
    assert(items != NULL && "out of memory");
    *(struct request_items **)to = items;
    json_array_foreach(value, i, element)
    {
        struct request_data item = {0};
        size_t mark = json_in_enter_index(in, i);
        if (!json_in_object(in, element, &ITEM, &item))
            return false;
        if (item.request.user.by == NAMED_BY_NOTHING)
            return json_in_fail(in, "names nobody");
        items->requests[items->n++] = item.request;
        if (!occurrence_set(in, items))
            return false;
        json_in_leave(in, mark);
    }
    return true;
}

struct presence {
    const char *name;
    bool present;
};

static bool absent_check(struct json_in *in, const struct presence *members, size_t n,
                         const char *why)
{
    for (size_t i = 0; i < n; i++) {
        if (members[i].present) {
            json_in_enter(in, members[i].name);
            return json_in_fail(in, "%s", why);
        }
    }
    return true;
}

/* What the members allow each other (contract 3). */
static bool data_check(struct json_in *in, const struct request_data *data)
{
    const struct restore_request *request = &data->request;
    bool has_user = request->user.by != NAMED_BY_NOTHING;
    bool has_users = data->items != NULL;
    const struct presence of_users[] = {{"user", has_user}, {"users", has_users}};
    const struct presence of_list[] = {
        {"match", request->match[0] != '\0'},
        {"closingWithinDays", request->closing_within_days > 0},
    };
    const struct presence of_items[] = {
        {"conflict.userPrincipalName.newUserPrincipalName",
         request->new_user_principal_name[0] != '\0'},
        {"conflict.userPrincipalName.renameActiveTo", request->rename_active_to[0] != '\0'},
        {"notify",
         request->has_notify_to || request->notify_cc.n > 0 || request->locale[0] != '\0'},
        {"planHash", request->plan_hash[0] != '\0'},
    };
    if (request->mode == MODE_LIST)
        return absent_check(in, of_users, ARRAY_SIZE(of_users), "has no place in mode `list`");
    if (!absent_check(in, of_list, ARRAY_SIZE(of_list), "belongs to mode `list`"))
        return false;
    if (has_user == has_users)
        return json_in_fail(in, "must have exactly one of user, users");
    return !has_users ||
           absent_check(in, of_items, ARRAY_SIZE(of_items), "belongs to the items of users");
}

bool request_data_read(struct json_in *in, const json_t *value, struct restore_request *ret_request,
                       struct request_items **ret_items)
{
    struct request_data data = {0};
    size_t mark = json_in_enter(in, "data");
    if (!json_in_object(in, value, &DATA, &data) || !data_check(in, &data)) {
        free(data.items);
        return false;
    }
    json_in_leave(in, mark);
    *ret_request = data.request;
    *ret_items = data.items;
    return true;
}

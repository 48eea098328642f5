/* A 2xx's body into facts. What a rule depends on and is not there makes the body unreadable; what
 * is only shown may be missing. */
#include "policy/time_text.h"
#include "worker/directory/reply.h"

#include <jansson.h>
#include <string.h>

/* Absent and null are ""; so is what does not fit. */
static void read_text(const json_t *object, const char *key, char *ret_text, size_t bytes)
{
    const char *text = json_string_value(json_object_get(object, key));
    (void)text_copy(ret_text, bytes, text != NULL ? text : "");
}

#define READ_TEXT(object, key, field) read_text(object, key, field, sizeof(field))

static bool read_id(const json_t *object, char ret_id[GUID_CHARS + 1])
{
    read_text(object, "id", ret_id, GUID_CHARS + 1);
    text_lower(ret_id);
    return text_is_guid(ret_id);
}

static int64_t read_moment(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t at_ms = 0;
    return text != NULL && time_parse(text, &at_ms) ? at_ms : 0;
}

static bool read_name(const json_t *object, const char *id, char ret_name[NAME_BYTES + 1])
{
    const char *name = json_string_value(json_object_get(object, "userPrincipalName"));
    return name != NULL && text_copy(ret_name, NAME_BYTES + 1, user_name_unmangle(id, name)) &&
           ret_name[0] != '\0';
}

/* mail, else the user principal name */
static void read_mail_or_name(const json_t *object, char ret_mail[ADDRESS_BYTES + 1])
{
    read_text(object, "mail", ret_mail, ADDRESS_BYTES + 1);
    if (ret_mail[0] == '\0')
        read_text(object, "userPrincipalName", ret_mail, ADDRESS_BYTES + 1);
}

static bool read_user(const json_t *object, struct user_facts *user)
{
    if (!read_id(object, user->id) || !read_name(object, user->id, user->user_principal_name))
        return false;
    READ_TEXT(object, "displayName", user->display_name);
    READ_TEXT(object, "mail", user->mail);
    READ_TEXT(object, "preferredLanguage", user->preferred_language);
    user->created_at_ms = read_moment(object, "createdDateTime");
    user->deleted_at_ms = read_moment(object, "deletedDateTime");
    user->last_password_change_at_ms = read_moment(object, "lastPasswordChangeDateTime");
    user->enabled = json_is_true(json_object_get(object, "accountEnabled"));
    user->synced = json_is_true(json_object_get(object, "onPremisesSyncEnabled"));
    user->has_licence = json_array_size(json_object_get(object, "assignedLicenses")) > 0;

    size_t i;
    json_t *item;
    user->n_other_mails = 0;
    json_array_foreach(json_object_get(object, "otherMails"), i, item)
    {
        if (user->n_other_mails == OTHER_MAILS_MAX || !json_is_string(item))
            break;
        char *to = user->other_mails[user->n_other_mails];
        user->n_other_mails += text_copy(to, ADDRESS_BYTES + 1, json_string_value(item));
    }
    string_list_clear(&user->proxy_addresses);
    json_array_foreach(json_object_get(object, "proxyAddresses"), i, item)
    {
        if (json_is_string(item))
            (void)string_list_add(&user->proxy_addresses, json_string_value(item));
    }
    return true;
}

/* Groups and administrative units are memberships, too. */
static void count_member_roles(const json_t *user, struct directory_answer *answer)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(user, "memberOf"), i, item)
    {
        const char *type = json_string_value(json_object_get(item, "@odata.type"));
        answer->n_roles += type != NULL && strcmp(type, "#microsoft.graph.directoryRole") == 0;
    }
}

/* A reply about somebody else answers nothing. In the bin, a user without the moment of the
 * deletion would look active. */
static bool read_asked_user(const struct asked *asked, const json_t *root,
                            struct directory_answer *answer)
{
    const char *id = asked->question->id;
    if (!read_user(root, &answer->user))
        return false;
    count_member_roles(root, answer);
    if (asked->kind == DIRECTORY_DELETED_BY_ID && answer->user.deleted_at_ms == 0)
        return false;
    return asked->kind == DIRECTORY_USER_BY_NAME || text_equal_ignore_case(answer->user.id, id);
}

static bool read_requester(const struct asked *asked, const json_t *root,
                           struct directory_answer *answer)
{
    (void)asked;
    struct requester_facts *requester = &answer->requester;
    const json_t *enabled = json_object_get(root, "accountEnabled");
    if (!read_id(root, requester->id) || !json_is_boolean(enabled))
        return false;
    requester->exists = true;
    requester->enabled = json_is_true(enabled);
    READ_TEXT(root, "displayName", requester->display_name);
    read_mail_or_name(root, requester->mail);
    return true;
}

static bool read_requester_role(const struct asked *asked, const json_t *row,
                                struct directory_answer *answer)
{
    (void)asked;
    struct requester_facts *requester = &answer->requester;
    if (requester->n_roles == ROLES_MAX)
        return true;
    char *to = requester->role_template_ids[requester->n_roles];
    read_text(row, "roleTemplateId", to, GUID_CHARS + 1);
    text_lower(to);
    requester->n_roles += text_is_guid(to);
    return true;
}

static bool count_role(const struct asked *asked, const json_t *row,
                       struct directory_answer *answer)
{
    (void)asked, (void)row;
    answer->n_roles++;
    return true;
}

static bool read_manager(const struct asked *asked, const json_t *root,
                         struct directory_answer *answer)
{
    (void)asked;
    read_mail_or_name(root, answer->manager_mail);
    return json_is_string(json_object_get(root, "id"));
}

static void keep_candidate(struct directory_answer *answer, const struct candidate *found)
{
    int n = answer->n_candidates < CANDIDATES_MAX ? answer->n_candidates : CANDIDATES_MAX;
    for (int i = 0; i < n; i++) /* a list that changes between two pages repeats a row */
        if (strcmp(answer->candidates[i].id, found->id) == 0)
            return;
    answer->n_candidates++;
    int at = n < CANDIDATES_MAX ? n : CANDIDATES_MAX - 1;
    if (n == CANDIDATES_MAX && answer->candidates[at].deleted_at_ms >= found->deleted_at_ms)
        return;
    for (; at > 0 && answer->candidates[at - 1].deleted_at_ms < found->deleted_at_ms; at--)
        answer->candidates[at] = answer->candidates[at - 1];
    answer->candidates[at] = *found;
}

/* endsWith also finds bigjohn@ for john@, so every row is held against the whole name. */
static bool read_deleted_row(const struct asked *asked, const json_t *row,
                             struct directory_answer *answer)
{
    struct candidate found;
    if (!read_id(row, found.id))
        return false;
    if (!read_name(row, found.id, found.user_principal_name) ||
        !text_equal_ignore_case(found.user_principal_name, asked->question->name))
        return true; /* longer than any name that could be asked for, or another one */
    READ_TEXT(row, "displayName", found.display_name);
    found.deleted_at_ms = read_moment(row, "deletedDateTime");
    if (found.deleted_at_ms == 0)
        return false;
    if (answer->n_candidates == 0 && !read_user(row, &answer->user))
        return false;
    keep_candidate(answer, &found);
    return true;
}

static enum holder_type holder_type_of(int kind)
{
    return kind == DIRECTORY_USERS_BY_ADDRESS    ? HOLDER_USER
           : kind == DIRECTORY_GROUPS_BY_ADDRESS ? HOLDER_GROUP
                                                 : HOLDER_CONTACT;
}

static bool read_holder(const json_t *row, enum holder_type type, struct holder *holder)
{
    *holder = (struct holder){.type = type};
    READ_TEXT(row, "displayName", holder->display_name);
    READ_TEXT(row, "userPrincipalName", holder->user_principal_name);
    holder->created_at_ms = read_moment(row, "createdDateTime");
    holder->enabled = json_is_true(json_object_get(row, "accountEnabled"));
    return read_id(row, holder->id);
}

static bool row_has_address(const json_t *row, const char *address)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(row, "proxyAddresses"), i, item)
    {
        if (json_is_string(item) && text_equal_ignore_case(json_string_value(item), address))
            return true;
    }
    return false;
}

static bool is_held_already(const struct directory_answer *answer, int address)
{
    for (int i = 0; i < answer->n_held; i++)
        if (answer->held[i].address == address)
            return true;
    return false;
}

/* A row holds one of the addresses, or several; whoever is named first for one stays. */
static bool read_holder_row(const struct asked *asked, const json_t *row,
                            struct directory_answer *answer)
{
    struct holder holder;
    if (!read_holder(row, holder_type_of(asked->kind), &holder))
        return false;
    const char *address = asked->question->addresses;
    for (int i = 0; i < asked->question->n_addresses; i++, address += strlen(address) + 1)
        if (row_has_address(row, address) && !is_held_already(answer, i))
            answer->held[answer->n_held++] = (struct held_address){i, holder};
    return true;
}

static bool read_listed_row(const struct asked *asked, const json_t *row,
                            struct directory_answer *answer)
{
    struct candidate found;
    if (!read_id(row, found.id))
        return false;
    if (!read_name(row, found.id, found.user_principal_name))
        return true; /* longer than any name that a request could ask for */
    READ_TEXT(row, "displayName", found.display_name);
    struct listed_user user = {
        .id = found.id,
        .user_principal_name = found.user_principal_name,
        .display_name = found.display_name,
        .deleted_at_ms = read_moment(row, "deletedDateTime"),
        .synced = json_is_true(json_object_get(row, "onPremisesSyncEnabled")),
    };
    if (user.deleted_at_ms != 0)
        user_list_take(answer->list, &asked->question->wish, &user);
    return user.deleted_at_ms != 0;
}

/* The body is one object, or a list of rows under "value" with a link to the next page. */
static const struct facts_row {
    bool is_list;
    bool (*read)(const struct asked *asked, const json_t *object, struct directory_answer *answer);
} facts_rows[CALL_KINDS] = {
    [DIRECTORY_REQUESTER] = {false, read_requester},
    [DIRECTORY_REQUESTER_APP] = {false, read_requester},
    [CALL_REQUESTER_ROLES] = {true, read_requester_role},
    [DIRECTORY_DELETED_BY_ID] = {false, read_asked_user},
    [DIRECTORY_DELETED_BY_NAME] = {true, read_deleted_row},
    [DIRECTORY_LIST_DELETED] = {true, read_listed_row},
    [DIRECTORY_USER_BY_ID] = {false, read_asked_user},
    [DIRECTORY_USER_BY_NAME] = {false, read_asked_user},
    [DIRECTORY_TARGET_ROLES] = {true, count_role},
    [DIRECTORY_USERS_BY_ADDRESS] = {true, read_holder_row},
    [DIRECTORY_GROUPS_BY_ADDRESS] = {true, read_holder_row},
    [DIRECTORY_CONTACTS_BY_ADDRESS] = {true, read_holder_row},
    [DIRECTORY_MANAGER] = {false, read_manager},
    [DIRECTORY_RESTORE] = {false, read_asked_user},
    [DIRECTORY_RESTORE_HOLDER] = {false, read_asked_user},
};

static bool read_list(const struct asked *asked, const json_t *root,
                      struct directory_answer *answer, char ret_next_link[CALL_URL_BYTES])
{
    const json_t *rows = json_object_get(root, "value");
    if (!json_is_array(rows))
        return false;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (!facts_rows[asked->kind].read(asked, row, answer))
            return false;
    }
    if (answer->list != NULL && answer->list->complete)
        return true; /* what follows is not wanted */
    const json_t *next = json_object_get(root, "@odata.nextLink");
    return next == NULL || (json_is_string(next) && json_string_value(next)[0] != '\0' &&
                            text_copy(ret_next_link, CALL_URL_BYTES, json_string_value(next)));
}

bool reply_read_facts(const struct asked *asked, const struct reply *reply,
                      struct directory_answer *answer, char ret_next_link[CALL_URL_BYTES])
{
    if (facts_rows[asked->kind].read == NULL)
        return true; /* 204: nothing is said but yes */
    if (reply->body_bytes == 0)
        return false;
    json_t *root = json_loadb(reply->body, reply->body_bytes, 0, NULL);
    bool readable =
        json_is_object(root) &&
        (facts_rows[asked->kind].is_list ? read_list(asked, root, answer, ret_next_link)
                                         : facts_rows[asked->kind].read(asked, root, answer));
    json_decref(root);
    return readable;
}

void answer_close(int kind, struct directory_answer *answer)
{
    /* Found, and gone before the roles were read: as if never found. */
    answer->requester.exists = answer->status == DIRECTORY_YES && answer->requester.exists;
    if (answer->status != DIRECTORY_YES || kind != DIRECTORY_DELETED_BY_NAME)
        return;
    if (answer->n_candidates == 0)
        answer->status = DIRECTORY_NOT_FOUND;
    if (answer->n_candidates > 1)
        answer->user.id[0] = '\0';
}

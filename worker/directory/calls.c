#include "worker/directory/calls.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Exactly what struct user_facts has a place for. */
#define USER_FIELDS                                                                                \
    "$select=id,userPrincipalName,displayName,mail,preferredLanguage,otherMails,createdDateTime,"  \
    "deletedDateTime,lastPasswordChangeDateTime,accountEnabled,onPremisesSyncEnabled,"             \
    "assignedLicenses,proxyAddresses"
#define BIN "/v1.0/directory/deletedItems"
#define CALL_LIST_PAGE_ROWS "500" /* a row is 300 bytes, 1.7 KB with the longest display name */
#define CALL_PAGE_ROWS "200"      /* a row is about 1 KB, and a reply at most 1 MiB */

/* {user}: a user by id, else by name; {id}; {odata}: the name inside an OData literal; {addresses}:
 * whoever holds one of them, which needs no advanced query (whose index lags); {expand}: what the
 * user is a member of, 20 at most, roles among them.
 * The type cast of the bin is mandatory (directory-api.md 2.1); `%27` is the quote.
 * The last column is the price in resource units (directory-api.md 7.1): 2 for users and for
 * transitiveMemberOf, 1 less with $select, which all of them have; 1 for any other read and for a
 * change, which is a write besides. {expand} is 1 more. */
/* clang-format off */
static const struct call_row {
    const char *method, *path;
    bool advanced;
    int units;
} call_rows[] = {
    [DIRECTORY_REQUESTER] = {"GET", "/v1.0/users{user}?$select=id,accountEnabled,displayName,mail,userPrincipalName", false, 1},
    [CALL_REQUESTER_ROLES] = {"GET", "/v1.0/users/{id}/transitiveMemberOf/microsoft.graph.directoryRole?$select=id,roleTemplateId", false, 1},
    [DIRECTORY_REQUESTER_APP] = {"GET", "/v1.0/servicePrincipals(appId=%27{id}%27)?$select=id,accountEnabled,displayName", false, 1},
    [DIRECTORY_DELETED_BY_ID] = {"GET", BIN "/{id}/microsoft.graph.user?" USER_FIELDS, false, 1},
    [DIRECTORY_DELETED_BY_NAME] = {"GET", BIN "/microsoft.graph.user?$filter=endsWith(userPrincipalName,%27{odata}%27)&$count=true&$top=" CALL_PAGE_ROWS "&" USER_FIELDS, true, 1},
    [DIRECTORY_LIST_DELETED] = {"GET", BIN "/microsoft.graph.user?$orderby=deletedDateTime&$count=true&$top=" CALL_LIST_PAGE_ROWS "&$select=id,userPrincipalName,displayName,deletedDateTime,onPremisesSyncEnabled", true, 1},
    [DIRECTORY_USER_BY_ID] = {"GET", "/v1.0/users/{id}?" USER_FIELDS "{expand}", false, 1},
    [DIRECTORY_USER_BY_NAME] = {"GET", "/v1.0/users{user}?" USER_FIELDS, false, 1},
    [DIRECTORY_TARGET_ROLES] = {"GET", "/v1.0/roleManagement/directory/roleAssignments?$filter=principalId%20eq%20%27{id}%27&$select=id,roleDefinitionId", false, 1},
    [DIRECTORY_USERS_BY_ADDRESS] = {"GET", "/v1.0/users?$filter={addresses}&$select=id,userPrincipalName,displayName,createdDateTime,accountEnabled,proxyAddresses", false, 1},
    [DIRECTORY_GROUPS_BY_ADDRESS] = {"GET", "/v1.0/groups?$filter={addresses}&$select=id,displayName,createdDateTime,proxyAddresses", false, 1},
    [DIRECTORY_CONTACTS_BY_ADDRESS] = {"GET", "/v1.0/contacts?$filter={addresses}&$select=id,displayName,proxyAddresses", false, 1},
    [DIRECTORY_MANAGER] = {"GET", "/v1.0/users/{id}/manager?$select=id,mail,userPrincipalName", false, 1},
    [DIRECTORY_RESTORE] = {"POST", BIN "/{id}/restore", false, 1},
    [DIRECTORY_SET_PASSWORD] = {"PATCH", "/v1.0/users/{id}", false, 1},
    [DIRECTORY_RENAME_USER] = {"PATCH", "/v1.0/users/{id}", false, 1},
    [DIRECTORY_DELETE_USER] = {"DELETE", "/v1.0/users/{id}", false, 1},
    [DIRECTORY_RESTORE_HOLDER] = {"POST", BIN "/{id}/restore", false, 1},
};
/* clang-format on */
static_assert(sizeof call_rows / sizeof call_rows[0] == CALL_KINDS, "a row for every kind");

/* Text that remembers whether all of it fitted. */
struct writer {
    char *at, *end; /* end: the last place, for the zero */
    bool cut;
};

static struct writer writer_begin(char *text, size_t bytes)
{
    return (struct writer){.at = text, .end = text + bytes - 1};
}

static void put_char(struct writer *writer, char c)
{
    if (writer->at < writer->end)
        *writer->at++ = c;
    else
        writer->cut = true;
}

static void put(struct writer *writer, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(writer, *text);
}

static void put_percent(struct writer *writer, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
        (c != '\0' && strchr("-._~", c) != NULL)) {
        put_char(writer, c);
        return;
    }
    put_char(writer, '%');
    put_char(writer, hex[(unsigned char)c >> 4]);
    put_char(writer, hex[(unsigned char)c & 15]);
}

static void put_encoded(struct writer *writer, const char *text, bool in_literal)
{
    for (; *text != '\0'; text++) {
        put_percent(writer, *text);
        if (in_literal && *text == '\'')
            put_percent(writer, *text);
    }
}

/* A key that begins with "$" only works as ('$x@contoso.com') (directory-api.md 2.3). */
static void put_user(struct writer *writer, const struct directory_question *question)
{
    const char *key = question->id[0] != '\0' ? question->id : question->name;
    bool quoted = key[0] == '$';
    put(writer, quoted ? "(%27" : "/");
    put_encoded(writer, key, quoted);
    put(writer, quoted ? "%27)" : "");
}

/* Whether `eq` minds the case of the scheme is not documented, so both are asked for
 * (directory-api.md 3). */
static void put_address(struct writer *writer, const char *address, bool upper)
{
    char scheme[16] = "";
    const char *rest = address;
    if (text_split_at(address, ':', scheme, sizeof scheme, &rest))
        for (char *at = scheme; *at != '\0'; at++)
            *at = upper && *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A')
                  : upper                           ? *at
                                                    : text_lower_char(*at);
    put(writer, "proxyAddresses/any(p:p%20eq%20%27");
    put_encoded(writer, scheme, true);
    put_encoded(writer, scheme[0] != '\0' ? ":" : "", true);
    put_encoded(writer, rest, true);
    put(writer, "%27)");
}

static void put_addresses(struct writer *writer, const struct directory_question *question)
{
    const char *address = question->addresses;
    for (int i = 0; i < question->n_addresses; i++, address += strlen(address) + 1) {
        put(writer, i > 0 ? "%20or%20" : "");
        put_address(writer, address, false);
        put(writer, "%20or%20");
        put_address(writer, address, true);
    }
}

const char *call_method(int kind)
{
    return call_rows[kind].method;
}

bool call_changes(int kind)
{
    return call_rows[kind].method[0] != 'G';
}

bool call_is_advanced(int kind)
{
    return call_rows[kind].advanced;
}

struct call_cost call_cost(int kind, const struct directory_question *question)
{
    bool expands = kind == DIRECTORY_USER_BY_ID && question->with_roles;
    return (struct call_cost){.units = call_rows[kind].units + expands,
                              .writes = call_changes(kind)};
}

bool call_write_url(int kind, const char *graph_url, const struct directory_question *question,
                    char ret_url[CALL_URL_BYTES])
{
    struct writer writer = writer_begin(ret_url, CALL_URL_BYTES);
    put(&writer, graph_url);
    for (const char *at = call_rows[kind].path; *at != '\0'; at++) {
        if (*at != '{') {
            put_char(&writer, *at);
            continue;
        }
        if (at[1] == 'u')
            put_user(&writer, question);
        else if (at[1] == 'a')
            put_addresses(&writer, question);
        else if (at[1] == 'e')
            put(&writer, question->with_roles ? "&$expand=memberOf($select=id)" : "");
        else
            put_encoded(&writer, at[1] == 'i' ? question->id : question->name, at[1] == 'o');
        at = strchr(at, '}');
    }
    *writer.at = '\0';
    return !writer.cut;
}

/* RFC 8259 7; the text is UTF-8 already. */
static void put_json_string(struct writer *writer, const char *text)
{
    put_char(writer, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            put_char(writer, '\\');
        if ((unsigned char)*text >= ' ') {
            put_char(writer, *text);
            continue;
        }
        char escape[sizeof "\\u0000"];
        (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text);
        put(writer, escape);
    }
    put_char(writer, '"');
}

/* Keys that say nothing are left out, not sent as null (directory-api.md 1.2). */
static void put_restore(struct writer *writer, const struct directory_question *question)
{
    put_char(writer, '{');
    if (question->reconcile_proxy_addresses)
        put(writer, "\"autoReconcileProxyConflict\":true");
    if (question->new_user_principal_name[0] != '\0') {
        put(writer, question->reconcile_proxy_addresses ? "," : "");
        put(writer, "\"newUserPrincipalName\":");
        put_json_string(writer, question->new_user_principal_name);
    }
    put_char(writer, '}');
}

size_t call_write_body(int kind, const struct directory_question *question, const char *password,
                       char ret_body[CALL_BODY_BYTES])
{
    struct writer writer = writer_begin(ret_body, CALL_BODY_BYTES);
    if (kind == DIRECTORY_RESTORE || kind == DIRECTORY_RESTORE_HOLDER)
        put_restore(&writer, question);
    if (kind == DIRECTORY_RENAME_USER) {
        put(&writer, "{\"userPrincipalName\":");
        put_json_string(&writer, question->new_user_principal_name);
        put(&writer, "}");
    }
    if (kind == DIRECTORY_SET_PASSWORD) {
        put(&writer, "{\"passwordProfile\":{\"password\":");
        put_json_string(&writer, password);
        put(&writer, ",\"forceChangePasswordNextSignIn\":true}}");
    }
    *writer.at = '\0';
    return writer.cut ? 0 : (size_t)(writer.at - ret_body);
}

bool percent_encode(const char *text, char *ret_text, size_t bytes)
{
    struct writer writer = writer_begin(ret_text, bytes);
    put_encoded(&writer, text, false);
    *writer.at = '\0';
    return !writer.cut;
}

#include "tests/directory_sim/property.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define U (1u << KIND_USER)
#define G (1u << KIND_GROUP)
#define C (1u << KIND_CONTACT)
#define S (1u << KIND_SERVICE_PRINCIPAL)
#define R (1u << KIND_ROLE)
#define A (1u << KIND_ASSIGNMENT)
#define AT(field) offsetof(struct entry, field)
#define ROW(field) offsetof(struct role_row, field)

static const struct property properties[] = {
    {"id", U | G | C | S, U | G | C | S, PROPERTY_TEXT, AT(id)},
    {"deletedDateTime", U, 0, PROPERTY_TIME, AT(deleted_ms)},
    {"accountEnabled", U | S, S, PROPERTY_BOOL, AT(account_enabled)},
    {"appId", S, S, PROPERTY_TEXT, AT(app_id)},
    {"assignedLicenses", U, 0, PROPERTY_LICENCES, AT(licences)},
    {"businessPhones", U, U, PROPERTY_NO_LIST, 0},
    {"createdDateTime", U | G, G, PROPERTY_TIME, AT(created_ms)},
    {"displayName", U | G | C | S, U | G | C | S, PROPERTY_TEXT, AT(display_name)},
    {"givenName", U | C, U | C, PROPERTY_TEXT, AT(given_name)},
    {"jobTitle", U | C, U | C, PROPERTY_TEXT, AT(job_title)},
    {"lastPasswordChangeDateTime", U, 0, PROPERTY_TIME, AT(password_changed_ms)},
    {"mail", U | G | C, U | G | C, PROPERTY_TEXT, AT(mail)},
    {"mobilePhone", U, U, PROPERTY_TEXT, AT(mobile_phone)},
    {"officeLocation", U, U, PROPERTY_TEXT, AT(office_location)},
    {"onPremisesSyncEnabled", U | G | C, G | C, PROPERTY_BOOL, AT(synced)},
    {"otherMails", U, 0, PROPERTY_LIST, AT(other_mails)},
    {"preferredLanguage", U, U, PROPERTY_TEXT, AT(preferred_language)},
    {"proxyAddresses", U | G | C, G | C, PROPERTY_LIST, AT(proxy_addresses)},
    {"surname", U | C, U | C, PROPERTY_TEXT, AT(surname)},
    {"userPrincipalName", U, U, PROPERTY_TEXT, AT(name)},
    {"id", R | A, R | A, PROPERTY_TEXT, ROW(id)},
    {"deletedDateTime", R, R, PROPERTY_NULL, 0},
    {"description", R, R, PROPERTY_NULL, 0},
    {"displayName", R, R, PROPERTY_TEXT, ROW(display_name)},
    {"roleTemplateId", R, R, PROPERTY_TEXT, ROW(template_id)},
    {"principalId", A, A, PROPERTY_TEXT, ROW(principal_id)},
    {"directoryScopeId", A, A, PROPERTY_TEXT, ROW(scope)},
    {"roleDefinitionId", A, A, PROPERTY_TEXT, ROW(template_id)},
};
enum { PROPERTIES = sizeof properties / sizeof *properties };
_Static_assert(PROPERTIES <= 64, "property_mask has 64 bits");

static const void *field(const void *object, const struct property *property)
{
    return (const char *)object + property->offset;
}

const struct property *property_find(enum entry_kind kind, const char *name, size_t name_n)
{
    for (size_t i = 0; i < PROPERTIES; i++) {
        const struct property *p = &properties[i];
        bool named = strncmp(p->name, name, name_n) == 0 && !p->name[name_n];
        if (named && (p->kinds & 1u << kind))
            return p;
    }
    return NULL;
}

const char *property_text(const struct property *property, const void *object)
{
    return *(const char *const *)field(object, property);
}

property_mask property_unasked(enum entry_kind kind)
{
    property_mask mask = 0;
    for (size_t i = 0; i < PROPERTIES; i++) {
        if (properties[i].kinds_unasked & 1u << kind)
            mask |= (property_mask)1 << i;
    }
    return mask;
}

property_mask property_every(enum entry_kind kind)
{
    property_mask mask = 0;
    for (size_t i = 0; i < PROPERTIES; i++) {
        if (properties[i].kinds & 1u << kind)
            mask |= (property_mask)1 << i;
    }
    return mask;
}

bool property_select(enum entry_kind kind, const char *select, property_mask *mask,
                     const char **unknown)
{
    *mask = select ? 0 : property_unasked(kind);
    while (select && *select) {
        select += strspn(select, ", ");
        size_t n = strcspn(select, ", ");
        const struct property *property = property_find(kind, select, n);
        *unknown = select;
        if (n && !property)
            return false;
        if (property)
            *mask |= (property_mask)1 << (property - properties);
        select += n;
    }
    return true;
}

const char *kind_type(enum entry_kind kind)
{
    static const char *const types[] = {
        [KIND_USER] = "#microsoft.graph.user",
        [KIND_GROUP] = "#microsoft.graph.group",
        [KIND_CONTACT] = "#microsoft.graph.orgContact",
        [KIND_SERVICE_PRINCIPAL] = "#microsoft.graph.servicePrincipal",
        [KIND_ROLE] = "#microsoft.graph.directoryRole",
        [KIND_ASSIGNMENT] = "#microsoft.graph.unifiedRoleAssignment",
    };
    return types[kind];
}

static void licences_write(struct buffer *buffer, int64_t n)
{
    buffer_text(buffer, "[");
    for (int64_t i = 0; i < n; i++) {
        json_comma(buffer);
        buffer_format(buffer,
                      "{\"disabledPlans\":[],\"skuId\":\"00000000-0000-4000-9000-%012llx\"}",
                      (unsigned long long)i);
    }
    buffer_text(buffer, "]");
}

static void list_write(struct buffer *buffer, const struct text_list *list)
{
    buffer_text(buffer, "[");
    for (size_t i = 0; i < list->n; i++)
        json_text(buffer, list->at[i]);
    buffer_text(buffer, "]");
}

static void value_write(struct buffer *buffer, const struct property *property, const void *at)
{
    switch (property->type) {
    case PROPERTY_TEXT: json_text(buffer, *(const char *const *)at); break;
    case PROPERTY_TIME: json_time(buffer, *(const int64_t *)at); break;
    case PROPERTY_LIST: list_write(buffer, at); break;
    case PROPERTY_LICENCES: licences_write(buffer, *(const int64_t *)at); break;
    case PROPERTY_NO_LIST: buffer_text(buffer, "[]"); break;
    case PROPERTY_NULL: buffer_text(buffer, "null"); break;
    case PROPERTY_BOOL: {
        int value = *(const int *)at;
        buffer_text(buffer, value < 0 ? "null" : value ? "true" : "false");
        break;
    }
    }
}

void property_write(struct buffer *buffer, const void *object, property_mask mask)
{
    for (size_t i = 0; i < PROPERTIES; i++) {
        if (!(mask >> i & 1))
            continue;
        json_key(buffer, properties[i].name);
        value_write(buffer, &properties[i], field(object, &properties[i]));
    }
}

int64_t time_parse(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return TIME_NONE;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&tm) * 1000 : TIME_NONE;
}

static bool list_load(struct text_list *list, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return false;
        text_list_add(list, json_string_value(item));
    }
    return json_is_array(value);
}

bool property_load(struct entry *entry, const char *name, const json_t *value)
{
    const struct property *property = property_find(entry->kind, name, strlen(name));
    if (!property)
        return false;
    char *at = (char *)entry + property->offset;
    const char *text = json_string_value(value);
    switch (property->type) {
    case PROPERTY_TEXT:
        free(*(char **)at);
        *(char **)at = text_dup(text);
        return text || json_is_null(value);
    case PROPERTY_BOOL:
        *(int *)at = json_is_null(value) ? -1 : json_is_true(value);
        return json_is_boolean(value) || json_is_null(value);
    case PROPERTY_TIME:
        *(int64_t *)at = text ? time_parse(text) : TIME_NONE;
        return text ? *(int64_t *)at != TIME_NONE : json_is_null(value);
    case PROPERTY_LIST: return list_load((struct text_list *)at, value);
    case PROPERTY_LICENCES:
        *(int64_t *)at = json_integer_value(value);
        return json_is_integer(value) && *(int64_t *)at >= 0;
    case PROPERTY_NO_LIST:
    case PROPERTY_NULL: return false;
    }
    return false;
}

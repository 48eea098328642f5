/* The lists of the configuration: what each of their strings means. */
#include "worker/kafka_property.h"
#include "worker/settings_table.h"

#include <string.h>

static bool refuse(char *reterr, const char *why, const char *text)
{
    snprintf(reterr, SETTING_MESSAGE_BYTES, "%s: \"%.100s\"", why, text);
    return false;
}

/* Built-in directory roles have the same template ids in every tenant (Microsoft Entra, "built-in
 * roles"). */
static const struct {
    const char *name, *template_id;
} roles[] = {
    {"Global Administrator", "62e90394-69f5-4237-9190-012177145e10"},
    {"User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1"},
    {"Privileged Authentication Administrator", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"},
    {"Authentication Administrator", "c4e39bd9-1100-46d3-8c65-fb160da0071f"},
    {"Privileged Role Administrator", "e8611ab8-c189-46e8-94e1-60213ab1f814"},
    {"Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8"},
    {"Password Administrator", "966707d0-3269-4727-9be2-8c3a10f19b9d"},
    {"Groups Administrator", "fdd7a751-b60b-444a-984c-02652fe8fa1c"},
    {"License Administrator", "4d6ac14f-3453-41d0-bef9-a3e0c569773a"},
    {"Directory Readers", "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"},
    {"Directory Writers", "9360feb5-f418-4baa-8175-e2a00bac4301"},
    {"Global Reader", "f2ef992c-3afb-46b9-b7cf-a126ee74c451"},
};

bool add_requester_role(struct settings *settings, const char *text, char *reterr)
{
    struct policy_rules *rules = &settings->policy;
    const char *template_id = text_is_guid(text) ? text : NULL;
    for (size_t i = 0; template_id == NULL && i < sizeof roles / sizeof roles[0]; i++)
        if (text_equal_ignore_case(text, roles[i].name))
            template_id = roles[i].template_id;
    if (template_id == NULL)
        return refuse(reterr, "no built-in role known here by name; give its template id", text);
    if (rules->n_requester_roles == RULE_ROLES_MAX)
        return refuse(reterr, "too many roles", text);
    char *role = rules->requester_roles[rules->n_requester_roles++];
    text_copy(role, sizeof rules->requester_roles[0], template_id);
    text_lower(role);
    return true;
}

bool add_requester_app(struct settings *settings, const char *text, char *reterr)
{
    struct policy_rules *rules = &settings->policy;
    if (!text_is_guid(text))
        return refuse(reterr, "not an application id", text);
    if (rules->n_requester_apps == RULE_APPS_MAX)
        return refuse(reterr, "too many applications", text);
    char *app = rules->requester_apps[rules->n_requester_apps++];
    text_copy(app, sizeof rules->requester_apps[0], text);
    text_lower(app);
    return true;
}

bool add_allowed_policy(struct settings *settings, const char *text, char *reterr)
{
    for (int i = NAME_POLICY_REJECT; i < NAME_POLICIES; i++) {
        if (strcmp(text, name_policy_word((enum name_policy)i)) != 0)
            continue;
        settings->policy.name_policy_allowed[i] = true;
        return true;
    }
    return refuse(reterr, "not a policy", text);
}

bool add_notify_default(struct settings *settings, const char *text, char *reterr)
{
    struct recipients *recipients = &settings->policy.notify_default;
    if (recipient_word(text) == 0 && !text_is_address(text))
        return refuse(reterr, "neither manager, requester, user-alternate nor an address", text);
    if (recipients->n == RECIPIENTS_MAX)
        return refuse(reterr, "at most 5 recipients", text);
    return text_copy(recipients->address[recipients->n++], sizeof recipients->address[0], text);
}

bool add_secret_recipient(struct settings *settings, const char *text, char *reterr)
{
    struct policy_rules *rules = &settings->policy;
    unsigned word = recipient_word(text);
    rules->secret_words |= word;
    if (word != 0)
        return true;
    if (text[0] != '@' || strlen(text) < 2 || strlen(text) > ADDRESS_BYTES ||
        strchr(text + 1, '@') != NULL)
        return refuse(reterr, "neither manager, requester, user-alternate nor an \"@domain\"",
                      text);
    if (rules->n_secret_domains == RULE_DOMAINS_MAX)
        return refuse(reterr, "too many domains", text);
    char *domain = rules->secret_domains[rules->n_secret_domains++];
    text_copy(domain, sizeof rules->secret_domains[0], text);
    text_lower(domain);
    return true;
}

bool add_notify_on(struct settings *settings, const char *text, char *reterr)
{
    if (strcmp(text, "succeeded") == 0)
        settings->policy.notify_on_succeeded = true;
    else if (strcmp(text, "conflict") == 0)
        settings->policy.notify_on_conflict = true;
    else if (strcmp(text, "failed") == 0)
        settings->policy.notify_on_failed = true;
    else
        return refuse(reterr, "neither succeeded, conflict nor failed", text);
    return true;
}

static bool has_property(const struct string_list *properties, const char *name)
{
    size_t length = strlen(name);
    for (const char *s = NULL; (s = string_list_next(properties, s)) != NULL;)
        if (strncmp(s, name, length) == 0 && s[length] == '=')
            return true;
    return false;
}

static bool add_set_property(struct settings *settings, rd_kafka_conf_t *conf, const char *text,
                             char *reterr)
{
    struct string_list *properties = &settings->kafka.properties;
    char name[PROPERTY_NAME_BYTES + 1];
    char line[PROPERTY_NAME_BYTES + SECRET_BYTES_MAX + 2];
    const char *written;
    char *value;
    if (!kafka_property_set(conf, text, &value, reterr))
        return false;
    text_split_at(text, '=', name, sizeof name, &written);
    if (has_property(properties, name)) {
        secret_free(value);
        return refuse(reterr, "set twice", name);
    }
    int n = snprintf(line, sizeof line, "%s=%s", name, value);
    bool added = n > 0 && (size_t)n < sizeof line && properties->n < KAFKA_PROPERTIES_MAX &&
                 string_list_add(properties, line);
    if (!added)
        snprintf(reterr, SETTING_MESSAGE_BYTES, "%s: at most %d properties of %d bytes together",
                 name, KAFKA_PROPERTIES_MAX, STRING_LIST_BYTES);
    explicit_bzero(line, sizeof line);
    secret_free(value);
    return added;
}

bool add_property(struct settings *settings, const char *text, char *reterr)
{
    char name[PROPERTY_NAME_BYTES + 1];
    const char *written, *why;
    if (text_split_at(text, '=', name, sizeof name, &written) &&
        (why = kafka_property_owned(name)) != NULL) {
        snprintf(reterr, SETTING_MESSAGE_BYTES, "%s cannot be set: %s", name, why);
        return false;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool added = add_set_property(settings, conf, text, reterr);
    rd_kafka_conf_destroy(conf);
    return added;
}

/* What may be done about a clash of names or addresses (contract 3, conflict). */
#include "policy/rules.h"

#include <string.h>

enum name_policy name_policy_in_force(const struct policy_rules *rules,
                                      const struct restore_request *request)
{
    return request->name_policy != NAME_POLICY_ABSENT ? request->name_policy : rules->name_policy;
}

enum address_policy address_policy_in_force(const struct policy_rules *rules,
                                            const struct restore_request *request)
{
    return request->address_policy != ADDRESS_POLICY_ABSENT ? request->address_policy
                                                            : rules->address_policy;
}

bool password_generate_in_force(const struct policy_rules *rules,
                                const struct restore_request *request)
{
    return request->password != PASSWORD_ABSENT ? request->password == PASSWORD_GENERATE
                                                : rules->has_recipient_key;
}

/* For addresses a request may only be stricter than the configuration. */
enum reason rule_policy_allowed(const struct policy_facts *facts)
{
    const struct policy_rules *rules = facts->rules;
    enum name_policy policy = name_policy_in_force(rules, facts->request);
    if (policy != NAME_POLICY_REJECT && !rules->name_policy_allowed[policy])
        return REASON_POLICY_NOT_ALLOWED;
    if (rules->address_policy == ADDRESS_POLICY_REJECT &&
        address_policy_in_force(rules, facts->request) == ADDRESS_POLICY_REMOVE)
        return REASON_POLICY_NOT_ALLOWED;
    return REASON_OK;
}

void name_resolutions(const struct policy_rules *rules, enum name_policy exhausted,
                      bool ret_resolution[NAME_POLICIES])
{
    for (int policy = 0; policy < NAME_POLICIES; policy++)
        ret_resolution[policy] = policy > NAME_POLICY_REJECT && policy != (int)exhausted &&
                                 rules->name_policy_allowed[policy];
}

static bool append(char *text, size_t text_bytes, const char *part, size_t part_bytes)
{
    size_t length = strlen(text);
    if (length + part_bytes >= text_bytes)
        return false;
    memcpy(text + length, part, part_bytes);
    text[length + part_bytes] = '\0';
    return true;
}

/* directory-api 4.1 */
static bool is_short_enough(const char *name)
{
    enum { LOCAL_BYTES = 64, DOMAIN_BYTES = 48 };
    const char *at = strchr(name, '@');
    return at != NULL && at - name <= LOCAL_BYTES && strlen(at + 1) <= DOMAIN_BYTES;
}

bool rename_from_template(const char *name_template, const char *user_principal_name, int n,
                          char ret_name[NAME_BYTES + 1])
{
    const char *at = strchr(user_principal_name, '@');
    size_t local_bytes =
        at != NULL ? (size_t)(at - user_principal_name) : strlen(user_principal_name);
    const char *domain = at != NULL ? at + 1 : "";
    char number[2] = {(char)('0' + n / 10), (char)('0' + n % 10)};
    const struct {
        const char *word, *text;
        size_t bytes;
    } words[] = {
        {"{local}", user_principal_name, local_bytes},
        {"{domain}", domain, strlen(domain)},
        {"{n}", n < 10 ? number + 1 : number, n < 10 ? 1 : 2},
    };

    ret_name[0] = '\0';
    const char *from = name_template;
    while (*from != '\0') {
        const char *part = from;
        size_t part_bytes = 1, taken = 1;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            size_t word_bytes = strlen(words[i].word);
            if (strncmp(from, words[i].word, word_bytes) == 0) {
                part = words[i].text;
                part_bytes = words[i].bytes;
                taken = word_bytes;
            }
        }
        if (!append(ret_name, NAME_BYTES + 1, part, part_bytes))
            return false;
        from += taken;
    }
    return is_short_enough(ret_name);
}

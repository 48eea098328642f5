#include "policy/facts.h"

#include <string.h>

enum { HEX_ID_CHARS = 32 };

/* Only that very prefix is cut, never 32 characters blindly: some ways of deleting leave the name
 * as it was, and a name may begin with hex digits of its own (directory-api 2.2). */
const char *holder_type_word(enum holder_type type)
{
    static const char *const words[] = {"unknown", "user", "group", "contact"};
    return words[type];
}

const char *user_name_unmangle(const char *id, const char *user_principal_name)
{
    const char *name = user_principal_name;
    int digits = 0;
    for (; *id != '\0'; id++) {
        if (*id == '-')
            continue;
        if (text_lower_char(*name) != text_lower_char(*id))
            return user_principal_name;
        name++;
        digits++;
    }
    return digits == HEX_ID_CHARS ? name : user_principal_name;
}

void user_facts_clear(struct user_facts *user)
{
    memset(user, 0, offsetof(struct user_facts, proxy_addresses.bytes));
}

void user_facts_copy(struct user_facts *to, const struct user_facts *from)
{
    memcpy(to, from,
           offsetof(struct user_facts, proxy_addresses.bytes) + from->proxy_addresses.used_bytes);
}

void requester_facts_copy(struct requester_facts *to, const struct requester_facts *from)
{
    memcpy(to, from,
           offsetof(struct requester_facts, role_template_ids) +
               (size_t)from->n_roles * sizeof from->role_template_ids[0]);
}

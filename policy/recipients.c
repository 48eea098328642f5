/* Who is told, and who may be told a password (contract 3, notify; 5, secret_recipients). */
#include "policy/rules.h"

#include <assert.h>
#include <string.h>

unsigned recipient_word(const char *text)
{
    static const struct {
        const char *word;
        enum recipient_word bit;
    } words[] = {
        {"manager", RECIPIENT_MANAGER},
        {"requester", RECIPIENT_REQUESTER},
        {"user-alternate", RECIPIENT_USER_ALTERNATE},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].word) == 0)
            return words[i].bit;
    return 0;
}

const struct recipients *notify_to_in_force(const struct policy_rules *rules,
                                            const struct restore_request *request)
{
    return request->has_notify_to ? &request->notify_to : &rules->notify_default;
}

unsigned recipients_words(const struct recipients *as_named)
{
    unsigned words = 0;
    for (int i = 0; i < as_named->n; i++)
        words |= recipient_word(as_named->address[i]);
    return words;
}

/* Everything after the first "@" must be the domain, so `"x@evil"@contoso.com` is nobody's. */
static bool may_be_told(const struct policy_rules *rules, const char *recipient)
{
    unsigned word = recipient_word(recipient);
    if (word != 0)
        return (rules->secret_words & word) != 0;
    const char *domain = strchr(recipient, '@');
    for (int i = 0; domain != NULL && i < rules->n_secret_domains; i++)
        if (text_equal_ignore_case(domain, rules->secret_domains[i]))
            return true;
    return false;
}

static bool all_may_be_told(const struct policy_rules *rules, const struct recipients *as_named)
{
    for (int i = 0; i < as_named->n; i++)
        if (!may_be_told(rules, as_named->address[i]))
            return false;
    return true;
}

/* An app never has. */
static bool requester_has_mail(const struct policy_facts *facts)
{
    return facts->request->requested_by.by != NAMED_BY_APP_ID &&
           requester_is_read(facts->rules, facts->request);
}

/* Whether the recipient is somebody, or may still turn out to be: the manager can be read only
 * after the restore, the others when their facts are there. */
static bool may_be_somebody(const struct policy_facts *facts, const char *recipient)
{
    switch (recipient_word(recipient)) {
    case RECIPIENT_MANAGER: return true;
    case RECIPIENT_REQUESTER:
        return facts->requester != NULL ? facts->requester->mail[0] != '\0'
                                        : requester_has_mail(facts);
    case RECIPIENT_USER_ALTERNATE: return facts->target == NULL || facts->target->n_other_mails > 0;
    default: return true;
    }
}

enum reason rule_recipients(const struct policy_facts *facts)
{
    const struct policy_rules *rules = facts->rules;
    const struct recipients *to = notify_to_in_force(rules, facts->request);
    bool generate = password_generate_in_force(rules, facts->request);
    if (generate && (!rules->has_recipient_key || !all_may_be_told(rules, to) ||
                     !all_may_be_told(rules, &facts->request->notify_cc)))
        return REASON_RECIPIENT_NOT_ALLOWED;
    if (!generate && !rules->notify_on_succeeded)
        return REASON_OK;
    for (int i = 0; i < to->n; i++)
        if (may_be_somebody(facts, to->address[i]))
            return REASON_OK;
    return REASON_RECIPIENT_NOT_ALLOWED;
}

static void add(struct recipients *recipients, const char *address)
{
    if (address[0] == '\0' || recipients->n == RECIPIENTS_MAX)
        return;
    for (int i = 0; i < recipients->n; i++)
        if (text_equal_ignore_case(recipients->address[i], address))
            return;
    bool fits = text_copy(recipients->address[recipients->n],
                          sizeof recipients->address[recipients->n], address);
    assert(fits);
    recipients->n++;
}

void recipients_resolve(const struct recipients *as_named, const struct requester_facts *requester,
                        const struct user_facts *user, const char *manager_mail,
                        struct recipients *ret_resolved)
{
    ret_resolved->n = 0;
    for (int i = 0; i < as_named->n; i++) {
        switch (recipient_word(as_named->address[i])) {
        case RECIPIENT_MANAGER: add(ret_resolved, manager_mail); break;
        case RECIPIENT_REQUESTER:
            if (requester != NULL && requester->exists && requester->enabled)
                add(ret_resolved, requester->mail);
            break;
        case RECIPIENT_USER_ALTERNATE:
            for (int m = 0; user != NULL && m < user->n_other_mails; m++)
                add(ret_resolved, user->other_mails[m]);
            break;
        default: add(ret_resolved, as_named->address[i]); break;
        }
    }
}

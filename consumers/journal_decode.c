#include "consumers/journal.h"
#include "policy/time_text.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* ---- keys ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decimal without sign; false when it is anything else or beyond int64_t. */
static bool decimal_read(const char *text, size_t bytes, int64_t *ret_number)
{
    int64_t number = 0;
    if (bytes == 0)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int digit = text[i] - '0';
        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

/* `!<offset>` or `!<offset>#<item>`: the mark, the item (0: none), zeros where a UUID has its
 * version, the offset. */
static bool key_of_offset(const char *text, size_t bytes, struct journal_key *ret_key)
{
    const char *hash = memchr(text, '#', bytes);
    const char *end = hash != NULL ? hash : text + bytes;
    int64_t offset, item = 0;
    if (!decimal_read(text + 1, (size_t)(end - text) - 1, &offset))
        return false;
    if (hash != NULL && (!decimal_read(hash + 1, bytes - (size_t)(hash + 1 - text), &item) ||
                         item < 1 || item > ITEMS_MAX))
        return false;
    *ret_key = (struct journal_key){.bytes = {'!', (uint8_t)item}};
    for (int i = 0; i < 8; i++)
        ret_key->bytes[8 + i] = (uint8_t)(offset >> (8 * (7 - i)));
    return true;
}

bool journal_key_from_text(const char *text, size_t bytes, struct journal_key *ret_key)
{
    if (bytes > 0 && text[0] == '!')
        return key_of_offset(text, bytes, ret_key);
    if (bytes != GUID_CHARS)
        return false;
    int n = 0;
    for (size_t i = 0; i < GUID_CHARS; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return false;
            continue;
        }
        int value = hex_value(text[i]);
        if (value < 0)
            return false;
        uint8_t *byte = &ret_key->bytes[n / 2];
        *byte = (uint8_t)(n % 2 == 0 ? value << 4 : *byte | value);
        n++;
    }
    return true;
}

/* ---- headers ---- */

static const struct record_header *header_find(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->n_headers && i < RECORD_HEADERS_MAX; i++)
        if (strcmp(record->headers[i].name, name) == 0 && record->headers[i].value != NULL)
            return &record->headers[i];
    return NULL;
}

static bool header_is(const struct record_header *header, const char *value)
{
    return header != NULL && header->value_bytes == strlen(value) &&
           memcmp(header->value, value, header->value_bytes) == 0;
}

static bool header_number(const struct record *record, const char *name, int64_t *ret_number)
{
    const struct record_header *header = header_find(record, name);
    return header != NULL && decimal_read(header->value, header->value_bytes, ret_number);
}

/* The record of a dead letter, `!<offset>`, has no request that a digest could be of. */
static bool header_digest(const struct record *record, char ret_digest[DIGEST_CHARS + 1])
{
    const struct record_header *header = header_find(record, "rw-digest");
    ret_digest[0] = '\0';
    if (header == NULL || header->value_bytes == 0)
        return record->key_bytes > 0 && *(const char *)record->key == '!';
    if (header->value_bytes != DIGEST_CHARS)
        return false;
    const char *digits = header->value;
    for (int i = 0; i < DIGEST_CHARS; i++)
        if (hex_value(digits[i]) < 0)
            return false;
    memcpy(ret_digest, digits, DIGEST_CHARS);
    ret_digest[DIGEST_CHARS] = '\0';
    return true;
}

int journal_record_decode(const struct record *record, struct journal_record *ret_decoded)
{
    *ret_decoded = (struct journal_record){.record = record};
    if (record->n_headers > RECORD_HEADERS_MAX || !header_is(header_find(record, "rw-v"), "1"))
        return -EPROTO;
    const struct record_header *state = header_find(record, "rw-state");
    if (header_is(state, "done"))
        ret_decoded->state = JOURNAL_DONE;
    else if (header_is(state, "intent"))
        ret_decoded->state = JOURNAL_INTENT;
    else
        return -EPROTO;
    bool whole = header_number(record, "rw-offset", &ret_decoded->request_offset) &&
                 header_number(record, "rw-time", &ret_decoded->time_ms) &&
                 header_number(record, "rw-started", &ret_decoded->started_ms) &&
                 ret_decoded->time_ms <= TIME_LAST_MS && ret_decoded->started_ms <= TIME_LAST_MS &&
                 header_digest(record, ret_decoded->digest);
    return whole ? 0 : -EPROTO;
}

/* ---- the value of an intent ---- */

struct intent_words {
    const char *policy, *new_name, *template, *addresses, *password, *phase, *refusal;
    const char *holder_id, *holder_from, *holder_to;
};

struct user_words {
    const char *id, *name, *display_name, *mail, *language;
    const char *deleted_at, *password_changed_at, *created_at;
    json_t *proxy_addresses, *other_mails;
    int synced;
};

static bool text_read(const char *text, char *to, size_t to_bytes)
{
    return text == NULL || text_copy(to, to_bytes, text);
}

static bool moment_read(const char *text, int64_t *ret_ms)
{
    return text == NULL || time_parse(text, ret_ms);
}

/* The plan that is in force: a word of another version of this program is no plan we can follow. */
static bool plan_read(const struct intent_words *words, struct intent *ret_intent)
{
    static const char *const phases[] = {
        [INTENT_RESTORE] = "restore", [INTENT_FREE] = "free", [INTENT_UNDO] = "undo"};
    int name_policy = NAME_POLICY_REJECT;
    while (name_policy < NAME_POLICIES &&
           strcmp(words->policy, name_policy_word((enum name_policy)name_policy)) != 0)
        name_policy++;
    int phase = INTENT_RESTORE;
    while (phase <= INTENT_UNDO && strcmp(words->phase, phases[phase]) != 0)
        phase++;
    bool remove = strcmp(words->addresses, address_policy_word(ADDRESS_POLICY_REMOVE)) == 0;
    bool reject = strcmp(words->addresses, address_policy_word(ADDRESS_POLICY_REJECT)) == 0;
    bool generate = strcmp(words->password, password_choice_word(PASSWORD_GENERATE)) == 0;
    bool leave = strcmp(words->password, password_choice_word(PASSWORD_LEAVE)) == 0;
    if (name_policy == NAME_POLICIES || phase > INTENT_UNDO || !(remove || reject) ||
        !(generate || leave))
        return false;
    ret_intent->name_policy = (enum name_policy)name_policy;
    ret_intent->phase = (enum intent_phase)phase;
    ret_intent->address_policy = remove ? ADDRESS_POLICY_REMOVE : ADDRESS_POLICY_REJECT;
    ret_intent->generate_password = generate;
    return text_read(words->new_name, ret_intent->new_user_principal_name,
                     sizeof ret_intent->new_user_principal_name) &&
           text_read(words->template, ret_intent->rename_template,
                     sizeof ret_intent->rename_template);
}

/* Who gives way, and what the job ends with once he has it back. */
static bool holder_read(const struct intent_words *words, struct intent *ret_intent)
{
    if (ret_intent->phase == INTENT_RESTORE)
        return true;
    int refusal = REASON_OK;
    while (words->refusal != NULL && refusal < REASONS &&
           strcmp(words->refusal, reason_code((enum reason)refusal)) != 0)
        refusal++;
    if (refusal == REASONS || (ret_intent->phase == INTENT_UNDO && refusal == REASON_OK))
        return false;
    ret_intent->refusal = (enum reason)refusal;
    return words->holder_id != NULL && words->holder_from != NULL &&
           text_is_guid(words->holder_id) &&
           text_copy(ret_intent->holder.id, sizeof ret_intent->holder.id, words->holder_id) &&
           text_copy(ret_intent->holder.from, sizeof ret_intent->holder.from, words->holder_from) &&
           text_read(words->holder_to, ret_intent->holder.to, sizeof ret_intent->holder.to);
}

static bool addresses_read(const struct user_words *words, struct user_facts *ret_user)
{
    if ((words->proxy_addresses != NULL && !json_is_array(words->proxy_addresses)) ||
        (words->other_mails != NULL && !json_is_array(words->other_mails)))
        return false;
    size_t i;
    json_t *element;
    json_array_foreach(words->proxy_addresses, i, element)
    {
        if (!json_is_string(element))
            return false;
        string_list_add(&ret_user->proxy_addresses, json_string_value(element));
    }
    json_array_foreach(words->other_mails, i, element)
    {
        if (i >= OTHER_MAILS_MAX || !json_is_string(element) ||
            !text_copy(ret_user->other_mails[i], sizeof ret_user->other_mails[i],
                       json_string_value(element)))
            return false;
        ret_user->n_other_mails++;
    }
    return true;
}

static bool user_read(const struct user_words *words, struct user_facts *ret_user)
{
    *ret_user = (struct user_facts){.synced = words->synced != 0};
    return text_read(words->id, ret_user->id, sizeof ret_user->id) && text_is_guid(ret_user->id) &&
           text_read(words->name, ret_user->user_principal_name,
                     sizeof ret_user->user_principal_name) &&
           text_read(words->display_name, ret_user->display_name, sizeof ret_user->display_name) &&
           text_read(words->mail, ret_user->mail, sizeof ret_user->mail) &&
           text_read(words->language, ret_user->preferred_language,
                     sizeof ret_user->preferred_language) &&
           moment_read(words->deleted_at, &ret_user->deleted_at_ms) &&
           moment_read(words->password_changed_at, &ret_user->last_password_change_at_ms) &&
           moment_read(words->created_at, &ret_user->created_at_ms) &&
           addresses_read(words, ret_user);
}

int journal_intent_decode(const struct journal_record *record, struct intent *ret_intent,
                          struct user_facts *ret_user)
{
    const struct record *stored = record->record;
    if (record->state != JOURNAL_INTENT || stored->value == NULL)
        return -EPROTO;
    json_t *root = json_loadb(stored->value, stored->value_bytes, JSON_REJECT_DUPLICATES, NULL);
    struct intent_words plan = {0};
    struct user_words user = {0};
    *ret_intent = (struct intent){.user = ret_user, .started_at_ms = record->started_ms};
    /* Members that are not named here are a later minor version's, and none of our business. */
    bool read =
        root != NULL &&
        json_unpack(root,
                    "{s:{s:s,s?s,s?s,s:s,s:s},s:s,s?s,s?{s?s,s?s,s?s},"
                    "s:{s:s,s?s,s?s,s?s,s?o,s?s,s?b,s?s,s?s,s?o,s?s}}",
                    "plan", "policy", &plan.policy, "newUserPrincipalName", &plan.new_name,
                    "template", &plan.template, "proxyAddresses", &plan.addresses, "password",
                    &plan.password, "phase", &plan.phase, "refusal", &plan.refusal, "holder", "id",
                    &plan.holder_id, "from", &plan.holder_from, "to", &plan.holder_to, "user", "id",
                    &user.id, "userPrincipalName", &user.name, "displayName", &user.display_name,
                    "mail", &user.mail, "proxyAddresses", &user.proxy_addresses, "deletedDateTime",
                    &user.deleted_at, "synced", &user.synced, "lastPasswordChangeDateTime",
                    &user.password_changed_at, "preferredLanguage", &user.language, "otherMails",
                    &user.other_mails, "createdDateTime", &user.created_at) == 0 &&
        plan_read(&plan, ret_intent) && holder_read(&plan, ret_intent) &&
        user_read(&user, ret_user);
    json_decref(root);
    return read ? 0 : -EPROTO;
}

/* ---- what the index says ---- */

enum journal_verdict journal_decide(const struct journal_entry *entry, int64_t request_offset,
                                    int64_t now_wall_ms, int64_t window_ms)
{
    if (entry == NULL)
        return JOURNAL_SAYS_NEW;
    bool done = entry->state == JOURNAL_DONE;
    if (entry->request_offset > request_offset)
        return JOURNAL_SAYS_FINISHED;
    if (entry->request_offset == request_offset)
        return done ? JOURNAL_SAYS_FINISHED : JOURNAL_SAYS_RESUME;
    /* An intent is no outcome: however old it is, somebody began and must finish. */
    return done && now_wall_ms - entry->time_ms > window_ms ? JOURNAL_SAYS_NEW
                                                            : JOURNAL_SAYS_COMPARE;
}

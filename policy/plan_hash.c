#include "policy/plan_hash.h"

#include "policy/digest.h"
#include "policy/time_text.h"

#include <assert.h>
#include <string.h>

/* Each byte of a text may become \u00XX; a conflict has two texts, the rest of the facts nine. */
enum {
    ESCAPE_BYTES = 6,
    CONFLICT_BYTES = ESCAPE_BYTES * (PROXY_ADDRESS_BYTES + GUID_CHARS) + 64,
    TEXT_BYTES = CONFLICTS_MAX * CONFLICT_BYTES + 9 * ESCAPE_BYTES * NAME_BYTES + 512,
};

struct writer {
    size_t used;
    bool comma;
    char text[TEXT_BYTES];
};

static void put(struct writer *out, const char *text, size_t bytes)
{
    assert(bytes <= sizeof out->text - out->used);
    memcpy(out->text + out->used, text, bytes);
    out->used += bytes;
}

static void put_word(struct writer *out, const char *word)
{
    put(out, word, strlen(word));
}

static void put_escaped(struct writer *out, unsigned char c)
{
    static const char plain[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\",
                      hex[] = "0123456789abcdef";
    const char *known = c == '\0' ? NULL : strchr(plain, c);
    char escape[ESCAPE_BYTES] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (known != NULL)
        escape[1] = letters[known - plain];
    put(out, escape, known != NULL ? 2 : sizeof escape);
}

static void put_string(struct writer *out, const char *text)
{
    put_word(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\')
            put_escaped(out, c);
        else
            put(out, text, 1);
    }
    put_word(out, "\"");
}

static void put_name(struct writer *out, const char *name)
{
    put_word(out, out->comma ? ",\"" : "\"");
    put_word(out, name);
    put_word(out, "\":");
    out->comma = true;
}

static void put_member(struct writer *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    put_name(out, name);
    put_string(out, text);
}

static const char *property_word(const struct conflict *conflict)
{
    return conflict->property == CONFLICT_PROXY_ADDRESSES ? "proxyAddresses" : "userPrincipalName";
}

static const char *holder_word(const struct conflict *conflict)
{
    return conflict->holder.type == HOLDER_UNKNOWN ? holder_type_word(HOLDER_UNKNOWN)
                                                   : conflict->holder.id;
}

/* By property, value, holder; bytewise. */
static int compare(const struct conflict *a, const struct conflict *b)
{
    int order = strcmp(property_word(a), property_word(b));
    if (order == 0)
        order = strcmp(a->value, b->value);
    return order != 0 ? order : strcmp(holder_word(a), holder_word(b));
}

static void put_conflicts(struct writer *out, const struct plan_facts *facts)
{
    const struct conflict *sorted[CONFLICTS_MAX];
    assert(facts->n_conflicts <= CONFLICTS_MAX);
    for (int i = 0; i < facts->n_conflicts; i++) {
        int at = i;
        for (; at > 0 && compare(sorted[at - 1], &facts->conflicts[i]) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &facts->conflicts[i];
    }
    put_name(out, "conflicts");
    put_word(out, "[");
    for (int i = 0; i < facts->n_conflicts; i++) {
        put_word(out, i > 0 ? ",{" : "{");
        out->comma = false;
        put_member(out, "holder", holder_word(sorted[i]));
        put_member(out, "property", property_word(sorted[i]));
        put_member(out, "value", sorted[i]->value);
        put_word(out, "}");
    }
    put_word(out, "]");
    out->comma = true;
}

void plan_hash(const struct plan_facts *facts, char ret_hash[PLAN_HASH_CHARS + 1])
{
    struct writer out = {0};
    char deleted_at[TIME_CHARS + 1];
    uint8_t digest[SHA256_BYTES];
    time_format(facts->user->deleted_at_ms, deleted_at);
    put_word(&out, "{");
    put_conflicts(&out, facts);
    put_member(&out, "deletedDateTime", deleted_at);
    put_member(&out, "id", facts->user->id);
    put_member(&out, "newUserPrincipalName", facts->new_user_principal_name);
    put_name(&out, "policies");
    put_word(&out, "{");
    out.comma = false;
    put_member(&out, "proxyAddresses", address_policy_word(facts->address_policy));
    put_member(&out, "userPrincipalName", name_policy_word(facts->name_policy));
    put_word(&out, "}");
    put_member(&out, "renameActiveTo", facts->rename_active_to);
    put_name(&out, "synced");
    put_word(&out, facts->user->synced ? "true" : "false");
    put_member(&out, "tenant", facts->tenant);
    put_member(&out, "userPrincipalName", facts->user->user_principal_name);
    put_name(&out, "v");
    put_word(&out, "1}");
    digest_sha256(out.text, out.used, digest);
    memcpy(ret_hash, "sha256:", sizeof "sha256:");
    digest_hex(digest, sizeof digest, ret_hash + sizeof "sha256:" - 1);
}

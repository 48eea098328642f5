/* Bounded text and lists of text: the only containers the policy has. Nothing here allocates. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GUID_CHARS = 36,     /* 8-4-4-4-12 hex digits, RFC 9562 */
    NAME_BYTES = 113,    /* user principal name, Entra: 64 before and 48 after the "@" */
    ADDRESS_BYTES = 254, /* e-mail address, RFC 5321 4.5.3.1.3 less the angle brackets */
    PROXY_ADDRESS_BYTES = 5 + ADDRESS_BYTES, /* with its scheme: "smtp:" */
    IDENTITY_BYTES = 256,                    /* request source or id (contract 2) */
    REASON_CHARS = 1024,                     /* code points (contract 3) */
    TICKET_CHARS = 128,                      /* code points */
    UTF8_BYTES_PER_CHAR = 4,
    DISPLAY_NAME_BYTES = 1024, /* Entra allows 256 characters */
    TENANT_BYTES = 64,
    LOCALE_BYTES = 35,                  /* BCP 47, RFC 5646 4.4.1 */
    DIGEST_CHARS = 64,                  /* SHA-256 in hex */
    DECIMAL_CHARS = 10,                 /* of an int */
    PLAN_HASH_CHARS = 7 + DIGEST_CHARS, /* sha256:<hex> */
};

/* Copies with the closing zero. False, and to is "", when from does not fit in to_bytes. */
bool text_copy(char *to, size_t to_bytes, const char *from);

/* Splits at the first `at`. False when there is none, or what stands before it is nothing or does
 * not fit into head_bytes with its closing zero. */
bool text_split_at(const char *text, char at, char *ret_head, size_t head_bytes,
                   const char **ret_rest);

/* Compares and lowers ASCII letters only: user names and mail addresses are compared this way. */
bool text_equal_ignore_case(const char *a, const char *b);
bool text_ends_with_ignore_case(const char *text, const char *end);
void text_lower(char *text);
char text_lower_char(char c);

/* number >= 0 */
void text_decimal(int number, char ret_text[DECIMAL_CHARS + 1]);

/* True for 8-4-4-4-12 hex digits of either case, and nothing else. */
bool text_is_guid(const char *text);

/* One e-mail address and nothing beside it: one "@" with something on both sides, and none of the
 * characters that make it two, or a name with an address, in a mail header (RFC 5322 3.4). */
bool text_is_address(const char *text);

/* Strings packed one after the other, each with its zero: proxy addresses of one user. Exchange
 * Online allows 300 of them; what does not fit is counted in `left_out`, never cut in half. The
 * bytes come last so that an owner can start a list without touching its pages. */
enum { STRING_LIST_BYTES = 16384 };
struct string_list {
    uint16_t n;
    uint16_t left_out;
    uint16_t used_bytes;
    char bytes[STRING_LIST_BYTES];
};

void string_list_clear(struct string_list *list);
bool string_list_add(struct string_list *list, const char *text);
/* The next string after `previous` (NULL: the first), NULL at the end. */
const char *string_list_next(const struct string_list *list, const char *previous);
bool string_list_has_ignore_case(const struct string_list *list, const char *text);

/* Where a notification goes: at most five `to` and five `cc` (contract 3). */
enum { RECIPIENTS_MAX = 5 };
struct recipients {
    int n;
    char address[RECIPIENTS_MAX][ADDRESS_BYTES + 1];
};

#endif

#include "policy/text.h"

#include <assert.h>
#include <string.h>

bool text_copy(char *to, size_t to_bytes, const char *from)
{
    assert(to_bytes > 0);
    size_t length = strlen(from);
    if (length >= to_bytes) {
        to[0] = '\0';
        return false;
    }
    memcpy(to, from, length + 1);
    return true;
}

bool text_split_at(const char *text, char at, char *ret_head, size_t head_bytes,
                   const char **ret_rest)
{
    const char *found = strchr(text, at);
    if (found == NULL || found == text || (size_t)(found - text) >= head_bytes)
        return false;
    memcpy(ret_head, text, (size_t)(found - text));
    ret_head[found - text] = '\0';
    *ret_rest = found + 1;
    return true;
}

char text_lower_char(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equal_ignore_case(const char *a, const char *b)
{
    while (*a != '\0' && text_lower_char(*a) == text_lower_char(*b)) {
        a++;
        b++;
    }
    return text_lower_char(*a) == text_lower_char(*b);
}

bool text_ends_with_ignore_case(const char *text, const char *end)
{
    size_t text_length = strlen(text);
    size_t end_length = strlen(end);
    return end_length <= text_length &&
           text_equal_ignore_case(text + (text_length - end_length), end);
}

void text_lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = text_lower_char(*text);
}

bool text_is_guid(const char *text)
{
    if (strlen(text) != GUID_CHARS)
        return false;
    for (int i = 0; i < GUID_CHARS; i++) {
        char c = text_lower_char(text[i]);
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return true;
}

bool text_is_address(const char *text)
{
    const char *sign = strchr(text, '@');
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        if (*at <= ' ' || *at == 0x7f || strchr("<>,;\"", *at) != NULL)
            return false;
    return strlen(text) <= ADDRESS_BYTES && sign != NULL && sign != text && sign[1] != '\0' &&
           strchr(sign + 1, '@') == NULL;
}

void string_list_clear(struct string_list *list)
{
    list->n = 0;
    list->left_out = 0;
    list->used_bytes = 0;
}

bool string_list_add(struct string_list *list, const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (bytes > sizeof list->bytes - list->used_bytes) {
        if (list->left_out < UINT16_MAX)
            list->left_out++;
        return false;
    }
    memcpy(list->bytes + list->used_bytes, text, bytes);
    list->used_bytes = (uint16_t)(list->used_bytes + bytes);
    list->n++;
    return true;
}

const char *string_list_next(const struct string_list *list, const char *previous)
{
    const char *next = previous == NULL ? list->bytes : previous + strlen(previous) + 1;
    return next < list->bytes + list->used_bytes ? next : NULL;
}

bool string_list_has_ignore_case(const struct string_list *list, const char *text)
{
    for (const char *s = NULL; (s = string_list_next(list, s)) != NULL;)
        if (text_equal_ignore_case(s, text))
            return true;
    return false;
}

void text_decimal(int number, char ret_text[DECIMAL_CHARS + 1])
{
    char reversed[DECIMAL_CHARS];
    int n = 0;
    do {
        reversed[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (int i = 0; i < n; i++)
        ret_text[i] = reversed[n - 1 - i];
    ret_text[n] = '\0';
}

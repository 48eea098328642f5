#include "policy/utf8.h"

size_t utf8_sequence(const unsigned char *text, size_t bytes)
{
    /* by lead byte: length, and the range of the second byte that rules out longer forms than
     * needed, surrogates and what lies beyond U+10FFFF (RFC 3629 4) */
    static const struct {
        unsigned char first, last, length, low, high;
    } LEADS[] = {
        {0x00, 0x7f, 1, 0x80, 0xbf}, {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
        {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
    };
    for (size_t i = 0; i < sizeof LEADS / sizeof LEADS[0]; i++) {
        if (text[0] < LEADS[i].first || text[0] > LEADS[i].last)
            continue;
        size_t length = LEADS[i].length;
        if (length > bytes || (length > 1 && (text[1] < LEADS[i].low || text[1] > LEADS[i].high)))
            return 0;
        for (size_t k = 2; k < length; k++)
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        return length;
    }
    return 0;
}

bool utf8_is_valid(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    while (bytes > 0) {
        size_t length = utf8_sequence(at, bytes);
        if (length == 0)
            return false;
        at += length;
        bytes -= length;
    }
    return true;
}

size_t utf8_count(const char *text, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

bool utf8_has_control(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0; i < bytes; i++) {
        bool c1 = at[i] == 0xc2 && i + 1 < bytes && at[i + 1] < 0xa0;
        if (at[i] < 0x20 || at[i] == 0x7f || c1)
            return true;
    }
    return false;
}

#include "policy/fold.h"

#include "policy/text.h"
#include "policy/utf8.h"

#include <stddef.h>
#include <stdint.h>

/* Unicode's CaseFolding.txt (status C) for the blocks that people of Europe have in their names.
 * `apart`: how far the small letter is from the capital; 1: they take turns, `first` a capital. */
static const struct {
    uint32_t first, last, apart;
} blocks[] = {
    {'A', 'Z', 32},      {0xc0, 0xd6, 32},   {0xd8, 0xde, 32},   {0x100, 0x12f, 1},
    {0x132, 0x137, 1},   {0x139, 0x148, 1},  {0x14a, 0x177, 1},  {0x179, 0x17e, 1},
    {0x391, 0x3a1, 32},  {0x3a3, 0x3ab, 32}, {0x400, 0x40f, 80}, {0x410, 0x42f, 32},
    {0x1e00, 0x1e95, 1},
};

static uint32_t fold(uint32_t c)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (c < blocks[i].first || c > blocks[i].last)
            continue;
        bool is_small = blocks[i].apart == 1 && (c - blocks[i].first) % 2 == 1;
        return is_small ? c : c + blocks[i].apart;
    }
    return c;
}

/* The next code point, folded; a byte of no sequence stands for itself, beyond Unicode. */
static uint32_t next(const unsigned char **at)
{
    static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *text = *at;
    size_t length = utf8_sequence(text, UTF8_BYTES_PER_CHAR);
    if (length == 0) {
        *at = text + 1;
        return 0x110000U + text[0];
    }
    uint32_t c = text[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (text[i] & 0x3f);
    *at = text + length;
    return fold(c);
}

static bool begins_with(const unsigned char *text, const unsigned char *part)
{
    while (*part != '\0')
        if (*text == '\0' || next(&text) != next(&part))
            return false;
    return true;
}

bool fold_contains(const char *text, const char *part)
{
    const unsigned char *at = (const unsigned char *)text;
    do {
        if (begins_with(at, (const unsigned char *)part))
            return true;
    } while (*at != '\0' && (next(&at), true));
    return false;
}

/* Text of strangers: what is asked of it before it is taken, or written. */
#ifndef POLICY_UTF8_H
#define POLICY_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the sequence that `text` begins with, 0: it is none (RFC 3629 4: shortest form only, no
 * surrogates, nothing above U+10FFFF). Of text that ends in a zero, UTF8_BYTES_PER_CHAR may be
 * given for `bytes`: the zero ends a sequence that is cut, and nothing behind it is read. */
size_t utf8_sequence(const unsigned char *text, size_t bytes);
bool utf8_is_valid(const char *text, size_t bytes);

/* Of valid UTF-8: code points, and whether one is a control character (C0, DEL, C1; the zero
 * byte is one). */
size_t utf8_count(const char *text, size_t bytes);
bool utf8_has_control(const char *text, size_t bytes);

#endif

/* Text of strangers: what json_in and cloudevent_in ask of it before they take it. */
#ifndef CONSUMERS_UTF8_H
#define CONSUMERS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 3629: shortest form only, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text, size_t bytes);

/* Of valid UTF-8: code points, and whether one is a control character (C0, DEL, C1; the zero
 * byte is one). */
size_t utf8_count(const char *text, size_t bytes);
bool utf8_has_control(const char *text, size_t bytes);

#endif

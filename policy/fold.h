/* Text found whatever its case, for people who search for a name. */
#ifndef POLICY_FOLD_H
#define POLICY_FOLD_H

#include <stdbool.h>

/* Whether `part` stands somewhere in `text`; "" does. Letters of either case are the same in ASCII,
 * Latin-1, Latin Extended-A, Greek and Cyrillic: one code point for one, so that no table of
 * Unicode is needed. What is no UTF-8 is compared byte for byte. */
bool fold_contains(const char *text, const char *part);

#endif

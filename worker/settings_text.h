/* A configuration file's text on its way to libconfig 1.5, which turns an integer beyond 32 bits
 * into another one without a word (measured: 3000000000 -> -1294967296). */
#ifndef WORKER_SETTINGS_TEXT_H
#define WORKER_SETTINGS_TEXT_H

/* Owned by the caller (free). -errno; -EFBIG: longer than SETTING_FILE_BYTES_MAX; -EILSEQ: a zero
 * byte, behind which libconfig would read nothing. */
int settings_text_read(const char *path, char **ret_text);

/* The same text, lines unchanged, with every integer marked as a 64-bit one. NULL, and line and
 * sentence: a number too long for that, or an @include (which would hide from which file a value
 * came; conf.d is for that), or no memory. Owned by the caller. */
char *settings_text_widen(const char *text, unsigned *ret_line, const char **reterr);

#endif

/* New passwords, for a person to type once: 16 characters of four classes, without those that are
 * easily taken for another. Any thread. */
#ifndef WORKER_PASSWORD_H
#define WORKER_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Entra takes 8 to 256 characters of three classes; 16 of these are about 86 bits. */
enum { PASSWORD_CHARS = 16 };

/* Random bytes from the kernel. -errno of getrandom(2). The caller clears it with password_clear,
 * also on every copy. */
int password_generate(char ret_password[PASSWORD_CHARS + 1]);
/* Survives the optimiser. */
void password_clear(char *password, size_t bytes);

/* A password out of the bytes that `read_bytes` gives (0 or -errno), however many it takes. */
int password_make(int (*read_bytes)(void *context, uint8_t *ret_bytes, size_t n), void *context,
                  char ret_password[PASSWORD_CHARS + 1]);
/* A byte as an index below n, each equally likely. False: a byte of the uneven rest, to be thrown
 * away, because byte % n would favour small indices. 1 <= n <= 256. */
bool password_index(uint8_t byte, unsigned n, unsigned *ret_index);

#endif

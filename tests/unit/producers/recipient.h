/* A mail service with a key pair of its own. */
#ifndef TESTS_UNIT_PRODUCERS_RECIPIENT_H
#define TESTS_UNIT_PRODUCERS_RECIPIENT_H

#include "producers/jwe.h"

#include <jansson.h>

struct recipient {
    json_t *private_key;
    struct recipient_key *key; /* as the worker has it */
};

void recipient_make(struct recipient *recipient);
void recipient_free(struct recipient *recipient);
/* The plaintext, to be freed; NULL when it cannot be opened. */
char *recipient_open(const struct recipient *recipient, const char *compact);

/* A temporary file; the path goes to recipient_remove_file. */
char *recipient_write_file(const char *text);
void recipient_remove_file(char *path);

#endif

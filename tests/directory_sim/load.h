/* The load format (README.md), read at start and by POST /admin/users. */
#ifndef DIRECTORY_SIM_LOAD_H
#define DIRECTORY_SIM_LOAD_H

#include <jansson.h>
#include <stdbool.h>

struct sim;
struct tenant;

enum { LOAD_ERROR_BYTES = 256 };

/* False: `error` says what is wrong and where; what came before it is loaded. */
bool load_directory(struct sim *sim, const json_t *root, char error[LOAD_ERROR_BYTES]);
/* Adds the objects of one tenant: users, groups, contacts, servicePrincipals, generate. */
bool load_objects(struct sim *sim, struct tenant *tenant, const json_t *from,
                  char error[LOAD_ERROR_BYTES]);

#endif

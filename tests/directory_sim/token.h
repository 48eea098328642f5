/* The token endpoint, and the tokens it gave. */
#ifndef DIRECTORY_SIM_TOKEN_H
#define DIRECTORY_SIM_TOKEN_H

#include "tests/directory_sim/index.h"

struct call;
struct sim;
struct tenant;

enum { TOKENS_MAX = 100000 }; /* when full, all are forgotten: clients fetch new ones on 401 */

struct tokens {
    struct index by_text;
};

/* POST /{tenant}/oauth2/v2.0/token, client credentials (directory-api 6). */
void token_issue(struct sim *sim, struct call *call);
/* GET /metadata/identity/oauth2/token: of the tenant whose client_id is asked for, else the first.
 * Its numbers are strings. */
void token_identity(struct sim *sim, struct call *call);
/* The tenant of a living token, else NULL. */
struct tenant *token_tenant(const struct sim *sim, const char *authorization);
void tokens_expire(struct tokens *tokens);

#endif

/* The tests' own door: /admin/…, without a token, JSON both ways. See README.md. */
#ifndef DIRECTORY_SIM_ADMIN_H
#define DIRECTORY_SIM_ADMIN_H

struct call;
struct sim;

void admin_serve(struct sim *sim, struct call *call);

#endif

/* Graph's paths: the route table, and what every handler answers with. */
#ifndef DIRECTORY_SIM_GRAPH_H
#define DIRECTORY_SIM_GRAPH_H

#include "tests/directory_sim/sim.h"

struct route {
    const char *method;
    const char *pattern; /* "{}" is the one variable part */
    void (*serve)(struct sim *sim, struct call *call);
    bool open; /* needs no token */
};

size_t route_number(const struct route *route); /* ROUTES_MAX for NULL */
const struct route *route_at(size_t number);    /* NULL behind the last */
/* The value of "{}" (to be freed; "" without one), or NULL when the path does not fit. */
char *pattern_match(const char *pattern, const char *path);

/* Route, tenant, user and ids: everything faults and the log go by. */
void graph_identify(struct sim *sim, struct call *call);
void graph_serve(struct sim *sim, struct call *call);

/* Replies. Each sets the status and writes the whole body. */
__attribute__((format(printf, 4, 5))) void reply_error(struct call *call, int status,
                                                       const char *code, const char *format, ...);
/* Date, ids and content type; what the call has already stays unless named alike. */
void reply_standard_headers(struct sim *sim, struct call *call);
void reply_not_found(struct call *call, const char *id);
void reply_clash(struct call *call, const char *property);
/* Opens "{" with @odata.context "$metadata#<what>", the selection and "/$entity" as asked. */
void reply_context(struct call *call, const char *what, bool entity);
/* One object; as_object: as a directoryObject, with its @odata.type. */
void reply_entry(struct call *call, const struct entry *entry, property_mask mask, bool as_object);
/* False: answered with 400 for an unknown property or an $expand that is not known here. */
bool reply_selection(struct call *call, enum entry_kind kind, property_mask *mask);
/* GET of a collection with all its query options; `bin`: the deleted ones. */
void reply_collection(struct call *call, enum entry_kind kind, bool bin);
bool call_is_advanced(const struct call *call);

/* Handlers. */
void bin_list(struct sim *sim, struct call *call);
void bin_get(struct sim *sim, struct call *call);
void bin_get_object(struct sim *sim, struct call *call);
void bin_restore(struct sim *sim, struct call *call);
void bin_purge(struct sim *sim, struct call *call);
void users_list(struct sim *sim, struct call *call);
void user_get(struct sim *sim, struct call *call);
void user_patch(struct sim *sim, struct call *call);
void user_remove(struct sim *sim, struct call *call);
void user_manager(struct sim *sim, struct call *call);
/* "memberOf": [...], as $expand=memberOf($select=id) shows it: 20 objects at most. */
void user_memberships_write(struct call *call, const struct entry *user);
void user_roles(struct sim *sim, struct call *call);
void user_roles_transitive(struct sim *sim, struct call *call);
void assignments_list(struct sim *sim, struct call *call);
void groups_list(struct sim *sim, struct call *call);
void contacts_list(struct sim *sim, struct call *call);
void principals_list(struct sim *sim, struct call *call);
void principal_get(struct sim *sim, struct call *call);
void organization_list(struct sim *sim, struct call *call);

#endif

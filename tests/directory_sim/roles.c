/* Directory roles, and the small collections beside the users. */
#include "tests/directory_sim/filter.h"
#include "tests/directory_sim/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPANDED_MAX = 20 }; /* directory objects that $expand shows of a relationship */

/* Template ids and names of the roles a worker may meet (directory-api 5). */
static const char *role_name(const char *template_id)
{
    static const struct {
        const char *template_id, *name;
    } roles[] = {
        {"62e90394-69f5-4237-9190-012177145e10", "Global Administrator"},
        {"fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator"},
        {"7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator"},
        {"c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator"},
        {"e8611ab8-c189-46e8-94e1-60213ab1f814", "Privileged Role Administrator"},
        {"729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"},
        {"966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator"},
        {"fdd7a751-b60b-444a-984c-02652fe8fa1c", "Groups Administrator"},
        {"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"},
    };
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (text_same(roles[i].template_id, template_id))
            return roles[i].name;
    }
    return "Custom Role";
}

static void rows_open(struct call *call, const char *set)
{
    reply_context(call, set, false);
    json_key(&call->reply, "value");
    buffer_text(&call->reply, "[");
}

static void row_write(struct call *call, const struct role_row *row, property_mask mask)
{
    json_comma(&call->reply);
    buffer_text(&call->reply, "{");
    property_write(&call->reply, row, mask);
    buffer_text(&call->reply, "}");
}

/* The object's own id is the tenant's and must not be taken for the template's, so its first digits
 * differ. */
static void tenant_id_write(char id[REQUEST_ID_BYTES], const char *digits, const char *template_id)
{
    snprintf(id, REQUEST_ID_BYTES, "%s%s", digits, template_id + strcspn(template_id, "-"));
}

void user_memberships_write(struct call *call, const struct entry *user)
{
    struct buffer *reply = &call->reply;
    int n = 0;
    json_key(reply, "memberOf");
    buffer_text(reply, "[");
    for (size_t i = 0; i < user->n_roles && n < EXPANDED_MAX; i++) {
        const struct role *role = &user->roles[i];
        if (role->way == ROLE_SCOPED)
            continue;
        bool group = role->way == ROLE_VIA_GROUP; /* the group is the membership */
        char id[REQUEST_ID_BYTES];
        tenant_id_write(id, group ? "e1e1e1e1" : "d1d1d1d1", role->template_id);
        json_comma(reply);
        buffer_text(reply, "{");
        json_pair(reply, "@odata.type", kind_type(group ? KIND_GROUP : KIND_ROLE));
        json_pair(reply, "id", id);
        buffer_text(reply, "}");
        n++;
    }
    buffer_text(reply, "]");
}

/* Scoped roles are no memberships and never shown here (directory-api 5). */
static void roles_reply(struct sim *sim, struct call *call, bool transitive)
{
    property_mask mask;
    const struct entry *user = tenant_find_user(call->tenant, call->capture, sim->mono_ms);
    if (!user) {
        reply_not_found(call, call->capture);
        return;
    }
    if (!reply_selection(call, KIND_ROLE, &mask))
        return;
    rows_open(call, "directoryRoles");
    for (size_t i = 0; i < user->n_roles; i++) {
        const struct role *role = &user->roles[i];
        if (role->way == ROLE_SCOPED || (role->way == ROLE_VIA_GROUP && !transitive))
            continue;
        char id[REQUEST_ID_BYTES];
        tenant_id_write(id, "d1d1d1d1", role->template_id);
        struct role_row row = {.id = id,
                               .display_name = role_name(role->template_id),
                               .template_id = role->template_id};
        row_write(call, &row, mask);
    }
    buffer_text(&call->reply, "]}");
}

void user_roles(struct sim *sim, struct call *call)
{
    roles_reply(sim, call, false);
}

void user_roles_transitive(struct sim *sim, struct call *call)
{
    roles_reply(sim, call, true);
}

/* $filter=principalId eq '…' only; a deleted principal keeps its assignments. Roles won through a
 * group carry the group's id and are not found this way (directory-api 5). */
void assignments_list(struct sim *sim, struct call *call)
{
    (void)sim;
    property_mask mask;
    struct filter filter;
    const char *text = call_query(call, "$filter");
    if (!text || !filter_parse(KIND_ASSIGNMENT, text, &filter) || filter.n != 1 ||
        filter.term[0].op != FILTER_EQ ||
        strcmp(filter.term[0].property->name, "principalId") != 0) {
        reply_error(call, 400, "Request_UnsupportedQuery", "Unsupported or invalid query filter.");
        return;
    }
    if (!reply_selection(call, KIND_ASSIGNMENT, &mask))
        return;
    const struct entry *user = tenant_find(call->tenant, filter.term[0].text);
    rows_open(call, "roleManagement/directory/roleAssignments");
    for (size_t i = 0; user && user->state != STATE_GONE && i < user->n_roles; i++) {
        const struct role *role = &user->roles[i];
        char id[64];
        snprintf(id, sizeof id, "%.36s-%zu", user->id, i);
        struct role_row row = {.id = id,
                               .template_id = role->template_id,
                               .principal_id = user->id,
                               .scope = role->scope ? role->scope : "/"};
        if (role->way != ROLE_VIA_GROUP)
            row_write(call, &row, mask);
    }
    buffer_text(&call->reply, "]}");
}

void groups_list(struct sim *sim, struct call *call)
{
    (void)sim;
    reply_collection(call, KIND_GROUP, false);
}

void contacts_list(struct sim *sim, struct call *call)
{
    (void)sim;
    reply_collection(call, KIND_CONTACT, false);
}

void principals_list(struct sim *sim, struct call *call)
{
    (void)sim;
    reply_collection(call, KIND_SERVICE_PRINCIPAL, false);
}

void principal_get(struct sim *sim, struct call *call)
{
    (void)sim;
    property_mask mask;
    struct index_node *node = index_first(&call->tenant->by_app_id, call->capture);
    if (!node) {
        reply_not_found(call, call->capture);
        return;
    }
    if (!reply_selection(call, KIND_SERVICE_PRINCIPAL, &mask))
        return;
    reply_context(call, "servicePrincipals", true);
    property_write(&call->reply, node->value, mask);
    buffer_text(&call->reply, "}");
}

/* The tenant's only organisation: id, name and domains, whatever $select says. */
void organization_list(struct sim *sim, struct call *call)
{
    (void)sim;
    const struct tenant *tenant = call->tenant;
    struct buffer *reply = &call->reply;
    rows_open(call, "organization");
    buffer_text(reply, "{");
    json_pair(reply, "id", "0a0a0a0a-0000-4000-8000-000000000000");
    json_pair(reply, "displayName", tenant->display_name ? tenant->display_name : tenant->id);
    json_key(reply, "verifiedDomains");
    buffer_text(reply, "[");
    for (size_t i = 0; i < tenant->domains.n; i++) {
        json_comma(reply);
        buffer_format(reply, "{\"isDefault\":%s", i ? "false" : "true");
        json_pair(reply, "name", tenant->domains.at[i]);
        buffer_text(reply, "}");
    }
    buffer_text(reply, "]}]}");
}

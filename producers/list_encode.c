#include "producers/list_encode.h"

void list_encode(struct json_out *out, const struct user_list *list)
{
    json_out_open_array(out, "users");
    for (int i = 0; i < list->n; i++) {
        const struct listed_user *user = &list->users[i];
        json_out_open_object(out, NULL);
        json_out_text(out, "id", user->id);
        json_out_text(out, "userPrincipalName", user->user_principal_name);
        json_out_text(out, "displayName", user->display_name);
        json_out_time(out, "deletedAt", user->deleted_at_ms);
        json_out_time(out, "restorableUntil", user->restorable_until_ms);
        json_out_bool(out, "synced", user->synced);
        json_out_close_object(out);
    }
    json_out_close_array(out);
    json_out_bool(out, "truncated", list->truncated);
}

#include "policy/user_list.h"

#include "policy/fold.h"
#include "policy/time_text.h"

#include <string.h>

void user_list_clear(struct user_list *list)
{
    memset(list, 0, offsetof(struct user_list, users));
}

static const char *keep(struct user_list *list, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = memcpy(list->bytes + list->used_bytes, text, bytes);
    list->used_bytes += bytes;
    return kept;
}

/* A list that changes between two pages may repeat a row. */
static bool is_there(const struct user_list *list, const char *id)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->users[i].id, id) == 0)
            return true;
    return false;
}

void user_list_take(struct user_list *list, const struct list_wish *wish,
                    const struct listed_user *user)
{
    int64_t until_ms = user->deleted_at_ms + wish->retention_ms;
    if (list->complete || until_ms <= wish->now_ms)
        return;
    if (until_ms > wish->until_ms) {
        list->complete = true;
        return;
    }
    bool matches = fold_contains(user->user_principal_name, wish->match) ||
                   fold_contains(user->display_name, wish->match);
    if (!matches || is_there(list, user->id))
        return;
    size_t bytes =
        strlen(user->id) + strlen(user->user_principal_name) + strlen(user->display_name) + 3;
    if (list->n == LISTED_MAX || bytes > sizeof list->bytes - list->used_bytes) {
        list->complete = list->truncated = true;
        return;
    }
    list->users[list->n++] = (struct listed_user){
        .id = keep(list, user->id),
        .user_principal_name = keep(list, user->user_principal_name),
        .display_name = keep(list, user->display_name),
        .deleted_at_ms = user->deleted_at_ms,
        .restorable_until_ms = until_ms < TIME_LAST_MS ? until_ms : TIME_LAST_MS,
        .synced = user->synced,
    };
}

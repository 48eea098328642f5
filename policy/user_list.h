/* Deleted users who can be restored, nearest deadline first: the answer to mode `list` (contract
 * 3). A value of 70 KB of which only the used part is touched; whoever asks owns it. */
#ifndef POLICY_USER_LIST_H
#define POLICY_USER_LIST_H

#include "policy/text.h"

enum {
    LISTED_MAX = 200,
    LISTED_BYTES = 64 * 1024, /* room for 200 names of 300 bytes */
};

/* Who is wanted. */
struct list_wish {
    char match[NAME_BYTES + 1]; /* part of a name or display name, in any case; "": everybody */
    int64_t retention_ms;       /* how long after the deletion a user can be restored */
    int64_t now_ms;             /* directory clock: whose deadline is past is not wanted */
    int64_t until_ms;           /* latest deadline */
};

struct listed_user {
    const char *id, *user_principal_name, *display_name; /* in the list's bytes */
    int64_t deleted_at_ms, restorable_until_ms;
    bool synced;
};

struct user_list {
    int n;
    bool complete; /* nobody of those who come later is wanted */
    bool truncated;
    size_t used_bytes;
    struct listed_user users[LISTED_MAX];
    char bytes[LISTED_BYTES];
};

void user_list_clear(struct user_list *list);
/* Takes the user in, with copies of its texts, unless the wish says otherwise. Users come in the
 * order of their deletion, which is that of their deadlines. */
void user_list_take(struct user_list *list, const struct list_wish *wish,
                    const struct listed_user *user);

#endif

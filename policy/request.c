#include "policy/request.h"

#include "policy/digest.h"

#include <assert.h>
#include <string.h>

static const char *const request_modes[] = {
    [MODE_RESTORE] = "restore",
    [MODE_PLAN] = "plan",
    [MODE_LIST] = "list",
};

static const char *const name_policies[NAME_POLICIES] = {
    [NAME_POLICY_ABSENT] = "",
    [NAME_POLICY_REJECT] = "reject",
    [NAME_POLICY_RENAME_RESTORED] = "rename-restored",
    [NAME_POLICY_RENAME_ACTIVE] = "rename-active",
    [NAME_POLICY_REPLACE_ACTIVE] = "replace-active",
};

static const char *const address_policies[] = {
    [ADDRESS_POLICY_ABSENT] = "",
    [ADDRESS_POLICY_REMOVE] = "remove",
    [ADDRESS_POLICY_REJECT] = "reject",
};

static const char *const password_choices[] = {
    [PASSWORD_ABSENT] = "",
    [PASSWORD_GENERATE] = "generate",
    [PASSWORD_LEAVE] = "leave",
};

const char *request_mode_word(enum request_mode mode)
{
    assert(mode <= MODE_LIST);
    return request_modes[mode];
}

const char *name_policy_word(enum name_policy policy)
{
    assert(policy < NAME_POLICIES);
    return name_policies[policy];
}

const char *address_policy_word(enum address_policy policy)
{
    assert(policy <= ADDRESS_POLICY_REJECT);
    return address_policies[policy];
}

const char *password_choice_word(enum password_choice choice)
{
    assert(choice <= PASSWORD_LEAVE);
    return password_choices[choice];
}

void request_user_in_ids(const struct restore_request *request,
                         char ret_user[USER_IN_IDS_BYTES + 1])
{
    memcpy(ret_user, request->user.text, sizeof request->user.text);
    if (request->occurrence >= 2) {
        char *end = ret_user + strlen(ret_user);
        *end++ = '#';
        text_decimal(request->occurrence, end);
    }
}

void request_uuid(const struct restore_request *request, const char *kind,
                  char ret_uuid[GUID_CHARS + 1])
{
    enum { SOURCE, ID, USER, KIND, PARTS };
    char user[USER_IN_IDS_BYTES + 1];
    request_user_in_ids(request, user);
    const char *const parts[PARTS] = {
        [SOURCE] = request->envelope.source,
        [ID] = request->envelope.id,
        [USER] = user,
        [KIND] = kind,
    };
    digest_uuid5(parts, PARTS, USER, ret_uuid);
}

#include "worker/restorectl/printer.h"

#include <inttypes.h>
#include <string.h>

enum { DAY_SECONDS = 86400, HOUR_SECONDS = 3600 };

/* What the codes of `todo` ask of somebody (contract 4). */
static const struct {
    const char *code, *text;
} todos[] = {
    {"sign_in_disabled", "sign-in is disabled: enable it if the person is to work again"},
    {"no_licence", "no licence is assigned: mailbox and apps need one"},
    {"password_not_set", "no new password was set: set one by hand if the old one is not known"},
    {"not_yet_visible", "not visible everywhere yet: look again in some minutes"},
    {"restored_administrator", "holds a directory role again: check that this is meant"},
    {"was_synchronised", "was synchronised from on premises: match it there, or it may go again"},
    {"needs_hands", "look at the account in the directory: how it stands is not certain"},
};

/* Texts come from outside and are cleaned; what is around them is ours. */
static void line(FILE *out, const char *lead, const char *text, const char *tail)
{
    fputs(lead, out);
    print_clean(out, text);
    fputs(tail, out);
}

static void put_user(FILE *out, const json_t *data)
{
    const json_t *user = json_object_get(data, "user");
    const char *name = text_of(user, "userPrincipalName");
    const char *id = text_of(user, "id");
    print_clean(out, *name != '\0' ? name : *id != '\0' ? id : text_of(data, "requestId"));
    if (*name != '\0' && *id != '\0')
        line(out, " (", id, ")");
}

static void put_todo(FILE *out, const json_t *data)
{
    size_t i;
    json_t *todo;
    json_array_foreach(json_object_get(data, "todo"), i, todo)
    {
        const char *code = json_string_value(todo);
        const char *text = code;
        for (size_t k = 0; code != NULL && k < sizeof todos / sizeof todos[0]; k++)
            if (strcmp(code, todos[k].code) == 0)
                text = todos[k].text;
        line(out, "  to do: ", text, "\n");
    }
}

static void put_time_left(FILE *out, const json_t *data)
{
    json_int_t seconds = json_integer_value(json_object_get(data, "secondsLeft"));
    if (seconds >= 2 * DAY_SECONDS)
        fprintf(out, "  %" PRId64 " days left", (int64_t)seconds / DAY_SECONDS);
    else if (seconds > 0)
        fprintf(out, "  %" PRId64 " hours left", (int64_t)seconds / HOUR_SECONDS);
    else
        return;
    line(out, ", until ", text_of(data, "restorableUntil"), "\n");
}

static void put_renamed(FILE *out, const char *who, const json_t *name)
{
    if (name == NULL)
        return;
    line(out, who, text_of(name, "from"), "");
    line(out, " -> ", text_of(name, "to"), "\n");
}

/* As participles: a plan's are still to come. */
static void put_changes(FILE *out, const json_t *data)
{
    const json_t *changes = json_object_get(data, "changes");
    const json_t *replaced = json_object_get(changes, "replacedActiveUser");
    size_t i;
    json_t *address;
    put_renamed(out, "  renamed: ", json_object_get(changes, "userPrincipalName"));
    put_renamed(out,
                "  renamed, who had the name: ", json_object_get(changes, "renamedActiveUser"));
    if (replaced != NULL)
        line(out, "  deleted, who had the name: ", text_of(replaced, "id"), "\n");
    json_array_foreach(json_object_get(changes, "removedProxyAddresses"), i, address)
        line(out, "  lost to another account: ", json_string_value(address), "\n");
    if (strcmp(text_of(changes, "password"), "generated") == 0)
        fputs("  given a new password, which is handed on and must be changed at sign-in\n", out);
}

static void put_conflict(FILE *out, const json_t *data)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(data, "conflicts"), i, item)
    {
        const json_t *holder = json_object_get(item, "holder");
        line(out, "  ", text_of(item, "property"), " ");
        line(out, "", text_of(item, "value"), " is held by ");
        if (json_is_object(holder)) {
            const char *name = text_of(holder, "userPrincipalName");
            line(out, "", text_of(holder, "displayName"), " (");
            line(out, "", *name != '\0' ? name : text_of(holder, "type"), ", ");
            line(out, "", text_of(holder, "id"), ")\n");
        } else {
            fputs("an account that was not found\n", out);
        }
    }
    json_array_foreach(json_object_get(data, "resolutions"), i, item)
    {
        const char *policy = text_of(item, "policy");
        if (strcmp(policy, "remove") == 0)
            fputs("  next: the event's request \"remove\" restores without these addresses\n", out);
        else if (*policy != '\0' && strcmp(policy, "reject") != 0)
            line(out, "  next: restore again with --on-name-conflict ", policy, "\n");
    }
    put_time_left(out, data);
}

static void put_code(FILE *out, const json_t *data)
{
    line(out, ", ", text_of(data, "code"), ": ");
    line(out, "", text_of(data, "message"), "\n");
}

static void put_failed(FILE *out, const json_t *data)
{
    const json_t *error = json_object_get(data, "directoryError");
    size_t i;
    json_t *candidate;
    if (error != NULL) {
        line(out, "  the directory said: ", text_of(error, "code"), "");
        fprintf(out, " (%" PRId64 ")\n",
                (int64_t)json_integer_value(json_object_get(error, "status")));
    }
    json_array_foreach(json_object_get(data, "candidates"), i, candidate)
    {
        line(out, "  candidate: ", text_of(candidate, "id"), "");
        line(out, " ", text_of(candidate, "userPrincipalName"), "");
        line(out, " ", text_of(candidate, "deletedAt"), "\n");
    }
    put_changes(out, data); /* with needs_hands: what was done and stays */
    if (*text_of(data, "hint") != '\0')
        line(out, "  next: ", text_of(data, "hint"), "\n");
    put_todo(out, data);
    put_time_left(out, data);
}

static void put_planned(FILE *out, const json_t *data)
{
    const char *would = text_of(data, "would");
    if (strcmp(would, "restore") == 0) {
        fputs(strcmp(text_of(data, "disposition"), "already-active") == 0
                  ? ": is active already, nothing would be changed\n"
                  : ": would be restored\n",
              out);
        put_changes(out, data);
        put_todo(out, data);
        put_time_left(out, data);
    } else if (strcmp(would, "conflict") == 0) {
        fputs(": would be a conflict\n", out);
        put_conflict(out, data);
    } else {
        fputs(": would fail", out);
        put_code(out, data);
        put_failed(out, data);
    }
    if (*text_of(data, "planHash") != '\0')
        line(out, "  plan: ", text_of(data, "planHash"), "\n");
}

static int64_t number(const json_t *data, const char *name)
{
    return json_integer_value(json_object_get(data, name));
}

static void put_batch(FILE *out, const json_t *data)
{
    size_t i;
    json_t *failure;
    line(out, "", text_of(data, "requestId"), "");
    fprintf(out,
            ": %" PRId64 " users: %" PRId64 " succeeded, %" PRId64 " in conflict, %" PRId64
            " failed\n",
            number(data, "total"), number(data, "succeeded"), number(data, "conflicts"),
            number(data, "failed"));
    json_array_foreach(json_object_get(data, "failures"), i, failure)
    {
        const char *code = text_of(failure, "code");
        fputs("  ", out);
        put_user(out, failure);
        line(out, ": ", text_of(failure, "kind"), *code != '\0' ? ", " : "\n");
        if (*code != '\0')
            line(out, "", code, "\n");
    }
}

void event_print_text(const struct event *event, FILE *out)
{
    const json_t *data = event->data;
    if (event->kind != EVENT_BATCH_COMPLETED)
        put_user(out, data);
    switch (event->kind) {
    case EVENT_SUCCEEDED:
        fputs(strcmp(text_of(data, "disposition"), "restored") == 0
                  ? ": restored\n"
                  : ": was active already, nothing was changed\n",
              out);
        put_changes(out, data);
        put_todo(out, data);
        break;
    case EVENT_CONFLICT:
        fputs(": conflict, not restored\n", out);
        put_conflict(out, data);
        break;
    case EVENT_FAILED:
        fputs(": failed", out);
        put_code(out, data);
        put_failed(out, data);
        break;
    case EVENT_PLANNED: put_planned(out, data); break;
    case EVENT_BATCH_COMPLETED: put_batch(out, data); break;
    case EVENT_LISTED: /* list_print.c */
    case EVENT_NOTIFICATION:
    case EVENT_KIND_COUNT: break;
    }
    if (json_is_true(json_object_get(data, "replayed")))
        fputs("  this is the outcome of the same request, sent before\n", out);
}

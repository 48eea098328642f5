#include "worker/restorectl/ready.h"

#include <string.h>

enum { POLICIES_MAX = 8 }; /* more than there are */

/* One failure or conflict, and what may be sent for it. */
struct choice {
    int n;
    struct {
        const char *policy; /* "": none, as of a resend */
        const json_t *request;
    } of[POLICIES_MAX];
};

static void add(struct choice *choice, const char *policy, const json_t *request)
{
    if (!json_is_object(request) || choice->n == POLICIES_MAX)
        return;
    choice->of[choice->n].policy = policy;
    choice->of[choice->n++].request = request;
}

/* The policy that a request of a batch's summary carries: there it is said nowhere else. */
static const char *policy_inside(const json_t *request)
{
    const json_t *data = json_object_get(json_object_get(request, "event"), "data");
    return text_of(json_object_get(json_object_get(data, "conflict"), "userPrincipalName"),
                   "policy");
}

static enum exit_code choose(const struct choice *choice, const char *policy, FILE *err,
                             struct ready *ready)
{
    int found = choice->n == 1 && (*policy == '\0' || *choice->of[0].policy == '\0') ? 0 : -1;
    for (int i = 0; found < 0 && *policy != '\0' && i < choice->n; i++)
        if (strcmp(choice->of[i].policy, policy) == 0)
            found = i;
    if (found >= 0) {
        ready->requests[ready->n++] = choice->of[found].request;
        return EXIT_OK;
    }
    fprintf(err, "restorectl: --policy: one of");
    for (int i = 0; i < choice->n; i++)
        fprintf(err, "%s %s", i > 0 ? "," : "", choice->of[i].policy);
    fputc('\n', err);
    return *policy == '\0' ? EXIT_USAGE : EXIT_BAD_DATA;
}

static enum exit_code choose_each(const json_t *failures, const char *policy, FILE *err,
                                  struct ready *ready)
{
    size_t i, k;
    json_t *failure, *request;
    enum exit_code code = EXIT_OK;
    json_array_foreach(failures, i, failure)
    {
        struct choice choice = {0};
        json_array_foreach(json_object_get(failure, "requests"), k, request)
            add(&choice, policy_inside(request), request);
        if (choice.n > 0 && ready->n < READY_MAX && code == EXIT_OK)
            code = choose(&choice, policy, err, ready);
    }
    return code;
}

enum exit_code ready_choose(const json_t *data, const char *policy, FILE *err,
                            struct ready *ret_ready)
{
    struct choice choice = {0};
    size_t i;
    json_t *resolution;
    enum exit_code code = EXIT_OK;
    *ret_ready = (struct ready){0};
    json_array_foreach(json_object_get(data, "resolutions"), i, resolution)
        add(&choice, text_of(resolution, "policy"), json_object_get(resolution, "request"));
    if (choice.n == 0)
        add(&choice, "", json_object_get(data, "resend"));
    if (choice.n == 0)
        add(&choice, "", json_object_get(data, "apply"));
    if (choice.n > 0)
        code = choose(&choice, policy, err, ret_ready);
    else
        code = choose_each(json_object_get(data, "failures"), policy, err, ret_ready);
    if (code == EXIT_OK && ret_ready->n == 0) {
        fputs("restorectl: the event has no request ready\n", err);
        code = EXIT_BAD_DATA;
    }
    return code;
}

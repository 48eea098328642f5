#include "worker/directory/requesters.h"

#include "worker/directory/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void requesters_deinit(struct requesters *requesters)
{
    for (int i = 0; i < requesters->n; i++)
        free(requesters->list[i]);
    requesters->n = 0;
}

/* FNV-1a */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037u;
    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return hash;
}

static void write_key(const struct directory_question *question, char ret_key[REQUESTER_KEY_BYTES])
{
    bool by_id = question->id[0] != '\0';
    char kind = question->operation == DIRECTORY_REQUESTER_APP ? 'a' : by_id ? 'i' : 'n';
    (void)snprintf(ret_key, REQUESTER_KEY_BYTES, "%c:%s", kind,
                   by_id ? question->id : question->name);
    text_lower(ret_key);
}

static struct requester *find(const struct requesters *requesters, const char *key, uint64_t hash)
{
    for (int i = 0; i < requesters->n; i++)
        if (requesters->hashes[i] == hash && strcmp(requesters->list[i]->key, key) == 0)
            return requesters->list[i];
    return NULL;
}

static void forget(struct requesters *requesters, int place)
{
    free(requesters->list[place]);
    requesters->n--;
    requesters->list[place] = requesters->list[requesters->n];
    requesters->hashes[place] = requesters->hashes[requesters->n];
}

/* The oldest known one gives way. False: all are being looked up. */
static bool make_room(struct requesters *requesters)
{
    if (requesters->n < REQUESTERS_MAX)
        return true;
    int oldest = -1;
    for (int i = 0; i < requesters->n; i++)
        if (requesters->list[i]->known &&
            (oldest < 0 ||
             requesters->list[i]->begun_at_mono_ms < requesters->list[oldest]->begun_at_mono_ms))
            oldest = i;
    if (oldest < 0)
        return false;
    forget(requesters, oldest);
    return true;
}

static void on_looked_up(void *context, const struct directory_answer *answer)
{
    struct requester *requester = context;
    struct requesters *all = requester->all;
    bool said = answer->status == DIRECTORY_YES || answer->status == DIRECTORY_NOT_FOUND;
    if (said) {
        requester->facts = answer->requester;
        requester->status = answer->status;
        requester->http_status = answer->http_status;
        memcpy(requester->request_id, answer->request_id, sizeof requester->request_id);
    }
    requester->known = said;
    for (struct directory_call *call; (call = queue_take(&requester->waiting)) != NULL;)
        call->on_answer(call->context, answer);
    for (int i = 0; !said && i < all->n; i++)
        if (all->list[i] == requester) {
            forget(all, i);
            return;
        }
}

static void look_up(struct requester *requester, const struct directory_call *call)
{
    struct directory *directory = requester->all->directory;
    requester->known = false;
    requester->begun_at_mono_ms = loop_now(directory->loop)->mono_ms;
    requester->question = *call->question;
    requester->call = (struct directory_call){.tenant = call->tenant,
                                              .question = &requester->question,
                                              .on_answer = on_looked_up,
                                              .context = requester};
    directory_enqueue(directory, &requester->call);
}

static void answer_known(const struct requester *requester, struct directory_call *call)
{
    struct directory_answer *answer = &requester->all->directory->brief;
    answer_clear(answer);
    answer->status = requester->status;
    answer->http_status = requester->http_status;
    memcpy(answer->request_id, requester->request_id, sizeof answer->request_id);
    requester_facts_copy(&answer->requester, &requester->facts);
    answer->requester_age_ms =
        loop_now(requester->all->directory->loop)->mono_ms - requester->begun_at_mono_ms;
    call->on_answer(call->context, answer);
}

void requesters_ask(struct requesters *requesters, struct directory_call *call)
{
    char key[REQUESTER_KEY_BYTES];
    write_key(call->question, key);
    uint64_t hash = hash_of(key);
    int64_t now_mono_ms = loop_now(requesters->directory->loop)->mono_ms;
    struct requester *requester = find(requesters, key, hash);
    if (requester != NULL && requester->known &&
        now_mono_ms - requester->begun_at_mono_ms < REQUESTER_AGE_MAX_MS) {
        answer_known(requester, call);
        return;
    }
    bool begin = requester == NULL || requester->known;
    if (requester == NULL && make_room(requesters))
        requester = calloc(1, sizeof *requester);
    if (requester == NULL) {
        directory_answer_unsent(requesters->directory, call, DIRECTORY_BUSY, 0);
        return;
    }
    if (requester->all == NULL) {
        requester->all = requesters;
        memcpy(requester->key, key, sizeof key);
        requesters->hashes[requesters->n] = hash;
        requesters->list[requesters->n++] = requester;
    }
    queue_append(&requester->waiting, call);
    if (begin)
        look_up(requester, call);
}

#include "consumers/fetches.h"

#include <stdlib.h>

void fetches_append(struct fetches *fetches, struct fetch *fetch)
{
    fetch->next = NULL;
    if (fetches->first == NULL)
        fetches->first = fetch;
    else
        fetches->last->next = fetch;
    fetches->last = fetch;
}

struct fetch *fetches_pop(struct fetches *fetches)
{
    struct fetch *fetch = fetches->first;
    if (fetch != NULL)
        fetches->first = fetch->next;
    return fetch;
}

void fetches_drop(struct fetches *fetches)
{
    for (struct fetch *fetch; (fetch = fetches_pop(fetches)) != NULL;) {
        free(fetch->record);
        free(fetch);
    }
}

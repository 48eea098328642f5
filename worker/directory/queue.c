#include "worker/directory/queue.h"

#include <assert.h>

static void insert(struct call_queue *queue, struct directory_call *call,
                   struct directory_call *previous, struct directory_call *next)
{
    assert(call->queue == NULL);
    call->queue = queue;
    call->previous = previous;
    call->next = next;
    *(previous != NULL ? &previous->next : &queue->first) = call;
    *(next != NULL ? &next->previous : &queue->last) = call;
}

void queue_append(struct call_queue *queue, struct directory_call *call)
{
    insert(queue, call, queue->last, NULL);
}

void queue_prepend(struct call_queue *queue, struct directory_call *call)
{
    insert(queue, call, NULL, queue->first);
}

void queue_leave(struct directory_call *call)
{
    struct call_queue *queue = call->queue;
    assert(queue != NULL);
    *(call->previous != NULL ? &call->previous->next : &queue->first) = call->next;
    *(call->next != NULL ? &call->next->previous : &queue->last) = call->previous;
    call->queue = NULL;
    call->previous = call->next = NULL;
}

struct directory_call *queue_take(struct call_queue *queue)
{
    struct directory_call *call = queue->first;
    if (call != NULL)
        queue_leave(call);
    return call;
}

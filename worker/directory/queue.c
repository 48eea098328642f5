#include "worker/directory/queue.h"

#include <assert.h>

void queue_append(struct call_queue *queue, struct directory_call *call)
{
    assert(call->queue == NULL);
    call->queue = queue;
    call->previous = queue->last;
    call->next = NULL;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = call;
    queue->last = call;
    queue->n++;
}

void queue_leave(struct directory_call *call)
{
    struct call_queue *queue = call->queue;
    assert(queue != NULL);
    *(call->previous != NULL ? &call->previous->next : &queue->first) = call->next;
    *(call->next != NULL ? &call->next->previous : &queue->last) = call->previous;
    queue->n--;
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

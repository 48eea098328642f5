/* Calls that wait, first come first served; any of them can leave from the middle. */
#ifndef WORKER_DIRECTORY_QUEUE_H
#define WORKER_DIRECTORY_QUEUE_H

#include "worker/directory/directory.h"

struct call_queue {
    struct directory_call *first, *last;
    int n;
};

void queue_append(struct call_queue *queue, struct directory_call *call);
/* The call waits in some queue. */
void queue_leave(struct directory_call *call);
/* The first, out of the queue; NULL: nobody waits. */
struct directory_call *queue_take(struct call_queue *queue);

#endif

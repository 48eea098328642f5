/* A batch until it is committed, refused or given up: what to do after each way a transaction can
 * end. Publisher thread only. */
#ifndef PRODUCERS_PUBLISH_H
#define PRODUCERS_PUBLISH_H

#include "producers/json_out.h"
#include "producers/producer.h"

/* Sets batch->result and what belongs to it. The producer may be another one afterwards. Blocks up
 * to about PUBLISH_GIVES_UP_MS. */
void publish_batch(const struct publisher_settings *settings, struct producer *producer,
                   struct json_out *scratch, struct batch *batch);

#endif

/* One `name=value` for librdkafka as people write it: in `kafka.properties`, or restorectl's -X. */
#ifndef WORKER_KAFKA_PROPERTY_H
#define WORKER_KAFKA_PROPERTY_H

#include "worker/secret_file.h"

#include <librdkafka/rdkafka.h>

enum { PROPERTY_NAME_BYTES = 128, PROPERTY_ERROR_BYTES = 512 };

/* Its value must not be shown, and must not stand in a file or on a command line. */
bool kafka_property_is_secret(const char *name);

/* Why the worker sets it itself, NULL if it does not. */
const char *kafka_property_owned(const char *name);

/* Sets it in `conf`, after reading a secret from its file; `ret_value`, unless NULL, receives the
 * value, to be given to secret_free. *reterr never holds a secret. */
bool kafka_property_set(rd_kafka_conf_t *conf, const char *text, char **ret_value,
                        char reterr[PROPERTY_ERROR_BYTES]);

#endif

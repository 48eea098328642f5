/* A Kafka record as bytes: all that the two edges share about one. Everything is borrowed. */
#ifndef POLICY_RECORD_H
#define POLICY_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum { RECORD_HEADERS_MAX = 64 }; /* more make a record malformed */

struct record_header {
    const char *name;
    const void *value; /* NULL: a null value, which Kafka allows */
    size_t value_bytes;
};

struct record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    const void *key;      /* NULL: no key */
    size_t key_bytes;
    const void *value; /* NULL: no value (a tombstone) */
    size_t value_bytes;
    size_t n_headers; /* as found; beyond RECORD_HEADERS_MAX they are not in `headers` */
    struct record_header headers[RECORD_HEADERS_MAX];
};

#endif

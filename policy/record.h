/* A Kafka record as bytes: all that the two edges share about one. Everything is borrowed. */
#ifndef POLICY_RECORD_H
#define POLICY_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum { RECORD_HEADERS_MAX = 64 }; /* a request has no more; a dead letter may */

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
    size_t n_headers; /* all of them; those beyond RECORD_HEADERS_MAX are in more_headers */
    struct record_header headers[RECORD_HEADERS_MAX];
    const struct record_header *more_headers;
};

const struct record_header *record_header_at(const struct record *record, size_t i);

/* A copy that owns what it borrows, in one block of record_copy_bytes bytes: the policy takes no
 * memory, so the caller does. */
size_t record_copy_bytes(const struct record *record);
struct record *record_copy(const struct record *record, void *block);

#endif

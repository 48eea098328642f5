#include "policy/record.h"

#include <string.h>

const struct record_header *record_header_at(const struct record *record, size_t i)
{
    return i < RECORD_HEADERS_MAX ? &record->headers[i]
                                  : &record->more_headers[i - RECORD_HEADERS_MAX];
}

static size_t more_headers(const struct record *record)
{
    return record->n_headers > RECORD_HEADERS_MAX ? record->n_headers - RECORD_HEADERS_MAX : 0;
}

size_t record_copy_bytes(const struct record *record)
{
    size_t bytes = sizeof *record + more_headers(record) * sizeof(struct record_header) +
                   strlen(record->topic) + 1 + record->key_bytes + record->value_bytes;
    for (size_t i = 0; i < record->n_headers; i++) {
        const struct record_header *header = record_header_at(record, i);
        bytes += strlen(header->name) + 1 + header->value_bytes;
    }
    return bytes;
}

static const void *append(char **end, const void *bytes, size_t n_bytes)
{
    if (bytes == NULL)
        return NULL;
    char *copy = *end;
    memcpy(copy, bytes, n_bytes);
    *end += n_bytes;
    return copy;
}

struct record *record_copy(const struct record *record, void *block)
{
    struct record *copy = block;
    struct record_header *more = (struct record_header *)(copy + 1);
    char *end = (char *)(more + more_headers(record));
    *copy = *record;
    copy->more_headers = more;
    copy->topic = append(&end, record->topic, strlen(record->topic) + 1);
    copy->key = append(&end, record->key, record->key_bytes);
    copy->value = append(&end, record->value, record->value_bytes);
    for (size_t i = 0; i < copy->n_headers; i++) {
        const struct record_header *from = record_header_at(record, i);
        struct record_header *to =
            i < RECORD_HEADERS_MAX ? &copy->headers[i] : &more[i - RECORD_HEADERS_MAX];
        to->name = append(&end, from->name, strlen(from->name) + 1);
        to->value = append(&end, from->value, from->value_bytes);
        to->value_bytes = from->value_bytes;
    }
    return copy;
}

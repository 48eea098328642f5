/* A Kafka record as a file that people can write: the golden inputs and the fuzzer's corpus.
 *
 *   @offset 7            a setting of the record or the decoder, see record_text.c
 *   ce_id: INC0012345    a header; its value is every byte up to the line feed
 *   !ce_time             a header whose value is null
 *                        the first empty line ends the headers
 *   {"user": ...         the value: every byte that follows */
#ifndef TESTS_RECORD_TEXT_H
#define TESTS_RECORD_TEXT_H

#include "consumers/request_decode.h"

struct record_text {
    struct record record;
    struct decode_settings settings;
    char topic[249 + 1]; /* Kafka's longest name */
    char type_prefix[64 + 1];
};

/* Any bytes give some record. Every name and value is an allocation of its own size, so that a
 * sanitizer sees a read beyond it. */
void record_text_parse(const void *text, size_t bytes, struct record_text *ret);
void record_text_free(struct record_text *text);

#endif

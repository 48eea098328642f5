#include "policy/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADERS = RECORD_HEADERS_MAX + 40 };

static void a_copy_keeps_every_header_and_byte_when_the_original_is_gone(void **state)
{
    (void)state;
    static char name[HEADERS][8];
    static struct record_header more[HEADERS - RECORD_HEADERS_MAX];
    static struct record record;
    char value[] = "a\0b";
    record = (struct record){.topic = "t",
                             .key = "k",
                             .key_bytes = 1,
                             .value = value,
                             .value_bytes = 3,
                             .n_headers = HEADERS,
                             .more_headers = more};
    for (int i = 0; i < HEADERS; i++) {
        (void)snprintf(name[i], sizeof name[i], "h%d", i);
        struct record_header *header =
            i < RECORD_HEADERS_MAX ? &record.headers[i] : &more[i - RECORD_HEADERS_MAX];
        *header = (struct record_header){.name = name[i], .value = name[i], .value_bytes = 2};
    }
    more[0].value = NULL; /* Kafka allows it */
    more[0].value_bytes = 0;

    void *block = malloc(record_copy_bytes(&record));
    assert_non_null(block);
    const struct record *copy = record_copy(&record, block);
    memset(name, 'x', sizeof name);
    memset(more, 0, sizeof more);
    value[0] = 'x';
    memset(&record, 0, sizeof record);

    assert_int_equal(copy->n_headers, HEADERS);
    assert_memory_equal(copy->value, "a\0b", 3);
    assert_string_equal(record_header_at(copy, 0)->name, "h0");
    assert_string_equal(record_header_at(copy, HEADERS - 1)->name, "h103");
    assert_memory_equal(record_header_at(copy, HEADERS - 1)->value, "h1", 2);
    assert_null(record_header_at(copy, RECORD_HEADERS_MAX)->value);
    free(block);
}

static void what_is_null_stays_null(void **state)
{
    (void)state;
    static struct record record = {.topic = "t"};
    void *block = malloc(record_copy_bytes(&record));
    assert_non_null(block);
    const struct record *copy = record_copy(&record, block);
    assert_null(copy->key);
    assert_null(copy->value);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_keeps_every_header_and_byte_when_the_original_is_gone),
        cmocka_unit_test(what_is_null_stays_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/consumers/record_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAD_MAX = 100000 };

static void *copy(const void *bytes, size_t n)
{
    void *to = malloc(n > 0 ? n : 1);
    if (to == NULL)
        abort();
    if (n > 0)
        memcpy(to, bytes, n);
    return to;
}

static char *copy_text(const char *text, size_t n)
{
    char *to = malloc(n + 1);
    if (to == NULL)
        abort();
    memcpy(to, text, n);
    to[n] = '\0';
    return to;
}

static void header_add(struct record_text *ret, const char *name, size_t name_bytes,
                       const void *value, size_t value_bytes)
{
    struct record *record = &ret->record;
    if (record->n_headers < RECORD_HEADERS_MAX)
        record->headers[record->n_headers] = (struct record_header){
            .name = copy_text(name, name_bytes),
            .value = value == NULL ? NULL : copy(value, value_bytes),
            .value_bytes = value_bytes,
        };
    record->n_headers++;
}

static void setting_apply(struct record_text *ret, const char *line, size_t bytes, size_t *pad)
{
    char word[16] = "", argument[256] = "";
    char text[300];
    snprintf(text, sizeof text, "%.*s", (int)(bytes < 299 ? bytes : 299), line);
    if (sscanf(text, "@%15s %255s", word, argument) < 1)
        return;
    for (const char *c = argument; *c != '\0'; c++)
        if (*c < 0x21 || *c > 0x7e)
            return; /* settings are the operator's, not a stranger's bytes */
    long long number = strtoll(argument, NULL, 10);
    if (strcmp(word, "offset") == 0)
        ret->record.offset = number;
    else if (strcmp(word, "timestamp") == 0)
        ret->record.timestamp_ms = number;
    else if (strcmp(word, "topic") == 0)
        snprintf(ret->topic, sizeof ret->topic, "%.*s", 249, argument);
    else if (strcmp(word, "prefix") == 0) /* events.type_prefix */
        snprintf(ret->type_prefix, sizeof ret->type_prefix, "%.*s", 64, argument);
    else if (strcmp(word, "plain") == 0) /* kafka.accept_plain_json */
        ret->settings.accept_plain_json = strcmp(argument, "no") != 0;
    else if (strcmp(word, "pad") == 0) /* spaces after the value */
        *pad = number > 0 && number <= PAD_MAX ? (size_t)number : 0;
    else if (strcmp(word, "headers") == 0) /* so many more */
        for (long long i = 0; i < number && i < 100; i++)
            header_add(ret, "x-filler", 8, "", 0);
    else if (strcmp(word, "tombstone") == 0)
        ret->record.value_bytes = SIZE_MAX;
}

void record_text_parse(const void *text, size_t bytes, struct record_text *ret)
{
    const char *at = text;
    const char *end = at + bytes;
    size_t pad = 0;
    *ret = (struct record_text){
        .record = {.partition = 3, .offset = 41, .timestamp_ms = 1795000000000},
        .settings = {.accept_plain_json = true},
        .topic = "user-restore.requests",
        .type_prefix = "io.restore-worker.",
    };
    while (at < end && *at != '\n') {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            line_end = end;
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        if (*at == '@') {
            setting_apply(ret, at, (size_t)(line_end - at), &pad);
        } else if (*at == '!') {
            header_add(ret, at + 1, (size_t)(line_end - at - 1), NULL, 0);
        } else if (colon != NULL) {
            const char *value = colon + 1 < line_end && colon[1] == ' ' ? colon + 2 : colon + 1;
            header_add(ret, at, (size_t)(colon - at), value, (size_t)(line_end - value));
        }
        at = line_end < end ? line_end + 1 : end;
    }
    at = at < end ? at + 1 : end;

    ret->record.topic = ret->topic;
    ret->settings.type_prefix = ret->type_prefix;
    bool tombstone = ret->record.value_bytes == SIZE_MAX;
    ret->record.value_bytes = tombstone ? 0 : (size_t)(end - at) + pad;
    if (!tombstone) {
        char *value = copy(at, ret->record.value_bytes - pad);
        if (pad > 0) {
            value = realloc(value, ret->record.value_bytes);
            if (value == NULL)
                abort();
            memset(value + (ret->record.value_bytes - pad), ' ', pad);
        }
        ret->record.value = value;
    }
}

void record_text_free(struct record_text *text)
{
    for (size_t i = 0; i < text->record.n_headers && i < RECORD_HEADERS_MAX; i++) {
        free((void *)text->record.headers[i].name);
        free((void *)text->record.headers[i].value);
    }
    free((void *)text->record.value);
}

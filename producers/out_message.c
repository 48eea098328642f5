#include "producers/out_message.h"

#include "producers/publisher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const void *pack(char **at, const void *bytes, size_t n_bytes)
{
    if (bytes == NULL)
        return NULL;
    char *packed = *at;
    if (n_bytes > 0)
        memcpy(packed, bytes, n_bytes);
    packed[n_bytes] = '\0'; /* headers and keys are text for most who look at them */
    *at += n_bytes + 1;
    return packed;
}

static int message_new(const struct out_message *model, bool copy_value,
                       struct out_message **ret_message)
{
    size_t bytes = sizeof *model + model->n_headers * sizeof *model->headers + model->key_bytes + 1;
    if (copy_value)
        bytes += model->value_bytes + 1;
    for (size_t i = 0; i < model->n_headers; i++)
        bytes += strlen(model->headers[i].name) + 1 + model->headers[i].value_bytes + 1;
    struct out_message *message = malloc(bytes);
    if (message == NULL)
        return -ENOMEM;
    *message = *model;
    message->next = NULL;
    message->delivered_offset = -1;
    message->delivery_error = 0;
    struct record_header *headers = (struct record_header *)(message + 1);
    char *at = (char *)(headers + model->n_headers);
    message->headers = headers;
    for (size_t i = 0; i < model->n_headers; i++) {
        const struct record_header *from = &model->headers[i];
        headers[i].name = pack(&at, from->name, strlen(from->name));
        headers[i].value = pack(&at, from->value, from->value_bytes);
        headers[i].value_bytes = from->value_bytes;
    }
    message->key = pack(&at, model->key, model->key_bytes);
    if (copy_value)
        message->value = pack(&at, model->value, model->value_bytes);
    *ret_message = message;
    return 0;
}

int out_message_new(const struct out_message *model, struct out_message **ret_message)
{
    return message_new(model, true, ret_message);
}

int out_message_new_sharing_value(const struct out_message *model, struct out_message **ret_message)
{
    return message_new(model, false, ret_message);
}

int publication_add(struct publication *publication, int rc, struct out_message *message)
{
    struct out_message **end = &publication->messages;
    while (*end != NULL)
        end = &(*end)->next;
    if (rc == 0)
        *end = message;
    return rc;
}

void publication_free_messages(struct publication *publication)
{
    for (struct out_message *message = publication->messages; message != NULL;) {
        struct out_message *next = message->next;
        free(message);
        message = next;
    }
    publication->messages = NULL;
}

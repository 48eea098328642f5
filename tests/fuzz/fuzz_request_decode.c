/* The request decoder on any bytes, written as the golden inputs are (record_text.h): whatever it
 * says must be safe to publish. */
#include "consumers/request_decode.h"
#include "policy/utf8.h"
#include "tests/unit/consumers/record_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void text_check(const char *text)
{
    assert(utf8_is_valid(text, strlen(text)));
    assert(!utf8_has_control(text, strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct record_text text;
    struct restore_request request;
    struct request_items *items;
    struct malformed malformed;
    record_text_parse(bytes, n, &text);
    if (request_decode(&text.settings, &text.record, &request, &items, &malformed) ==
        DECODED_REQUEST) {
        assert(request.envelope.id[0] != '\0' && request.envelope.source[0] != '\0');
        text_check(request.envelope.id);
        text_check(request.envelope.source);
        bool has_user = request.user.by == NAMED_BY_ID || request.user.by == NAMED_BY_NAME;
        text_check(request.user.text);
        assert(has_user == (items == NULL));
        for (int i = 0; items != NULL && i < items->n; i++)
            text_check(items->requests[i].user.text);
        free(items);
        assert(strlen(request.envelope.digest) == DIGEST_CHARS);
        for (int i = 0; i < request.notify_to.n; i++)
            text_check(request.notify_to.address[i]);
    } else {
        assert(malformed.message[0] != '\0');
        text_check(malformed.message);
        text_check(malformed.source);
        text_check(malformed.request_id);
    }
    record_text_free(&text);
    return 0;
}

/* The decoder on directories: data/request_decode/<case>/input is a record (record_text.h),
 * expected is what it must become, one line a field. A new case is a new directory; run with
 * GOLDEN_UPDATE=1 to have `expected` written, then read it. */
#include "consumers/request_decode.h"
#include "policy/time_text.h"
#include "policy/utf8.h"
#include "tests/unit/consumers/record_text.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES_MIN = 60, FILE_BYTES_MAX = 128 * 1024, FLIP_BYTES_MAX = 2048, UNTOUCHED = 0xa5 };

static const char DATA[] = TEST_DATA "/request_decode";

/* ---- the dump ---- */

static void print_text(FILE *to, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(to, "%s: ", name);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            fprintf(to, "\\x%02x", c);
        else
            fputc(c, to);
    }
    fputc('\n', to);
}

static void print_time(FILE *to, const char *name, int64_t ms)
{
    char text[TIME_CHARS + 1];
    if (ms == 0)
        return;
    time_format(ms, text);
    print_text(to, name, text);
}

static void print_named(FILE *to, const char *name, const struct named *named)
{
    static const char *const BY[] = {"nothing", "id", "name", "app id"};
    char label[64];
    snprintf(label, sizeof label, "%s by %s", name, BY[named->by]);
    print_text(to, label, named->text);
}

static void print_recipients(FILE *to, const char *name, const struct recipients *recipients)
{
    for (int i = 0; i < recipients->n; i++)
        print_text(to, name, recipients->address[i]);
}

static void print_request(FILE *to, const struct restore_request *request)
{
    print_text(to, "source", request->envelope.source);
    print_text(to, "id", request->envelope.id);
    print_text(to, "correlation", request->envelope.correlation_id);
    print_text(to, "traceparent", request->envelope.traceparent);
    print_text(to, "tracestate", request->envelope.tracestate);
    print_time(to, "requested at", request->envelope.requested_at_ms);
    print_text(to, "digest", request->envelope.digest);
    if (request->mode != MODE_RESTORE)
        print_text(to, "mode", request_mode_word(request->mode));
    print_named(to, "user", &request->user);
    print_named(to, "requester", &request->requested_by);
    print_text(to, "tenant", request->tenant);
    print_text(to, "name policy", name_policy_word(request->name_policy));
    print_text(to, "new name", request->new_user_principal_name);
    print_text(to, "rename active to", request->rename_active_to);
    print_text(to, "address policy", address_policy_word(request->address_policy));
    print_text(to, "password", password_choice_word(request->password));
    if (request->has_notify_to)
        print_recipients(to, "to", &request->notify_to);
    print_recipients(to, "cc", &request->notify_cc);
    print_text(to, "locale", request->locale);
    print_text(to, "reason", request->reason);
    print_text(to, "ticket system", request->ticket_system);
    print_text(to, "ticket id", request->ticket_id);
    print_time(to, "not after", request->not_after_ms);
    print_text(to, "plan hash", request->plan_hash);
    print_text(to, "match", request->match);
    if (request->closing_within_days > 0)
        fprintf(to, "closing within days: %d\n", request->closing_within_days);
}

/* The first item and the last whole; of those between them the name in their ids. */
static void print_items(FILE *to, const struct restore_request *common,
                        const struct request_items *items)
{
    print_request(to, common);
    for (int i = 0; i < items->n; i++) {
        char name[USER_IN_IDS_BYTES + 1];
        request_user_in_ids(&items->requests[i], name);
        fprintf(to, "-- item %d: %s\n", i, name);
        if (i == 0 || i == items->n - 1)
            print_request(to, &items->requests[i]);
    }
}

static void print_malformed(FILE *to, const struct malformed *malformed)
{
    print_text(to, "malformed", malformed->message);
    print_text(to, "source", malformed->source);
    print_text(to, "id", malformed->request_id);
    print_text(to, "correlation", malformed->correlation_id);
    print_text(to, "traceparent", malformed->traceparent);
    print_text(to, "tracestate", malformed->tracestate);
}

/* ---- decoding with its promises checked ---- */

struct result {
    enum decoded decoded;
    struct restore_request request;
    struct request_items *items;
    struct malformed malformed;
};

static void untouched_check(const void *bytes, size_t n)
{
    static unsigned char untouched[sizeof(struct result)];
    memset(untouched, UNTOUCHED, n);
    assert_int_equal(memcmp(bytes, untouched, n), 0);
}

static void text_check(const char *text)
{
    assert_true(utf8_is_valid(text, strlen(text)));
    assert_false(utf8_has_control(text, strlen(text)));
}

static void items_check(const struct request_items *items)
{
    if (items == NULL)
        return;
    assert_in_range(items->n, 1, ITEMS_MAX);
    for (int i = 0; i < items->n; i++) {
        const struct named *user = &items->requests[i].user;
        assert_true(user->by == NAMED_BY_ID || user->by == NAMED_BY_NAME);
        text_check(user->text);
    }
}

/* The items are the caller's to free. */
static void decode(const struct record_text *text, struct result *ret)
{
    memset(ret, UNTOUCHED, sizeof *ret);
    ret->decoded =
        request_decode(&text->settings, &text->record, &ret->request, &ret->items, &ret->malformed);
    if (ret->decoded == DECODED_REQUEST) {
        const struct restore_request *request = &ret->request;
        untouched_check(&ret->malformed, sizeof ret->malformed);
        assert_true(request->envelope.source[0] != '\0' && request->envelope.id[0] != '\0');
        text_check(request->envelope.source);
        text_check(request->envelope.id);
        text_check(request->envelope.traceparent);
        text_check(request->user.text);
        assert_int_equal(strlen(request->envelope.digest), DIGEST_CHARS);
        bool has_user = request->user.by == NAMED_BY_ID || request->user.by == NAMED_BY_NAME;
        assert_true(has_user == (ret->items == NULL && request->mode != MODE_LIST));
        items_check(ret->items);
        assert_true(request->has_notify_to == (request->notify_to.n > 0));
        assert_in_range(request->notify_cc.n, 0, RECIPIENTS_MAX);
    } else {
        assert_int_equal(ret->decoded, DECODED_MALFORMED);
        untouched_check(&ret->request, sizeof ret->request);
        untouched_check(&ret->items, sizeof ret->items);
        ret->items = NULL;
        assert_true(ret->malformed.message[0] != '\0');
        text_check(ret->malformed.message);
        text_check(ret->malformed.source);
        text_check(ret->malformed.request_id);
    }
}

/* ---- the cases ---- */

static size_t file_read(const char *path, char *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size_t n = fread(ret_bytes, 1, FILE_BYTES_MAX, file);
    fclose(file);
    return n;
}

struct golden {
    char name[128];
    char path[512]; /* of the case's directory */
    char input[FILE_BYTES_MAX];
    size_t input_bytes;
};

/* Calls `on_case` with every case, in a fixed order. */
static int cases_walk(void (*on_case)(struct golden *golden, int *failures), int *failures)
{
    struct dirent **entries;
    int n_cases = 0;
    int n = scandir(DATA, &entries, NULL, alphasort);
    assert_true(n >= 0);
    struct golden *golden = malloc(sizeof *golden);
    assert_non_null(golden);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            char path[600];
            snprintf(golden->name, sizeof golden->name, "%.100s", entries[i]->d_name);
            snprintf(golden->path, sizeof golden->path, "%s/%.100s", DATA, golden->name);
            snprintf(path, sizeof path, "%s/input", golden->path);
            golden->input_bytes = file_read(path, golden->input);
            assert_true(golden->input_bytes > 0);
            on_case(golden, failures);
            n_cases++;
        }
        free(entries[i]);
    }
    free(entries);
    free(golden);
    return n_cases;
}

static void case_compare(struct golden *golden, int *failures)
{
    static struct result result;
    static char expected[FILE_BYTES_MAX];
    char path[600];
    char *actual = NULL;
    size_t actual_bytes;
    struct record_text text;

    record_text_parse(golden->input, golden->input_bytes, &text);
    decode(&text, &result);
    record_text_free(&text);
    FILE *to = open_memstream(&actual, &actual_bytes);
    assert_non_null(to);
    if (result.decoded == DECODED_REQUEST && result.items != NULL)
        print_items(to, &result.request, result.items);
    else if (result.decoded == DECODED_REQUEST)
        print_request(to, &result.request);
    else
        print_malformed(to, &result.malformed);
    fclose(to);
    free(result.items);

    snprintf(path, sizeof path, "%s/expected", golden->path);
    if (getenv("GOLDEN_UPDATE") != NULL) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(actual, 1, actual_bytes, file), actual_bytes);
        fclose(file);
    }
    size_t expected_bytes = file_read(path, expected);
    if (expected_bytes != actual_bytes || memcmp(expected, actual, actual_bytes) != 0) {
        print_error("%s\n--- expected\n%.*s--- decoded\n%s", golden->name, (int)expected_bytes,
                    expected, actual);
        (*failures)++;
    }
    free(actual);
}

static void every_record_becomes_what_is_expected(void **state)
{
    (void)state;
    int failures = 0;
    int n_cases = cases_walk(case_compare, &failures);
    assert_int_equal(failures, 0);
    assert_true(n_cases >= CASES_MIN);
}

static void prefix_decode(struct golden *golden, size_t bytes)
{
    static struct result result;
    struct record_text text;
    record_text_parse(golden->input, bytes, &text);
    decode(&text, &result);
    free(result.items);
    record_text_free(&text);
}

static void case_truncate(struct golden *golden, int *failures)
{
    (void)failures;
    /* A few cases are long because of one field; their ends tell no more at every byte. */
    size_t step = golden->input_bytes > 8192 ? 97 : 1;
    for (size_t bytes = 0; bytes < golden->input_bytes; bytes += step)
        prefix_decode(golden, bytes);
}

static void a_record_cut_anywhere_gives_a_result(void **state)
{
    (void)state;
    cases_walk(case_truncate, NULL);
}

static void case_flip(struct golden *golden, int *failures)
{
    static const unsigned char FLIPS[] = {0x01, 0x04, 0x20, 0x80, 0xff};
    (void)failures;
    if (golden->input_bytes > FLIP_BYTES_MAX)
        return;
    for (size_t i = 0; i < golden->input_bytes; i++) {
        for (size_t k = 0; k < sizeof FLIPS; k++) {
            golden->input[i] = (char)(golden->input[i] ^ FLIPS[k]);
            prefix_decode(golden, golden->input_bytes);
            golden->input[i] = (char)(golden->input[i] ^ FLIPS[k]);
        }
    }
}

static void a_record_with_any_byte_changed_gives_a_result(void **state)
{
    (void)state;
    cases_walk(case_flip, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_becomes_what_is_expected),
        cmocka_unit_test(a_record_cut_anywhere_gives_a_result),
        cmocka_unit_test(a_record_with_any_byte_changed_gives_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "consumers/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char KEY[] = "3fac718e-8086-5256-a5ed-f283398b4b66";
static const char DIGEST[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct record_header header(const char *name, const char *value)
{
    return (struct record_header){name, value, value == NULL ? 0 : strlen(value)};
}

/* An intent as the publisher writes it. */
static struct record intent_record(const char *value)
{
    return (struct record){
        .key = KEY,
        .key_bytes = strlen(KEY),
        .value = value,
        .value_bytes = strlen(value),
        .n_headers = 7,
        .headers = {header("ce_id", "x"), header("rw-v", "1"), header("rw-state", "intent"),
                    header("rw-offset", "9223372036854775807"), header("rw-digest", DIGEST),
                    header("rw-time", "1700000000123"), header("rw-started", "1700000000001")}};
}

static void set_header(struct record *record, const char *name, const char *value)
{
    for (size_t i = 0; i < record->n_headers; i++)
        if (strcmp(record->headers[i].name, name) == 0)
            record->headers[i] = header(name, value);
}

static void the_headers_are_enough(void **state)
{
    (void)state;
    struct record record = intent_record("no JSON");
    struct journal_record decoded;
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_int_equal(decoded.state, JOURNAL_INTENT);
    assert_int_equal(decoded.request_offset, INT64_MAX);
    assert_int_equal(decoded.time_ms, 1700000000123);
    assert_int_equal(decoded.started_ms, 1700000000001);
    assert_string_equal(decoded.digest, DIGEST);
    assert_ptr_equal(decoded.record, &record);
}

static void a_record_that_is_not_whole_or_of_another_version_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *value;
    } wrong[] = {
        {"rw-v", "2"},       {"rw-v", ""},        {"rw-v", NULL},
        {"rw-v", "11"},      {"rw-state", "x"},   {"rw-state", NULL},
        {"rw-offset", ""},   {"rw-offset", "-1"}, {"rw-offset", "9223372036854775808"},
        {"rw-offset", "1 "}, {"rw-time", "0x1"},  {"rw-time", NULL},
        {"rw-started", "a"}, {"rw-digest", "ab"}, {"rw-digest", ""},
        {"rw-digest", NULL},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct record record = intent_record("{}");
        struct journal_record decoded;
        set_header(&record, wrong[i].header, wrong[i].value);
        assert_int_equal(journal_record_decode(&record, &decoded), -EPROTO);
    }
}

static void a_dead_letter_has_no_digest(void **state)
{
    (void)state;
    struct record record = intent_record("");
    struct journal_record decoded;
    record.key = "!77";
    record.key_bytes = 3;
    set_header(&record, "rw-state", "done");
    set_header(&record, "rw-digest", "");
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_string_equal(decoded.digest, "");
}

static void keys_are_a_uuid_or_an_offset(void **state)
{
    (void)state;
    struct journal_key a, b;
    assert_true(journal_key_from_text(KEY, strlen(KEY), &a));
    static const uint8_t bytes[] = {0x3f, 0xac, 0x71, 0x8e, 0x80, 0x86, 0x52, 0x56,
                                    0xa5, 0xed, 0xf2, 0x83, 0x39, 0x8b, 0x4b, 0x66};
    assert_memory_equal(a.bytes, bytes, sizeof bytes);
    assert_true(journal_key_from_text("3FAC718E-8086-5256-A5ED-F283398B4B66", 36, &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(journal_key_from_text("!4294967297", 11, &a));
    assert_true(journal_key_from_text("!1", 2, &b));
    assert_memory_not_equal(&a, &b, sizeof a);
    static const char *const wrong[] = {
        "",
        "!",
        "!x",
        "!99999999999999999999",
        "3fac718e-8086-5256-a5ed-f283398b4b6",
        "3fac718e-8086-5256-a5ed-f283398b4b667",
        "3fac718e08086-5256-a5ed-f283398b4b66",
        "3fac718e-8086-5256-a5ed-f283398b4bxx",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(journal_key_from_text(wrong[i], strlen(wrong[i]), &a));
}

#define PLAN                                                                                       \
    "\"plan\":{\"policy\":\"rename-restored\",\"newUserPrincipalName\":\"n@x.no\","                \
    "\"template\":\"{local}.{n}@{domain}\",\"proxyAddresses\":\"remove\","                         \
    "\"password\":\"generate\"},\"phase\":\"restore\""
#define USER_ID "\"id\":\"8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10\""

static void an_intent_is_read_back_whole(void **state)
{
    (void)state;
    static const char value[] =
        "{" PLAN ",\"user\":{" USER_ID ",\"userPrincipalName\":\"o@x.no\",\"displayName\":\"Ola\","
        "\"mail\":\"o@mail.no\",\"proxyAddresses\":[\"SMTP:o@x.no\",\"smtp:p@x.no\"],"
        "\"deletedDateTime\":\"2026-11-22T12:00:00.500Z\",\"synced\":true,"
        "\"lastPasswordChangeDateTime\":\"2026-11-21T12:00:00Z\",\"preferredLanguage\":\"nb-NO\","
        "\"otherMails\":[\"a@b.no\"],\"createdDateTime\":\"2020-01-01T00:00:00Z\"},"
        "\"holder\":{\"id\":\"x\"}}";
    struct record record = intent_record(value);
    struct journal_record decoded;
    static struct intent intent;
    static struct user_facts user;
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_int_equal(journal_intent_decode(&decoded, &intent, &user), 0);
    assert_int_equal(intent.name_policy, NAME_POLICY_RENAME_RESTORED);
    assert_string_equal(intent.new_user_principal_name, "n@x.no");
    assert_string_equal(intent.rename_template, "{local}.{n}@{domain}");
    assert_int_equal(intent.address_policy, ADDRESS_POLICY_REMOVE);
    assert_true(intent.generate_password);
    assert_int_equal(intent.phase, INTENT_RESTORE);
    assert_int_equal(intent.started_at_ms, 1700000000001);
    assert_ptr_equal(intent.user, &user);
    assert_string_equal(user.user_principal_name, "o@x.no");
    assert_string_equal(user.display_name, "Ola");
    assert_string_equal(user.mail, "o@mail.no");
    assert_int_equal(user.proxy_addresses.n, 2);
    assert_int_equal(user.deleted_at_ms, 1795348800500);
    assert_int_equal(user.last_password_change_at_ms, 1795262400000);
    assert_int_equal(user.created_at_ms, 1577836800000);
    assert_true(user.synced);
    assert_string_equal(user.preferred_language, "nb-NO");
    assert_int_equal(user.n_other_mails, 1);
    assert_string_equal(user.other_mails[0], "a@b.no");
}

#define PHASED(phase)                                                                              \
    "\"plan\":{\"policy\":\"rename-active\",\"proxyAddresses\":\"remove\","                        \
    "\"password\":\"leave\"},\"phase\":\"" phase "\",\"user\":{" USER_ID "}"
#define HOLDER "\"id\":\"44444444-4444-4444-8444-444444444444\",\"from\":\"o@x.no\""

static void who_gives_way_is_read_back_too(void **state)
{
    (void)state;
    struct record record =
        intent_record("{" PHASED("free") ",\"holder\":{" HOLDER ",\"to\":\"o.2@x.no\"}}");
    struct journal_record decoded;
    static struct intent intent;
    static struct user_facts user;
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_int_equal(journal_intent_decode(&decoded, &intent, &user), 0);
    assert_int_equal(intent.name_policy, NAME_POLICY_RENAME_ACTIVE);
    assert_int_equal(intent.phase, INTENT_FREE);
    assert_string_equal(intent.holder.id, "44444444-4444-4444-8444-444444444444");
    assert_string_equal(intent.holder.from, "o@x.no");
    assert_string_equal(intent.holder.to, "o.2@x.no");

    record =
        intent_record("{" PHASED("undo") ",\"refusal\":\"name_conflict\",\"holder\":{" HOLDER "}}");
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_int_equal(journal_intent_decode(&decoded, &intent, &user), 0);
    assert_int_equal(intent.phase, INTENT_UNDO);
    assert_int_equal(intent.refusal, REASON_NAME_CONFLICT);
    assert_string_equal(intent.holder.to, "");
}

static void what_an_intent_does_not_say_is_unknown(void **state)
{
    (void)state;
    struct record record = intent_record("{" PLAN ",\"user\":{" USER_ID "}}");
    struct journal_record decoded;
    static struct intent intent;
    static struct user_facts user;
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_int_equal(journal_intent_decode(&decoded, &intent, &user), 0);
    assert_string_equal(user.mail, "");
    assert_int_equal(user.last_password_change_at_ms, 0);
    assert_false(user.synced);
}

static void an_intent_that_cannot_be_followed_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{" PLAN "}",
        "{" PLAN ",\"user\":{}}",
        "{" PLAN ",\"user\":{\"id\":\"x\"}}",
        "{" PLAN ",\"user\":{" USER_ID ",\"mail\":null}}",
        "{" PLAN ",\"user\":{" USER_ID ",\"synced\":\"yes\"}}",
        "{" PLAN ",\"user\":{" USER_ID ",\"proxyAddresses\":{}}}",
        "{" PLAN ",\"user\":{" USER_ID ",\"proxyAddresses\":[1]}}",
        "{" PLAN ",\"user\":{" USER_ID ",\"otherMails\":[\"a\",\"b\",\"c\",\"d\"]}}",
        "{" PLAN ",\"user\":{" USER_ID ",\"deletedDateTime\":\"yesterday\"}}",
        "{" PLAN ",\"user\":{" USER_ID "," USER_ID "}}",
        "{" PHASED("free") "}",
        "{" PHASED("free") ",\"holder\":{\"id\":\"x\",\"from\":\"o@x.no\"}}",
        "{" PHASED("free") ",\"holder\":{\"from\":\"o@x.no\"}}",
        "{" PHASED("undo") ",\"holder\":{" HOLDER "}}",
        "{" PHASED("undo") ",\"refusal\":\"new-one\",\"holder\":{" HOLDER "}}",
        "{\"plan\":{\"policy\":\"new-one\",\"proxyAddresses\":\"remove\",\"password\":\"leave\"},"
        "\"phase\":\"restore\",\"user\":{" USER_ID "}}",
        "{\"plan\":{\"policy\":\"reject\",\"proxyAddresses\":\"keep\",\"password\":\"leave\"},"
        "\"phase\":\"restore\",\"user\":{" USER_ID "}}",
        "{\"plan\":{\"policy\":\"reject\",\"proxyAddresses\":\"remove\",\"password\":\"\"},"
        "\"phase\":\"restore\",\"user\":{" USER_ID "}}",
        "{\"plan\":{\"policy\":\"reject\",\"proxyAddresses\":\"remove\",\"password\":\"leave\"},"
        "\"phase\":\"again\",\"user\":{" USER_ID "}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct record record = intent_record(wrong[i]);
        struct journal_record decoded;
        static struct intent intent;
        static struct user_facts user;
        assert_int_equal(journal_record_decode(&record, &decoded), 0);
        assert_int_equal(journal_intent_decode(&decoded, &intent, &user), -EPROTO);
    }
    struct record record = intent_record("{" PLAN ",\"user\":{" USER_ID "}}");
    struct journal_record decoded;
    static struct intent intent;
    static struct user_facts user;
    set_header(&record, "rw-state", "done");
    assert_int_equal(journal_record_decode(&record, &decoded), 0);
    assert_int_equal(journal_intent_decode(&decoded, &intent, &user), -EPROTO);
}

static void the_verdict_follows_offset_state_and_window(void **state)
{
    (void)state;
    enum { OFFSET = 100, NOW = 1000000, WINDOW = 5000 };
    static const struct {
        int64_t offset;
        enum journal_state state;
        int64_t time_ms;
        enum journal_verdict verdict;
    } cases[] = {
        {101, JOURNAL_DONE, NOW, JOURNAL_SAYS_FINISHED},
        {101, JOURNAL_INTENT, NOW, JOURNAL_SAYS_FINISHED},
        {100, JOURNAL_DONE, NOW, JOURNAL_SAYS_FINISHED},
        {100, JOURNAL_DONE, 0, JOURNAL_SAYS_FINISHED}, /* its own outcome: never forgotten */
        {100, JOURNAL_INTENT, NOW, JOURNAL_SAYS_RESUME},
        {99, JOURNAL_INTENT, 0, JOURNAL_SAYS_COMPARE},
        {99, JOURNAL_DONE, NOW - WINDOW, JOURNAL_SAYS_COMPARE},
        {99, JOURNAL_DONE, NOW - WINDOW - 1, JOURNAL_SAYS_NEW},
    };
    assert_int_equal(journal_decide(NULL, OFFSET, NOW, WINDOW), JOURNAL_SAYS_NEW);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct journal_entry entry = {.request_offset = cases[i].offset,
                                      .time_ms = cases[i].time_ms & JOURNAL_TIME_MASK,
                                      .state = cases[i].state};
        assert_int_equal(journal_decide(&entry, OFFSET, NOW, WINDOW), cases[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_headers_are_enough),
        cmocka_unit_test(a_record_that_is_not_whole_or_of_another_version_is_refused),
        cmocka_unit_test(a_dead_letter_has_no_digest),
        cmocka_unit_test(keys_are_a_uuid_or_an_offset),
        cmocka_unit_test(an_intent_is_read_back_whole),
        cmocka_unit_test(who_gives_way_is_read_back_too),
        cmocka_unit_test(what_an_intent_does_not_say_is_unknown),
        cmocka_unit_test(an_intent_that_cannot_be_followed_is_refused),
        cmocka_unit_test(the_verdict_follows_offset_state_and_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

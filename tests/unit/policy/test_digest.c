#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/digest.h"

#include <string.h>

static void assert_sha1(const char *text, size_t bytes, const char *expected)
{
    uint8_t digest[SHA1_BYTES];
    char hex[2 * SHA1_BYTES + 1];
    digest_sha1(text, bytes, digest);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, expected);
}

static void assert_sha256(const char *text, size_t bytes, const char *expected)
{
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    digest_sha256(text, bytes, digest);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, expected);
}

static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

/* FIPS 180-4 examples, csrc.nist.gov */
static void sha1_gives_the_standards_examples(void **state)
{
    (void)state;
    assert_sha1("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_sha1("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_sha1(two_blocks, strlen(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

static void sha256_gives_the_standards_examples(void **state)
{
    (void)state;
    assert_sha256("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha256(two_blocks, strlen(two_blocks),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_million_letters_cross_every_block_border(void **state)
{
    (void)state;
    static char letters[1000000];
    memset(letters, 'a', sizeof letters);
    assert_sha1(letters, sizeof letters, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    assert_sha256(letters, sizeof letters,
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Python's hashlib over b"x" * n: the lengths at which the padding needs a second block. */
static void padding_fits_where_it_hardly_fits(void **state)
{
    (void)state;
    char text[64];
    memset(text, 'x', sizeof text);
    assert_sha256(text, 55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
    assert_sha256(text, 56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
    assert_sha256(text, 63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
    assert_sha256(text, 64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
}

static void the_event_id_is_the_contracts_vector(void **state)
{
    (void)state;
    const char *const parts[] = {"urn:servicenow:prod", "INC0012345",
                                 "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10", "succeeded"};
    char uuid[GUID_CHARS + 1];
    digest_uuid5(parts, 4, 2, uuid);
    assert_string_equal(uuid, "3fac718e-8086-5256-a5ed-f283398b4b66");
    assert_true(text_is_guid(uuid));
}

static void only_the_lowered_part_ignores_case(void **state)
{
    (void)state;
    const char *const lower[] = {"urn:a", "user@contoso.com"};
    const char *const mixed[] = {"urn:a", "User@Contoso.COM"};
    const char *const other[] = {"URN:A", "user@contoso.com"};
    char expected[GUID_CHARS + 1], uuid[GUID_CHARS + 1];
    digest_uuid5(lower, 2, 1, expected);
    digest_uuid5(mixed, 2, 1, uuid);
    assert_string_equal(uuid, expected);
    digest_uuid5(mixed, 2, -1, uuid);
    assert_string_not_equal(uuid, expected);
    digest_uuid5(other, 2, 1, uuid);
    assert_string_not_equal(uuid, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_gives_the_standards_examples),
        cmocka_unit_test(sha256_gives_the_standards_examples),
        cmocka_unit_test(a_million_letters_cross_every_block_border),
        cmocka_unit_test(padding_fits_where_it_hardly_fits),
        cmocka_unit_test(the_event_id_is_the_contracts_vector),
        cmocka_unit_test(only_the_lowered_part_ignores_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

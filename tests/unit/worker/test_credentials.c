/* What a tenant's credential is read from: certificate and key, token file, metadata service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/certificate.h"
#include "worker/directory/assertion.h"
#include "worker/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TENANT(credential)                                                                         \
    "tenants = ( { name = \"contoso\"; id = \"contoso.com\";\n"                                    \
    "client_id = \"8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10\";\n"                                      \
    "credential = { " credential " }; } );\n"
#define CERTIFICATE                                                                                \
    TENANT("type = \"certificate\"; certificate_file = \"crt\"; key_file = \"key\";")
#define FEDERATED TENANT("type = \"federated\"; token_file = \"token\";")

/* Every test runs in a directory of its own. */
struct place {
    char directory[64];
    char lines[2048];
};

static struct made_certificate made, another;

static void on_line(void *context, int level, const char *line)
{
    struct place *place = context;
    (void)level;
    size_t n = strlen(place->lines);
    (void)snprintf(place->lines + n, sizeof place->lines - n, "%s\n", line);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    (void)unlink(name);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(name, mode), 0);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    strncpy(place->directory, "/tmp/credentials-XXXXXX", sizeof place->directory - 1);
    if (mkdtemp(place->directory) == NULL || chdir(place->directory) != 0)
        return -1;
    write_file("crt", made.certificate, 0644);
    write_file("key", made.key, 0400);
    write_file("token", "planted-token\n", 0644);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"conf", "crt", "key", "token"};
    struct place *place = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlink(names[i]);
    if (chdir("/") != 0 || rmdir(place->directory) != 0)
        return -1;
    free(place);
    return 0;
}

static int load(struct place *place, const char *text, struct settings **ret_settings)
{
    const struct settings_report report = {on_line, place};
    write_file("conf", text, 0644);
    place->lines[0] = '\0';
    return settings_load("conf", SETTINGS_WORKER, &report, ret_settings);
}

static struct settings *load_right(struct place *place, const char *text)
{
    struct settings *settings = NULL;
    if (load(place, text, &settings) != 0)
        fail_msg("%s", place->lines);
    return settings;
}

static void assert_refused(struct place *place, const char *text, const char *message)
{
    struct settings *settings = NULL;
    assert_int_equal(load(place, text, &settings), 1);
    if (strstr(place->lines, message) == NULL)
        fail_msg("\"%s\" is not in: %s", message, place->lines);
}

static char *printed(const struct settings *settings)
{
    char *text;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    settings_print(settings, file);
    fclose(file);
    return text;
}

static void a_certificate_and_its_key_are_read_and_never_printed(void **state)
{
    struct place *place = *state;
    struct settings *settings = load_right(place, CERTIFICATE);
    const struct tenant_settings *tenant = &settings->directory.tenants[0];
    assert_int_equal(tenant->credential_type, CREDENTIAL_CERTIFICATE);
    assert_int_equal(strlen(tenant->certificate->thumbprint), THUMBPRINT_CHARS);
    int64_t left_ms = tenant->certificate->expires_at_ms - (int64_t)time(NULL) * 1000;
    assert_in_range(left_ms, 86400000 - 300000, 86400000); /* it was made for a day */
    assert_null(tenant->client_secret);
    char *text = printed(settings);
    settings_free(settings);
    assert_null(strstr(text, "PRIVATE"));
    assert_non_null(strstr(text, "key_file = \"key\";  # conf:3\n"));
    assert_null(strstr(text, "token_file"));
    settings_free(load_right(place, text));
    free(text);
}

static void a_key_that_is_not_the_certificates_is_refused(void **state)
{
    write_file("key", another.key, 0400);
    assert_refused(*state, CERTIFICATE,
                   "conf:3: tenants.credential.key_file: key is not the certificate's key");
}

static void a_key_that_others_can_read_or_the_group_can_write_is_refused(void **state)
{
    chmod("key", 0444);
    assert_refused(*state, CERTIFICATE, "tenants.credential.key_file: key can be read by others");
    chmod("key", 0460);
    assert_refused(*state, CERTIFICATE, "key can be written by its group or by others");
}

static void a_certificate_that_others_can_write_is_refused(void **state)
{
    chmod("crt", 0646);
    assert_refused(*state, CERTIFICATE, "certificate_file: crt can be written by");
}

static void what_is_no_certificate_or_no_usable_key_is_named(void **state)
{
    struct made_certificate encrypted = certificate_make(2048, "planted");
    struct made_certificate elliptic = certificate_make(0, NULL);
    struct made_certificate small = certificate_make(1024, NULL);
    write_file("crt", made.key, 0400);
    assert_refused(*state, CERTIFICATE, "certificate_file: crt has no certificate in PEM");
    write_file("crt", made.certificate, 0644);
    write_file("key", made.certificate, 0400);
    assert_refused(*state, CERTIFICATE, "key_file: key has no private key in PEM");
    write_file("key", encrypted.key, 0400);
    assert_refused(*state, CERTIFICATE, "key_file: key is encrypted");
    write_file("key", elliptic.key, 0400);
    assert_refused(*state, CERTIFICATE, "key_file: key is no RSA key of 2048 to 8192 bits");
    write_file("key", small.key, 0400);
    assert_refused(*state, CERTIFICATE, "key_file: key is no RSA key of 2048 to 8192 bits");
    certificate_unmake(&encrypted);
    certificate_unmake(&elliptic);
    certificate_unmake(&small);
}

static void a_reload_takes_over_a_renewed_certificate(void **state)
{
    struct place *place = *state;
    const struct settings_report report = {on_line, place};
    struct settings *settings = load_right(place, CERTIFICATE);
    char before[THUMBPRINT_CHARS + 1];
    memcpy(before, settings->directory.tenants[0].certificate->thumbprint, sizeof before);
    write_file("crt", another.certificate, 0644);
    write_file("key", another.key, 0400);
    struct settings *fresh = load_right(place, CERTIFICATE);
    assert_true(settings_reload(settings, fresh, &report));
    settings_free(fresh);
    assert_string_equal(place->lines, "");
    assert_string_not_equal(settings->directory.tenants[0].certificate->thumbprint, before);
    settings_free(settings);
}

static void a_token_file_may_be_anybodys_but_must_be_there(void **state)
{
    struct place *place = *state;
    chmod("token", 0666);
    struct settings *settings = load_right(place, FEDERATED);
    assert_string_equal(settings->directory.tenants[0].token_file, "token");
    settings_free(settings);
    (void)unlink("token");
    assert_refused(place, FEDERATED,
                   "conf:3: tenants.credential.token_file: token: No such file or directory");
}

static void a_managed_identity_needs_no_client_id_and_knows_the_platforms_address(void **state)
{
    struct place *place = *state;
    struct settings *settings =
        load_right(place, "tenants = ( { name = \"contoso\"; id = \"contoso.com\";\n"
                          "credential = { type = \"managed-identity\"; }; } );");
    assert_string_equal(settings->directory.tenants[0].client_id, "");
    assert_string_equal(settings->directory.tenants[0].identity_endpoint,
                        "http://169.254.169.254/metadata/identity/oauth2/token");
    char *text = printed(settings);
    settings_free(settings);
    assert_non_null(strstr(text, "oauth2/token\";  # default\n"));
    assert_null(strstr(text, "client_id"));
    settings_free(load_right(place, text));
    free(text);
}

static void a_metadata_service_elsewhere_needs_tls(void **state)
{
    struct place *place = *state;
    static const char *const right[] = {"http://169.254.169.254/t", "http://127.0.0.1:1/t",
                                        "https://identity.contoso.com/t"};
    static const char *const wrong[] = {"http://169.254.169.253/t", "http://169.254.169.254.nu/t",
                                        "http://10.0.0.1/t"};
    char text[512];
    for (int i = 0; i < 6; i++) {
        (void)snprintf(text, sizeof text, TENANT("type = \"managed-identity\"; endpoint = \"%s\";"),
                       i < 3 ? right[i] : wrong[i - 3]);
        if (i < 3)
            settings_free(load_right(place, text));
        else
            assert_refused(place, text, "endpoint: http:// is for 169.254.169.254 and loopback");
    }
}

static int make_certificates(void **state)
{
    (void)state;
    made = certificate_make(2048, NULL);
    another = certificate_make(2048, NULL);
    return 0;
}

static int unmake_certificates(void **state)
{
    (void)state;
    certificate_unmake(&made);
    certificate_unmake(&another);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_and_its_key_are_read_and_never_printed),
        TEST(a_key_that_is_not_the_certificates_is_refused),
        TEST(a_key_that_others_can_read_or_the_group_can_write_is_refused),
        TEST(a_certificate_that_others_can_write_is_refused),
        TEST(what_is_no_certificate_or_no_usable_key_is_named),
        TEST(a_reload_takes_over_a_renewed_certificate),
        TEST(a_token_file_may_be_anybodys_but_must_be_there),
        TEST(a_managed_identity_needs_no_client_id_and_knows_the_platforms_address),
        TEST(a_metadata_service_elsewhere_needs_tls),
    };
    return cmocka_run_group_tests(tests, make_certificates, unmake_certificates);
}

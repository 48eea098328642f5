/* What each type of credential sends for a token. */
#include "tests/component/directory/fixture.h"
#include "tests/support/certificate.h"
#include "worker/directory/assertion.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct scripted_request token_request;
static int token_status = 200;
static char token_file[] = "/tmp/token-file-XXXXXX";

static void give_token(void *context, const struct scripted_request *request,
                       struct scripted_reply *reply)
{
    (void)context;
    token_request = *request;
    reply->status = token_status;
    reply->body = token_status == 200 ? "{\"expires_in\":\"3599\",\"expires_on\":\"1506484173\","
                                        "\"access_token\":\"abc\"}"
                                      : "{\"error\":\"invalid_request\"}";
}

static bool is_ready(void *context)
{
    return directory_ready(((struct fixture *)context)->directory);
}

static bool has_heard(void *context)
{
    return ((struct fixture *)context)->n_on_token > 0;
}

static struct tenant_settings *tenant_of(struct fixture *fixture, enum credential_type type)
{
    struct tenant_settings *tenant = &fixture->settings.tenants[0];
    tenant->credential_type = type;
    fixture->login = give_token;
    token_status = 200;
    return tenant;
}

/* The bytes behind base64url, with a zero; to be freed. */
static unsigned char *decode(const char *text, size_t n, size_t *ret_n)
{
    char *padded = calloc(1, n + 5);
    unsigned char *bytes = calloc(1, n + 5);
    memcpy(padded, text, n);
    for (char *at = padded; *at != '\0'; at++)
        *at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
    size_t padding = (4 - n % 4) % 4;
    memset(padded + n, '=', padding);
    int length = EVP_DecodeBlock(bytes, (unsigned char *)padded, (int)(n + padding));
    assert_true(length >= 0);
    *ret_n = (size_t)length - padding;
    bytes[*ret_n] = '\0';
    free(padded);
    return bytes;
}

/* PS256 by libcrypto's other half, with the certificate's public key. */
static void check_signature(const char *certificate_pem, const char *jwt, const char *last_dot)
{
    size_t n;
    unsigned char *signature = decode(last_dot + 1, strlen(last_dot + 1), &n);
    BIO *bio = BIO_new_mem_buf(certificate_pem, -1);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *padding;
    assert_int_equal(
        EVP_DigestVerifyInit(context, &padding, EVP_sha256(), NULL, X509_get0_pubkey(x509)), 1);
    EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, 32);
    assert_int_equal(EVP_DigestVerify(context, signature, n, (const unsigned char *)jwt,
                                      (size_t)(last_dot - jwt)),
                     1);
    EVP_MD_CTX_free(context);
    X509_free(x509);
    BIO_free(bio);
    free(signature);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static void check_claims(const json_t *claims, const struct fixture *fixture, int64_t now_s)
{
    char audience[256];
    (void)snprintf(audience, sizeof audience, "%s" TOKEN_TARGET,
                   scripted_server_url(fixture->server));
    assert_string_equal(text_of(claims, "aud"), audience);
    assert_string_equal(text_of(claims, "iss"), USER_ID);
    assert_string_equal(text_of(claims, "sub"), USER_ID);
    assert_int_equal(strlen(text_of(claims, "jti")), 22);
    int64_t not_before_s = json_integer_value(json_object_get(claims, "nbf"));
    assert_true(not_before_s > now_s - 30 && not_before_s <= now_s);
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")), not_before_s);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")), not_before_s + 600);
}

static void a_certificate_signs_an_assertion_of_its_own_each_time(void **state)
{
    struct fixture *fixture = *state;
    struct tenant_settings *tenant = tenant_of(fixture, CREDENTIAL_CERTIFICATE);
    struct made_certificate made = certificate_make(2048, NULL);
    char jtis[2][32], expected[512];
    bool of_key;
    assert_null(certificate_new(made.certificate, made.key, &tenant->certificate, &of_key));
    for (int i = 0; i < 2; i++) {
        fixture_start(fixture, give_token);
        fixture_turn_until(fixture, is_ready, fixture);
        int n = snprintf(expected, sizeof expected,
                         "grant_type=client_credentials&client_id=" USER_ID
                         "&scope=http%%3A%%2F%%2F127.0.0.1%%3A%s%%2F.default&client_assertion_type="
                         "urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer"
                         "&client_assertion=",
                         strrchr(scripted_server_url(fixture->server), ':') + 1);
        assert_memory_equal(token_request.body, expected, (size_t)n);
        const char *jwt = token_request.body + n;
        const char *dot = strchr(jwt, '.'), *last = strrchr(jwt, '.');
        assert_true(dot != NULL && dot < last);
        size_t bytes;
        unsigned char *header = decode(jwt, (size_t)(dot - jwt), &bytes);
        char wanted[256];
        (void)snprintf(wanted, sizeof wanted,
                       "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"%s\"}",
                       tenant->certificate->thumbprint);
        assert_string_equal((char *)header, wanted);
        unsigned char *body = decode(dot + 1, (size_t)(last - dot - 1), &bytes);
        json_t *claims = json_loads((char *)body, JSON_REJECT_DUPLICATES, NULL);
        check_claims(claims, fixture, loop_now(fixture->loop)->wall_ms / 1000);
        (void)snprintf(jtis[i], sizeof jtis[i], "%s", text_of(claims, "jti"));
        check_signature(made.certificate, jwt, last);
        json_decref(claims);
        free(header);
        free(body);
        directory_free(fixture->directory);
        fixture->directory = NULL;
    }
    assert_string_not_equal(jtis[0], jtis[1]);
    certificate_free(tenant->certificate);
    certificate_unmake(&made);
}

static void write_token(const char *text)
{
    FILE *file = fopen(token_file, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void use_token_file(struct tenant_settings *tenant)
{
    memcpy(token_file + sizeof token_file - 7, "XXXXXX", 6);
    assert_int_equal(close(mkstemp(token_file)), 0);
    (void)snprintf(tenant->token_file, sizeof tenant->token_file, "%s", token_file);
}

/* Only the token bought with the second content of the file is good. */
static void want_rotated(void *context, const struct scripted_request *request,
                         struct scripted_reply *reply)
{
    (void)context, (void)request;
    bool rotated = strstr(token_request.body, "&client_assertion=second.part.x") != NULL;
    if (!rotated)
        write_token("second.part.x");
    reply->status = rotated ? 200 : 401;
    reply->body = USER_BODY;
}

static void a_token_file_is_read_trimmed_for_each_request(void **state)
{
    struct fixture *fixture = *state;
    struct asking *read = calloc(1, sizeof *read);
    use_token_file(tenant_of(fixture, CREDENTIAL_FEDERATED));
    write_token(" first.part.x \r\n");
    fixture_start(fixture, want_rotated);
    fixture_turn_until(fixture, is_ready, fixture);
    assert_non_null(strstr(token_request.body, "jwt-bearer&client_assertion=first.part.x"));
    assert_string_equal(strrchr(token_request.body, '.'), ".x");
    ask(read, fixture, DIRECTORY_USER_BY_ID);
    check_status(read, DIRECTORY_YES, 200);
    assert_int_equal(fixture->n_tokens, 2);
    (void)unlink(token_file);
    free(read);
}

static bool has_heard_twice(void *context)
{
    return ((struct fixture *)context)->n_on_token > 1;
}

static void a_token_file_that_is_gone_for_a_moment_costs_a_moment(void **state)
{
    struct fixture *fixture = *state;
    char expected[128];
    use_token_file(tenant_of(fixture, CREDENTIAL_FEDERATED));
    (void)unlink(token_file);
    fixture_start(fixture, give_token);
    fixture_turn_until(fixture, has_heard, fixture);
    (void)snprintf(expected, sizeof expected, "%s: No such file or directory", token_file);
    assert_string_equal(fixture->on_token[0], expected);
    assert_int_equal(fixture->n_tokens, 0);
    write_token("first.part.x");
    fixture_turn_until(fixture, has_heard_twice, fixture);
    assert_true(directory_ready(fixture->directory));
    (void)unlink(token_file);
}

static void a_token_file_without_one_token_is_not_sent(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"", " \n", "planted token", "planted\nsecond\n"};
    use_token_file(tenant_of(fixture, CREDENTIAL_FEDERATED));
    for (int i = 0; i < 4; i++) {
        write_token(texts[i]);
        fixture->n_on_token = 0;
        fixture_start(fixture, give_token);
        fixture_turn_until(fixture, has_heard, fixture);
        assert_non_null(strstr(fixture->on_token[0], token_file));
        assert_null(strstr(fixture->on_token[0], "planted"));
        directory_free(fixture->directory);
        fixture->directory = NULL;
    }
    assert_int_equal(fixture->n_tokens, 0);
    (void)unlink(token_file);
}

static void use_identity(struct fixture *fixture)
{
    struct tenant_settings *tenant = tenant_of(fixture, CREDENTIAL_MANAGED_IDENTITY);
    (void)snprintf(tenant->identity_endpoint, sizeof tenant->identity_endpoint,
                   "%s" IDENTITY_TARGET, scripted_server_url(fixture->server));
}

static void a_managed_identity_asks_the_metadata_service_whatever_the_proxy(void **state)
{
    struct fixture *fixture = *state;
    char expected[512];
    use_identity(fixture);
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            fixture->settings.tenants[0].client_id[0] = '\0';
        fixture_start(fixture, give_token);
        fixture_turn_until(fixture, is_ready, fixture);
        (void)snprintf(expected, sizeof expected,
                       IDENTITY_TARGET "?api-version=2018-02-01"
                                       "&resource=http%%3A%%2F%%2F127.0.0.1%%3A%s%%2F%s",
                       strrchr(scripted_server_url(fixture->server), ':') + 1,
                       i == 0 ? "&client_id=" USER_ID : "");
        assert_string_equal(token_request.method, "GET");
        assert_string_equal(token_request.target, expected);
        assert_non_null(strstr(token_request.head, "\r\nMetadata: true\r\n"));
        assert_string_equal(token_request.body, "");
        directory_free(fixture->directory);
        fixture->directory = NULL;
    }
    (void)unsetenv("http_proxy");
}

/* 404 and 410: it is being started or updated. 400: there is no such identity. */
static void a_metadata_service_that_is_not_there_yet_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    static const int statuses[] = {404, 410, 500, 400};
    struct asking *read = calloc(1, sizeof *read);
    use_identity(fixture);
    fixture->settings.request_timeout_ms = 200;
    for (int i = 0; i < 4; i++) {
        token_status = statuses[i];
        fixture->n_on_token = 0;
        fixture_start(fixture, give_token);
        fixture_turn_until(fixture, has_heard, fixture);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "HTTP %d invalid_request", statuses[i]);
        assert_string_equal(fixture->on_token[0], expected);
        ask(read, fixture, DIRECTORY_USER_BY_ID);
        check_status(read, statuses[i] == 400 ? DIRECTORY_DENIED : DIRECTORY_BUSY, 0);
        directory_free(fixture->directory);
        fixture->directory = NULL;
    }
    free(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_signs_an_assertion_of_its_own_each_time),
        TEST(a_token_file_is_read_trimmed_for_each_request),
        TEST(a_token_file_that_is_gone_for_a_moment_costs_a_moment),
        TEST(a_token_file_without_one_token_is_not_sent),
        TEST(a_managed_identity_asks_the_metadata_service_whatever_the_proxy),
        TEST(a_metadata_service_that_is_not_there_yet_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

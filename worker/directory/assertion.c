#include "worker/directory/assertion.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BITS_MIN = 2048,
    KEY_BITS_MAX = 8192,
    SIGNATURE_BYTES_MAX = KEY_BITS_MAX / 8,
    SHA256_BYTES = 32,
    NONCE_BYTES = 16,
    LIFE_S = 600,
    JSON_BYTES = 1536,
};

/* RFC 4648 5, without padding; `ret_text` has 4/3 of `n` and 4 bytes more. Its length. */
static size_t base64url(const unsigned char *bytes, size_t n, char *ret_text)
{
    int length = EVP_EncodeBlock((unsigned char *)ret_text, bytes, (int)n);
    while (length > 0 && ret_text[length - 1] == '=')
        length--;
    ret_text[length] = '\0';
    for (char *at = ret_text; *at != '\0'; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    return (size_t)length;
}

/* Else libcrypto asks for the passphrase on the terminal. */
static int no_passphrase(char *ret_text, int bytes, int for_writing, void *asked)
{
    (void)ret_text, (void)bytes, (void)for_writing;
    *(bool *)asked = true;
    return -1;
}

static const char *read_key(const char *pem, EVP_PKEY **ret_key)
{
    bool asked = false;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;
    BIO_free(bio);
    const char *wrong = NULL;
    if (key == NULL)
        wrong = asked ? "is encrypted" : "has no private key in PEM";
    else if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < KEY_BITS_MIN ||
             EVP_PKEY_get_bits(key) > KEY_BITS_MAX)
        wrong = "is no RSA key of 2048 to 8192 bits";
    if (wrong != NULL) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    *ret_key = key;
    return wrong;
}

static X509 *read_certificate(const char *pem, char ret_thumbprint[THUMBPRINT_CHARS + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[SHA256_BYTES * 2];
    unsigned n = 0;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x509 = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (x509 != NULL && (X509_digest(x509, EVP_sha256(), digest, &n) != 1 || n != SHA256_BYTES)) {
        X509_free(x509);
        return NULL;
    }
    if (x509 != NULL)
        memcpy(ret_thumbprint, text, base64url(digest, n, text) + 1);
    return x509;
}

static int64_t expiry_ms(const X509 *x509)
{
    enum { SECONDS_A_DAY = 24 * 60 * 60 };
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool known = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(x509));
    ASN1_TIME_free(epoch);
    return known ? ((int64_t)days * SECONDS_A_DAY + seconds) * 1000 : 0;
}

const char *certificate_new(const char *certificate_pem, const char *key_pem,
                            struct certificate **ret_certificate, bool *ret_wrong_is_key)
{
    struct certificate *certificate = calloc(1, sizeof *certificate);
    if (certificate == NULL)
        return "no memory";
    X509 *x509 = read_certificate(certificate_pem, certificate->thumbprint);
    const char *wrong = x509 == NULL ? "has no certificate in PEM" : NULL;
    *ret_wrong_is_key = wrong == NULL;
    if (wrong == NULL)
        wrong = read_key(key_pem, &certificate->key);
    if (wrong == NULL && X509_check_private_key(x509, certificate->key) != 1)
        wrong = "is not the certificate's key";
    if (wrong == NULL)
        certificate->expires_at_ms = expiry_ms(x509);
    X509_free(x509);
    ERR_clear_error(); /* libcurl reads the same queue */
    if (wrong == NULL)
        *ret_certificate = certificate;
    else
        certificate_free(certificate);
    return wrong;
}

void certificate_free(struct certificate *certificate)
{
    if (certificate == NULL)
        return;
    EVP_PKEY_free(certificate->key); /* overwrites the private numbers */
    free(certificate);
}

/* PS256, RFC 7518 3.5: the salt is as long as the digest. */
static bool sign(EVP_PKEY *key, const char *text, size_t bytes,
                 unsigned char ret_signature[SIGNATURE_BYTES_MAX], size_t *ret_n)
{
    EVP_PKEY_CTX *padding; /* the context's own */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    *ret_n = SIGNATURE_BYTES_MAX;
    bool done =
        context != NULL && EVP_DigestSignInit(context, &padding, EVP_sha256(), NULL, key) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1 &&
        EVP_DigestSign(context, ret_signature, ret_n, (const unsigned char *)text, bytes) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return done;
}

bool assertion_write(const struct certificate *certificate, const char *audience,
                     const char *client_id, int64_t now_ms, char ret_assertion[ASSERTION_BYTES])
{
    static_assert((JSON_BYTES + 256 + SIGNATURE_BYTES_MAX) * 4 / 3 + 16 <= ASSERTION_BYTES, "fits");
    unsigned char nonce[NONCE_BYTES], signature[SIGNATURE_BYTES_MAX];
    char jti[2 * NONCE_BYTES], header[256], claims[JSON_BYTES];
    size_t n = 0;
    int64_t now_s = now_ms / 1000;
    if (RAND_bytes(nonce, sizeof nonce) != 1)
        return false;
    (void)base64url(nonce, sizeof nonce, jti);
    int header_n =
        snprintf(header, sizeof header, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"%s\"}",
                 certificate->thumbprint);
    int claims_n =
        snprintf(claims, sizeof claims,
                 "{\"aud\":\"%s\",\"iss\":\"%s\",\"sub\":\"%s\",\"jti\":\"%s\",\"iat\":%" PRId64
                 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 "}",
                 audience, client_id, client_id, jti, now_s, now_s, now_s + LIFE_S);
    if (claims_n < 0 || (size_t)claims_n >= sizeof claims)
        return false;
    char *at = ret_assertion;
    at += base64url((unsigned char *)header, (size_t)header_n, at);
    *at++ = '.';
    at += base64url((unsigned char *)claims, (size_t)claims_n, at);
    if (!sign(certificate->key, ret_assertion, (size_t)(at - ret_assertion), signature, &n))
        return false;
    *at++ = '.';
    (void)base64url(signature, n, at);
    return true;
}

#include "tests/support/certificate.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static char *take_text(BIO *bio)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)n);
    BIO_free(bio);
    assert(text != NULL);
    return text;
}

struct made_certificate certificate_make(unsigned rsa_bits, const char *passphrase)
{
    struct made_certificate made;
    EVP_PKEY *key = rsa_bits > 0 ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    BIO *certificate_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    assert(key != NULL && x509 != NULL && certificate_bio != NULL && key_bio != NULL);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_set_pubkey(x509, key);
    int rc = X509_sign(x509, key, EVP_sha256());
    assert(rc > 0);
    rc = PEM_write_bio_X509(certificate_bio, x509);
    assert(rc == 1);
    rc = PEM_write_bio_PrivateKey(key_bio, key, passphrase != NULL ? EVP_aes_128_cbc() : NULL,
                                  (const unsigned char *)passphrase,
                                  passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL);
    assert(rc == 1);
    made.certificate = take_text(certificate_bio);
    made.key = take_text(key_bio);
    X509_free(x509);
    EVP_PKEY_free(key);
    return made;
}

void certificate_unmake(struct made_certificate *made)
{
    free(made->certificate);
    free(made->key);
}

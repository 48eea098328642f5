/* Certificates made for one test: PEM texts, the caller's to free. */
#ifndef TESTS_SUPPORT_CERTIFICATE_H
#define TESTS_SUPPORT_CERTIFICATE_H

struct made_certificate {
    char *certificate, *key;
};

/* Self-signed. rsa_bits 0: an EC key; passphrase NULL: the key is not encrypted. */
struct made_certificate certificate_make(unsigned rsa_bits, const char *passphrase);
void certificate_unmake(struct made_certificate *made);

#endif

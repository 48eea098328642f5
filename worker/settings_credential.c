/* A tenant's credential: which settings belong to which type, and what stands in its files. */
#include "worker/directory/assertion.h"
#include "worker/secret_file.h"
#include "worker/settings_load.h"

#include <string.h>

static const char section[] = "tenants.credential";

static const struct {
    const char *section, *key;
    bool allowed[CREDENTIAL_TYPES], needed[CREDENTIAL_TYPES];
} belongings[] = {
    {"tenants", "client_id", {true, true, true, true}, {true, true, true, false}},
    {section, "file", {[CREDENTIAL_SECRET] = true}, {[CREDENTIAL_SECRET] = true}},
    {section,
     "certificate_file",
     {[CREDENTIAL_CERTIFICATE] = true},
     {[CREDENTIAL_CERTIFICATE] = true}},
    {section, "key_file", {[CREDENTIAL_CERTIFICATE] = true}, {[CREDENTIAL_CERTIFICATE] = true}},
    {section, "token_file", {[CREDENTIAL_FEDERATED] = true}, {[CREDENTIAL_FEDERATED] = true}},
    {section, "endpoint", {[CREDENTIAL_MANAGED_IDENTITY] = true}, {false}},
};

void settings_check_credential(struct loader *loader, const struct tenant_entry *entry,
                               const struct setting_origin *at)
{
    static const char *const words[CREDENTIAL_TYPES] = {"secret", "certificate", "federated",
                                                        "managed-identity"};
    enum credential_type type = entry->settings.credential_type;
    for (size_t i = 0; i < sizeof belongings / sizeof belongings[0]; i++) {
        const struct setting_origin *origin =
            setting_origin_of(entry->origins, belongings[i].section, belongings[i].key);
        bool given = origin->source != SOURCE_DEFAULT;
        if (given && !belongings[i].allowed[type])
            loader_error(loader, origin, belongings[i].section, belongings[i].key,
                         "does not belong to a credential of type \"%s\"", words[type]);
        else if (!given && belongings[i].needed[type])
            loader_error(loader, at, belongings[i].section, belongings[i].key,
                         "is needed for a credential of type \"%s\"", words[type]);
    }
}

static void credential_error(struct loader *loader, const struct tenant_entry *entry,
                             const char *key, const char *why)
{
    loader_error(loader, setting_origin_of(entry->origins, section, key), section, key, "%s", why);
}

static void read_certificate(struct loader *loader, const struct tenant_entry *entry,
                             struct tenant_settings *tenant)
{
    char why[SECRET_ERROR_BYTES];
    char *certificate_pem = NULL, *key_pem = NULL;
    bool wrong_is_key = false;
    if (!public_file_read(entry->certificate_file, &certificate_pem, why))
        credential_error(loader, entry, "certificate_file", why);
    if (!secret_read(entry->key_file, &key_pem, why))
        credential_error(loader, entry, "key_file", why);
    if (certificate_pem != NULL && key_pem != NULL) {
        const char *wrong =
            certificate_new(certificate_pem, key_pem, &tenant->certificate, &wrong_is_key);
        snprintf(why, sizeof why, "%.180s %s",
                 wrong_is_key ? entry->key_file : entry->certificate_file,
                 wrong != NULL ? wrong : "");
        if (wrong != NULL)
            credential_error(loader, entry, wrong_is_key ? "key_file" : "certificate_file", why);
    }
    secret_free(certificate_pem);
    secret_free(key_pem);
}

/* Its token is read anew for each of ours, but a wrong path shows now. */
static void find_token_file(struct loader *loader, const struct tenant_entry *entry)
{
    char why[SECRET_ERROR_BYTES];
    char *token = NULL;
    if (!token_file_read(entry->settings.token_file, &token, why))
        credential_error(loader, entry, "token_file", why);
    secret_free(token);
}

static void read_secret(struct loader *loader, const struct tenant_entry *entry,
                        struct tenant_settings *tenant)
{
    char why[SECRET_ERROR_BYTES];
    if (!secret_read(entry->credential_file, &tenant->client_secret, why))
        credential_error(loader, entry, "file", why);
}

void settings_read_credential(struct loader *loader, const struct tenant_entry *entry,
                              struct tenant_settings *tenant)
{
    /* What is missing has been reported. */
    switch (entry->settings.credential_type) {
    case CREDENTIAL_SECRET:
        if (entry->credential_file[0] != '\0')
            read_secret(loader, entry, tenant);
        break;
    case CREDENTIAL_CERTIFICATE:
        if (entry->certificate_file[0] != '\0' && entry->key_file[0] != '\0')
            read_certificate(loader, entry, tenant);
        break;
    case CREDENTIAL_FEDERATED:
        if (entry->settings.token_file[0] != '\0')
            find_token_file(loader, entry);
        break;
    case CREDENTIAL_MANAGED_IDENTITY:
    case CREDENTIAL_TYPES: break;
    }
}

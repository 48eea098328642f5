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
        const struct setting_row *row = setting_find(belongings[i].section, belongings[i].key);
        const struct setting_origin *origin = &entry->origins[row - setting_rows];
        bool given = origin->source != SOURCE_DEFAULT;
        if (given && !belongings[i].allowed[type])
            loader_error(loader, origin, row->section, row->key,
                         "does not belong to a credential of type \"%s\"", words[type]);
        else if (!given && belongings[i].needed[type])
            loader_error(loader, at, row->section, row->key,
                         "is needed for a credential of type \"%s\"", words[type]);
    }
}

static void read_certificate(struct loader *loader, const struct tenant_entry *entry,
                             struct tenant_settings *tenant)
{
    char why[SECRET_ERROR_BYTES];
    char *certificate_pem = NULL, *key_pem = NULL;
    bool wrong_is_key = false;
    if (!public_file_read(entry->certificate_file, &certificate_pem, why))
        setting_error(loader, entry->origins, section, "certificate_file", "%s", why);
    if (!secret_read(entry->key_file, &key_pem, why))
        setting_error(loader, entry->origins, section, "key_file", "%s", why);
    if (certificate_pem != NULL && key_pem != NULL) {
        const char *wrong =
            certificate_new(certificate_pem, key_pem, &tenant->certificate, &wrong_is_key);
        snprintf(why, sizeof why, "%.180s %s",
                 wrong_is_key ? entry->key_file : entry->certificate_file,
                 wrong != NULL ? wrong : "");
        if (wrong != NULL)
            setting_error(loader, entry->origins, section,
                          wrong_is_key ? "key_file" : "certificate_file", "%s", why);
    }
    secret_free(certificate_pem);
    secret_free(key_pem);
}

/* A file that is not named has been reported. */
void settings_read_credential(struct loader *loader, const struct tenant_entry *entry,
                              struct tenant_settings *tenant)
{
    char why[SECRET_ERROR_BYTES];
    char *token = NULL;
    switch (entry->settings.credential_type) {
    case CREDENTIAL_SECRET:
        if (entry->credential_file[0] != '\0' &&
            !secret_read(entry->credential_file, &tenant->client_secret, why))
            setting_error(loader, entry->origins, section, "file", "%s", why);
        break;
    case CREDENTIAL_CERTIFICATE:
        if (entry->certificate_file[0] != '\0' && entry->key_file[0] != '\0')
            read_certificate(loader, entry, tenant);
        break;
    case CREDENTIAL_FEDERATED: /* its token is read anew for each of ours; a wrong path shows now */
        if (entry->settings.token_file[0] != '\0' &&
            !token_file_read(entry->settings.token_file, &token, why))
            setting_error(loader, entry->origins, section, "token_file", "%s", why);
        secret_free(token);
        break;
    case CREDENTIAL_MANAGED_IDENTITY:
    case CREDENTIAL_TYPES: break;
    }
}

/* What a text may look like. */
#include "worker/settings_table.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool has_control(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        if (*at < 0x20 || *at == 0x7f)
            return true;
    return false;
}

static bool is_name(const char *text, const char *marks)
{
    for (; *text != '\0'; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (!letter && !(*text >= '0' && *text <= '9') && strchr(marks, *text) == NULL)
            return false;
    }
    return true;
}

const char *check_identity(char *text)
{
    return has_control(text) ? "must not have control characters" : NULL;
}

const char *check_not_empty(char *text)
{
    return *text == '\0' ? "must not be empty" : check_identity(text);
}

const char *check_topic(char *text)
{
    if (*text == '\0' || !is_name(text, "._-") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return "must be a topic's name: letters, digits, \".\", \"_\", \"-\"";
    return NULL;
}

const char *check_tenant_name(char *text)
{
    if (*text == '\0' || !is_name(text, "._-"))
        return "must be letters, digits, \".\", \"_\", \"-\"";
    return NULL;
}

/* It becomes a segment of the token endpoint's path. */
const char *check_tenant_id(char *text)
{
    if (*text == '\0' || !is_name(text, ".-") || strstr(text, "..") != NULL)
        return "must be a tenant id or a domain";
    return NULL;
}

const char *check_guid(char *text)
{
    text_lower(text);
    return text_is_guid(text) ? NULL : "must be 8-4-4-4-12 hex digits";
}

/* The address itself, not a name that begins like one: 127.0.0.1.example.com is elsewhere.
 * "localhost" is never looked up by libcurl (7.77 and later, RFC 6761 6.3). */
static bool host_is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return text_equal_ignore_case(host, "localhost");
}

/* Copies the host of `authority`, without brackets and port. */
static bool url_host(const char *authority, char ret_host[ADDRESS_BYTES + 1])
{
    size_t length;
    if (*authority == '[') {
        authority++;
        length = strcspn(authority, "]");
        if (authority[length] != ']' || strchr(":/", authority[length + 1]) == NULL)
            return false;
    } else {
        length = strcspn(authority, ":/");
    }
    if (length == 0 || length > ADDRESS_BYTES)
        return false;
    memcpy(ret_host, authority, length);
    ret_host[length] = '\0';
    return true;
}

static const char *check_address(char *text, const char *plain_host, const char *plain_message)
{
    char host[ADDRESS_BYTES + 1];
    size_t length = strlen(text);
    if (length == 0)
        return NULL;
    bool plain = strncmp(text, "http://", 7) == 0;
    if (!plain && strncmp(text, "https://", 8) != 0)
        return "must begin with https://";
    if (!url_host(text + (plain ? 7 : 8), host) || strpbrk(text, "@?#\\ \"") != NULL ||
        has_control(text))
        return "must be https://HOST[:PORT][/PATH]";
    if (plain && !host_is_loopback(host) && strcmp(host, plain_host) != 0)
        return plain_message;
    while (text[length - 1] == '/')
        text[--length] = '\0';
    return NULL;
}

const char *check_url(char *text)
{
    return check_address(text, "", "http:// is for loopback addresses only");
}

/* The platform's metadata service has no TLS; its link-local address never leaves the host. */
const char *check_endpoint(char *text)
{
    return *text == '\0' ? "must not be empty"
                         : check_address(text, "169.254.169.254",
                                         "http:// is for 169.254.169.254 and loopback addresses "
                                         "only");
}

const char *check_template(char *text)
{
    static const char *const words[] = {"{local}", "{n}", "{domain}"};
    const char *at = text;
    if (strstr(text, "{n}") == NULL)
        return "must contain {n}";
    while ((at = strpbrk(at, "{}")) != NULL) {
        size_t i = 0;
        while (i < sizeof words / sizeof words[0] && strncmp(at, words[i], strlen(words[i])) != 0)
            i++;
        if (i == sizeof words / sizeof words[0])
            return "may have {local}, {n} and {domain} in braces, nothing else";
        at += strlen(words[i]);
    }
    const char *sign = strchr(text, '@');
    if (sign == NULL || sign == text || sign[1] == '\0' || strchr(sign + 1, '@') != NULL)
        return "must have one \"@\" with something on both sides";
    return check_identity(text);
}

const char *check_listen(char *text)
{
    static const char message[] = "must be ADDRESS:PORT or \"\"";
    char host[ADDRESS_BYTES + 1];
    unsigned char address[sizeof(struct in6_addr)];
    char *end;
    if (*text == '\0')
        return NULL;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' || !url_host(text, host))
        return message;
    long port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port > 65535)
        return message;
    return inet_pton(*text == '[' ? AF_INET6 : AF_INET, host, address) == 1 ? NULL : message;
}

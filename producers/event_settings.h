/* What every event out needs to know of the configuration. Borrowed strings, set once at start. */
#ifndef PRODUCERS_EVENT_SETTINGS_H
#define PRODUCERS_EVENT_SETTINGS_H

#include <stdint.h>

enum out_topic {
    TOPIC_SUCCEEDED,
    TOPIC_CONFLICTS,
    TOPIC_FAILED,
    TOPIC_PLANS,
    TOPIC_BATCHES,
    TOPIC_NOTIFICATIONS,
    TOPIC_DEAD_LETTERS,
    TOPIC_JOURNAL,
    OUT_TOPICS
};

enum { TYPE_PREFIX_BYTES = 200 };

struct recipient_key; /* producers/jwe.h */

struct event_settings {
    const char *topics[OUT_TOPICS]; /* several may be the same topic */
    const char *source;             /* events.source, never "" */
    const char *type_prefix;
    int64_t secret_expire_ms;
    const struct recipient_key *recipient_key; /* NULL: no password is ever generated */
    int64_t retention_ms;
    const char *default_tenant; /* stands in where a request named none */
};

#endif

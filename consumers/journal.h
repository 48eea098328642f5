/* The journal as the worker reads it: an index of 40 bytes a record in memory, the records fetched
 * when they are needed (design 7). Loop thread only. */
#ifndef CONSUMERS_JOURNAL_H
#define CONSUMERS_JOURNAL_H

#include "policy/digest.h"
#include "policy/intent.h"
#include "policy/record.h"

enum journal_state { JOURNAL_INTENT, JOURNAL_DONE };

/* 16 bytes of the record's key: a UUID's own, or made of `!<offset>` for a dead letter or a reused
 * request id, `!<offset>#<item>` where it is one item's of the record. */
struct journal_key {
    uint8_t bytes[UUID_BYTES];
};
bool journal_key_from_text(const char *text, size_t bytes, struct journal_key *ret_key);

struct journal_entry {
    struct journal_key key;
    int64_t request_offset;
    int64_t journal_offset;
    int64_t time_ms : 62; /* rw-time; & JOURNAL_TIME_MASK tells the compiler that it fits */
    unsigned state : 2;   /* journal_state */
};
#define JOURNAL_TIME_MASK (INT64_MAX >> 2)

/* A record of the journal, decoded. Headers and value stay as they were stored, because a replay
 * publishes them again. Borrows from `record`. */
struct journal_record {
    enum journal_state state;
    int64_t request_offset; /* rw-offset */
    char digest[DIGEST_CHARS + 1];
    int64_t time_ms;    /* rw-time */
    int64_t started_ms; /* rw-started */
    const struct record *record;
};

/* -EPROTO: unreadable or of an unknown version; the partition must not be taken (design 7). */
int journal_record_decode(const struct record *record, struct journal_record *ret_decoded);
/* The value of an intent. `ret_user` receives what ret_intent->user points to. -EPROTO as above. */
int journal_intent_decode(const struct journal_record *record, struct intent *ret_intent,
                          struct user_facts *ret_user);

/* What the index says about request record `offset` with this key (design 7, the list under
 * "done"). Whether a smaller offset's record is a repeat needs its digest, so it must be fetched.
 */
enum journal_verdict {
    JOURNAL_SAYS_NEW,
    JOURNAL_SAYS_FINISHED, /* skip silently */
    JOURNAL_SAYS_RESUME,   /* fetch the intent */
    JOURNAL_SAYS_COMPARE,  /* fetch, then compare digests: replay, resume or request_id_reused */
};
/* entry NULL: nothing stands there. Beyond `window_ms` after its time a done record is forgotten.
 */
enum journal_verdict journal_decide(const struct journal_entry *entry, int64_t request_offset,
                                    int64_t now_wall_ms, int64_t window_ms);

#endif

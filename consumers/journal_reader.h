/* The journal's reader: a handle of its own beside the consumer, which never joins the group. Loads
 * the index of partitions that are being taken, and fetches single records by their offset. Loop
 * thread only; blocks in new and free, and for the stop of a partition (one round to librdkafka's
 * main thread). */
#ifndef CONSUMERS_JOURNAL_READER_H
#define CONSUMERS_JOURNAL_READER_H

#include "consumers/journal_index.h"
#include "consumers/request_consumer.h"

struct journal_reader;

enum journal_load { JOURNAL_LOADED, JOURNAL_UNREADABLE, JOURNAL_NO_ROOM };

/* Called from journal_reader_service, and from nowhere else. */
struct journal_reader_handlers {
    void *context;
    /* `why` is a sentence unless the partition was loaded. */
    void (*on_loaded)(void *context, int32_t partition, enum journal_load load, const char *why);
    void (*on_fetched)(void *context, void *fetch_context, const struct journal_record *record);
    void (*on_log)(void *context, int level, const char *line);
};

/* `index` is borrowed. -EINVAL with a sentence. */
int journal_reader_new(const struct request_consumer_settings *settings,
                       const struct journal_reader_handlers *handlers, struct journal_index *index,
                       struct journal_reader **ret_reader, char *reterr, size_t reterr_bytes);
void journal_reader_free(struct journal_reader *reader);

/* The handle to ask the group's coordinator through. librdkafka 2.0.2 never doubts which broker
 * that is, and forgets it only when nobody has asked for metadata.max.age.ms, at the next full
 * second (rdkafka_coord.c). The consumer's own handle, at 15 min, asked a former coordinator for
 * ever; this one looks for it anew after 1.1 s of silence. */
rd_kafka_t *journal_reader_handle(const struct journal_reader *reader);

/* Reads the partition from where the index left off to its end as of now, pending transactions
 * included, then answers with on_loaded. `base`: as in journal_index_hold. */
void journal_reader_load(struct journal_reader *reader, int32_t partition, int64_t base);
/* Answered with on_fetched. */
void journal_reader_fetch(struct journal_reader *reader, int32_t partition, int64_t journal_offset,
                          void *fetch_context);
/* Everything under way is dropped and never answered. */
void journal_reader_abandon(struct journal_reader *reader);

/* True: more waits already. */
bool journal_reader_service(struct journal_reader *reader, int64_t now_mono_ms);

#endif

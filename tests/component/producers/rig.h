/* A publisher with work to do, and a reader of what it wrote. */
#ifndef TESTS_COMPONENT_PRODUCERS_RIG_H
#define TESTS_COMPONENT_PRODUCERS_RIG_H

#include "producers/batch.h"
#include "producers/dead_letter_encode.h"
#include "tests/unit/producers/given.h"
#include "tests/unit/producers/recipient.h"

enum { RIG_JOBS_MAX = 8, RIG_LETTERS_MAX = 60, RIG_TAKE_MS = 60 * 1000, RIG_PARTITIONS = 3 };

/* Outcomes with a notification and a password each, so that three topics are written. */
struct rig {
    struct event_settings events;
    struct publisher_settings settings;
    struct publisher *publisher;
    struct recipient recipient;
    char topics[OUT_TOPICS][64], requests_topic[64];
    struct user_facts before;
    struct rig_job {
        struct restore_request request;
        struct outcome outcome;
        char password[32];
        struct publication publication;
    } jobs[RIG_JOBS_MAX];
    int n_letters;
    struct rig_letter {
        struct dead_letter *letter;
        struct publication publication;
    } letters[RIG_LETTERS_MAX];
    struct batch batch;
};

/* `name` makes topics, group and instance of their own. */
void rig_init(struct rig *rig, const char *brokers, const char *name);
void rig_start(struct rig *rig);
void rig_stop(struct rig *rig);

/* A batch of `n` outcomes, request k in partition k mod RIG_PARTITIONS; owned by the rig until the
 * next. membership NULL: of nobody, which only the mock cluster accepts. */
void rig_fill(struct rig *rig, int n, rd_kafka_consumer_group_metadata_t *membership);
void rig_add_dead_letter(struct rig *rig, size_t value_bytes);
/* Submits it and waits for it. */
enum batch_result rig_publish(struct rig *rig);

/* One record that a reader sees. */
struct seen {
    int32_t partition;
    int64_t offset;
    char key[64], id[64]; /* ce_id, "" without */
    bool truncated;       /* has the header that says so */
    char *value;          /* text */
    size_t value_bytes;
};
struct seen_list {
    int n;
    struct seen all[64];
};

/* Reads all partitions of a topic from their beginning to their end. */
void rig_read(const struct rig *rig, enum out_topic topic, const char *isolation,
              struct seen_list *ret_list);
void seen_list_free(struct seen_list *list);
/* How many have this id; all of them must be the same, byte for byte. */
int seen_count(const struct seen_list *list, const char *id);

/* Each outcome is in its topics once to `most` times, every time the same bytes, and its journal
 * record where the publication says. */
void assert_published(const struct rig *rig, int n, const char *isolation, int most);

#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/producers/rig.h"

#include "producers/out_message.h"
#include "worker/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_log(void *context, int level, const char *line)
{
    (void)context;
    if (getenv("RESTORE_TEST_VERBOSE") != NULL)
        (void)fprintf(stderr, "<%d> %s\n", level, line);
}

void rig_init(struct rig *rig, const char *brokers, const char *name)
{
    static const char *const topics[OUT_TOPICS] = {[TOPIC_SUCCEEDED] = "succeeded",
                                                   [TOPIC_CONFLICTS] = "conflicts",
                                                   [TOPIC_FAILED] = "failed",
                                                   [TOPIC_NOTIFICATIONS] = "notifications",
                                                   [TOPIC_DEAD_LETTERS] = "dead-letters",
                                                   [TOPIC_JOURNAL] = "journal"};
    *rig = (struct rig){0};
    recipient_make(&rig->recipient);
    given_event_settings(&rig->events);
    rig->events.recipient_key = rig->recipient.key;
    for (int i = 0; i < OUT_TOPICS; i++) {
        if (topics[i] == NULL)
            continue;
        (void)snprintf(rig->topics[i], sizeof rig->topics[i], "%s.%s", name, topics[i]);
        rig->events.topics[i] = rig->topics[i];
    }
    (void)snprintf(rig->requests_topic, sizeof rig->requests_topic, "%s.requests", name);
    rig->settings = (struct publisher_settings){.brokers = brokers,
                                                .group = name,
                                                .instance = "instance-a",
                                                .requests_topic = rig->requests_topic,
                                                .events = &rig->events,
                                                .read_mono_ms = loop_read_mono_ms,
                                                .log = on_log};
}

void rig_start(struct rig *rig)
{
    char error[256] = "";
    int rc = publisher_new(&rig->settings, RIG_TAKE_MS, &rig->publisher, error, sizeof error);
    if (rc < 0)
        print_message("publisher_new: %d %s\n", rc, error);
    assert_int_equal(rc, 0);
}

static void empty_batch(struct rig *rig)
{
    batch_deinit(&rig->batch);
    while (rig->n_letters > 0)
        dead_letter_free(rig->letters[--rig->n_letters].letter);
}

void rig_stop(struct rig *rig)
{
    publisher_free(rig->publisher);
    empty_batch(rig);
    recipient_free(&rig->recipient);
}

void rig_fill(struct rig *rig, int n, rd_kafka_consumer_group_metadata_t *membership)
{
    static int64_t next_offset = 100;
    empty_batch(rig);
    given_user(&rig->before);
    for (int i = 0; i < n; i++) {
        struct rig_job *job = &rig->jobs[i];
        given_request(&job->request);
        (void)snprintf(job->request.envelope.id, sizeof job->request.envelope.id, "request-%d", i);
        given_outcome(&job->outcome, &job->request, &rig->before);
        job->outcome.password = PASSWORD_GENERATED;
        job->outcome.to.n = 1;
        (void)text_copy(job->outcome.to.address[0], sizeof job->outcome.to.address[0],
                        "boss@contoso.com");
        (void)text_copy(job->password, sizeof job->password, "Kj8-xQ2pw");
        job->publication = (struct publication){.kind = PUBLISH_OUTCOME,
                                                .partition = i % RIG_PARTITIONS,
                                                .offset = next_offset++,
                                                .started_ms = GIVEN_STARTED_MS,
                                                .of.outcome = {&job->outcome, job->password}};
        batch_add(&rig->batch, &job->publication);
        assert_int_equal(batch_set_offset(&rig->batch, i % RIG_PARTITIONS, next_offset), 0);
    }
    rig->batch.membership =
        membership != NULL ? membership : rd_kafka_consumer_group_metadata_new(rig->settings.group);
}

void rig_add_dead_letter(struct rig *rig, size_t value_bytes)
{
    assert_true(rig->n_letters < RIG_LETTERS_MAX);
    struct rig_letter *letter = &rig->letters[rig->n_letters];
    int64_t offset = rig->n_letters++;
    char *value = malloc(value_bytes);
    uint32_t random = 1;
    for (size_t i = 0; i < value_bytes; i++) { /* lz4 must not make it small */
        random = random * 1664525U + 1013904223U;
        value[i] = (char)(random >> 24);
    }
    struct record record = {.topic = rig->requests_topic,
                            .partition = 0,
                            .offset = offset,
                            .key = "k",
                            .key_bytes = 1,
                            .value = value,
                            .value_bytes = value_bytes};
    letter->letter = dead_letter_new(&record, "no request", NULL, GIVEN_FINISHED_MS);
    free(value);
    letter->publication = (struct publication){
        .kind = PUBLISH_DEAD_LETTER, .offset = offset, .of.dead_letter = letter->letter};
    batch_add(&rig->batch, &letter->publication);
    assert_int_equal(batch_set_offset(&rig->batch, 0, 1000), 0);
}

enum batch_result rig_publish(struct rig *rig)
{
    publisher_submit(rig->publisher, &rig->batch);
    struct batch *batch = publisher_take(rig->publisher, RIG_TAKE_MS);
    assert_ptr_equal(batch, &rig->batch);
    if (batch->result == BATCH_FAILED)
        print_message("failed, %d: %s\n", batch->exit_code, batch->error);
    return batch->result;
}

static void copy_text(char *to, size_t to_bytes, const void *from, size_t from_bytes)
{
    (void)snprintf(to, to_bytes, "%.*s", (int)from_bytes, from == NULL ? "" : (const char *)from);
}

static void see(const rd_kafka_message_t *record, struct seen *ret_seen)
{
    *ret_seen = (struct seen){.partition = record->partition,
                              .offset = record->offset,
                              .value = malloc(record->len + 1),
                              .value_bytes = record->len};
    if (record->len > 0)
        memcpy(ret_seen->value, record->payload, record->len);
    ret_seen->value[record->len] = '\0';
    copy_text(ret_seen->key, sizeof ret_seen->key, record->key, record->key_len);
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    if (rd_kafka_message_headers(record, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (rd_kafka_header_get_last(headers, "ce_id", &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR)
        copy_text(ret_seen->id, sizeof ret_seen->id, value, bytes);
    ret_seen->truncated = rd_kafka_header_get_last(headers, "__connect.errors.truncated", &value,
                                                   &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A commit is answered before its markers are written: an end below the high watermark is where a
 * transaction still holds the reader back. */
static bool is_the_end(rd_kafka_t *reader, const rd_kafka_message_t *record)
{
    int64_t low = -1, high = -1;
    return record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF &&
           rd_kafka_get_watermark_offsets(reader, rd_kafka_topic_name(record->rkt),
                                          record->partition, &low, &high) == 0 &&
           record->offset == high;
}

static void read_to_the_ends(rd_kafka_t *reader, rd_kafka_queue_t *queue, struct seen_list *list)
{
    int64_t give_up_ms = loop_read_mono_ms() + RIG_TAKE_MS;
    for (int ends = 0; ends < RIG_PARTITIONS;) {
        assert_true(loop_read_mono_ms() < give_up_ms);
        rd_kafka_message_t *record = rd_kafka_consume_queue(queue, 1000);
        if (record == NULL)
            continue;
        ends += is_the_end(reader, record);
        if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            assert_true(list->n < 64);
            see(record, &list->all[list->n++]);
        }
        rd_kafka_message_destroy(record);
    }
}

void rig_read(const struct rig *rig, enum out_topic topic, const char *isolation,
              struct seen_list *ret_list)
{
    char error[256];
    const char *const own[][2] = {{"bootstrap.servers", rig->settings.brokers},
                                  {"isolation.level", isolation},
                                  {"enable.partition.eof", "true"},
                                  {"fetch.wait.max.ms", "10"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_int_equal(rd_kafka_conf_set(conf, own[i][0], own[i][1], error, sizeof error),
                         RD_KAFKA_CONF_OK);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    assert_non_null(reader);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader, rig->events.topics[topic], NULL);
    ret_list->n = 0;
    const struct rd_kafka_metadata *metadata; /* else it is fetched only at the next tick, 1 s */
    assert_int_equal(rd_kafka_metadata(reader, 0, handle, &metadata, RIG_TAKE_MS), 0);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(reader);
    for (int32_t partition = 0; partition < RIG_PARTITIONS; partition++)
        assert_int_equal(
            rd_kafka_consume_start_queue(handle, partition, RD_KAFKA_OFFSET_BEGINNING, queue), 0);
    read_to_the_ends(reader, queue, ret_list);
    for (int32_t partition = 0; partition < RIG_PARTITIONS; partition++)
        (void)rd_kafka_consume_stop(handle, partition);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(reader);
}

void seen_list_free(struct seen_list *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->all[i].value);
    list->n = 0;
}

int seen_count(const struct seen_list *list, const char *id)
{
    const struct seen *first = NULL;
    int n = 0;
    for (int i = 0; i < list->n; i++) {
        const struct seen *seen = &list->all[i];
        if (strcmp(seen->id, id) != 0)
            continue;
        if (first == NULL)
            first = seen;
        assert_string_equal(seen->value, first->value);
        n++;
    }
    return n;
}

static void assert_topic_has(const struct rig *rig, enum out_topic topic, const char *isolation,
                             int n, const char *id_kind, int most)
{
    struct seen_list list;
    rig_read(rig, topic, isolation, &list);
    for (int i = 0; i < n; i++) {
        char id[GUID_CHARS + 1];
        request_uuid(&rig->jobs[i].request, id_kind, id);
        assert_in_range(seen_count(&list, id), 1, most);
        const struct publication *publication = &rig->jobs[i].publication;
        bool found = topic != TOPIC_JOURNAL;
        for (int j = 0; j < list.n && !found; j++)
            found = list.all[j].partition == publication->partition &&
                    list.all[j].offset == publication->journal_offset &&
                    strcmp(list.all[j].id, id) == 0;
        assert_true(found);
    }
    if (most == 1)
        assert_int_equal(list.n, n);
    seen_list_free(&list);
}

void assert_published(const struct rig *rig, int n, const char *isolation, int most)
{
    assert_topic_has(rig, TOPIC_SUCCEEDED, isolation, n, "succeeded", most);
    assert_topic_has(rig, TOPIC_NOTIFICATIONS, isolation, n, "notification-requested:user-restored",
                     most);
    assert_topic_has(rig, TOPIC_JOURNAL, isolation, n, "succeeded", most);
}

/* The publisher's promises on real Kafka, which the mock cluster cannot show. Needs
 * RESTORE_TEST_BROKERS; each run makes topics of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/producers/rig.h"
#include "worker/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JOBS = 6, SMALL_TOPIC_BYTES = 4000 };

static const char *brokers;
static struct rig rig;
static rd_kafka_t *member;

/* ---- seams: the linker puts these before librdkafka's (--wrap) ---- */

static enum commit_mode {
    COMMIT_PLAIN,
    COMMIT_DONE_BUT_UNKNOWN,
    COMMIT_NOT_DONE_AND_UNKNOWN
} commit_mode;
static bool leave_out_offsets;
static bool every_second_begin_fails;

rd_kafka_error_t *__real_rd_kafka_begin_transaction(rd_kafka_t *handle);
rd_kafka_error_t *__wrap_rd_kafka_begin_transaction(rd_kafka_t *handle);
rd_kafka_error_t *__wrap_rd_kafka_begin_transaction(rd_kafka_t *handle)
{
    static int n_calls;
    if (every_second_begin_fails && n_calls++ % 2 == 1)
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__STATE, "made up by the test");
    return __real_rd_kafka_begin_transaction(handle);
}

rd_kafka_error_t *__real_rd_kafka_commit_transaction(rd_kafka_t *handle, int timeout_ms);
rd_kafka_error_t *__wrap_rd_kafka_commit_transaction(rd_kafka_t *handle, int timeout_ms);
rd_kafka_error_t *__wrap_rd_kafka_commit_transaction(rd_kafka_t *handle, int timeout_ms)
{
    enum commit_mode mode = commit_mode;
    commit_mode = COMMIT_PLAIN;
    rd_kafka_error_t *error = mode == COMMIT_NOT_DONE_AND_UNKNOWN
                                  ? NULL
                                  : __real_rd_kafka_commit_transaction(handle, timeout_ms);
    if (mode == COMMIT_PLAIN || error != NULL)
        return error;
    return rd_kafka_error_new(RD_KAFKA_RESP_ERR__TIMED_OUT, "made up by the test");
}

rd_kafka_error_t *__real_rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *membership, int timeout_ms);
rd_kafka_error_t *__wrap_rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *membership, int timeout_ms);
rd_kafka_error_t *__wrap_rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *membership, int timeout_ms)
{
    return leave_out_offsets ? NULL
                             : __real_rd_kafka_send_offsets_to_transaction(handle, offsets,
                                                                           membership, timeout_ms);
}

/* ---- topics and membership ---- */

static void make_topics(void)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error);
    rd_kafka_t *admin = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    rd_kafka_NewTopic_t *topics[OUT_TOPICS + 1];
    size_t n = 0;
    for (int i = 0; i < OUT_TOPICS; i++) {
        if (rig.events.topics[i] == NULL)
            continue;
        topics[n] =
            rd_kafka_NewTopic_new(rig.events.topics[i], RIG_PARTITIONS, 1, error, sizeof error);
        if (i == TOPIC_DEAD_LETTERS)
            (void)rd_kafka_NewTopic_set_config(topics[n], "max.message.bytes", "4000");
        n++;
    }
    topics[n++] = rd_kafka_NewTopic_new(rig.requests_topic, RIG_PARTITIONS, 1, error, sizeof error);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin);
    rd_kafka_CreateTopics(admin, topics, n, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, RIG_TAKE_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy_array(topics, n);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(admin);
}

static rd_kafka_t *make_member(void)
{
    char error[256];
    const char *const own[][2] = {{"bootstrap.servers", brokers},
                                  {"group.id", rig.settings.group},
                                  {"enable.auto.commit", "false"},
                                  {"session.timeout.ms", "10000"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        (void)rd_kafka_conf_set(conf, own[i][0], own[i][1], error, sizeof error);
    rd_kafka_t *made = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    assert_non_null(made);
    (void)rd_kafka_poll_set_consumer(made);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, rig.requests_topic, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(made, topics), 0);
    rd_kafka_topic_partition_list_destroy(topics);
    return made;
}

static int n_assigned(rd_kafka_t *of)
{
    rd_kafka_topic_partition_list_t *held = NULL;
    rd_kafka_message_t *record = rd_kafka_consumer_poll(of, 20);
    if (record != NULL)
        rd_kafka_message_destroy(record);
    (void)rd_kafka_assignment(of, &held);
    int n = held->cnt;
    rd_kafka_topic_partition_list_destroy(held);
    return n;
}

static void await_assignment(rd_kafka_t *a, rd_kafka_t *b)
{
    int64_t give_up_ms = loop_read_mono_ms() + RIG_TAKE_MS;
    for (;;) {
        int of_a = n_assigned(a), of_b = b == NULL ? 0 : n_assigned(b);
        if (of_a + of_b == RIG_PARTITIONS && (b == NULL || (of_a > 0 && of_b > 0)))
            return;
        assert_true(loop_read_mono_ms() < give_up_ms);
    }
}

static int start(void **state)
{
    (void)state;
    static int run;
    char name[40];
    (void)snprintf(name, sizeof name, "t%d-%lld-%d", (int)getpid(), (long long)loop_read_mono_ms(),
                   run++);
    static char group[40];
    (void)snprintf(group, sizeof group, "%s", name);
    commit_mode = COMMIT_PLAIN;
    leave_out_offsets = every_second_begin_fails = false;
    rig_init(&rig, brokers, group);
    make_topics();
    member = make_member();
    await_assignment(member, NULL);
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    (void)rd_kafka_consumer_close(member);
    rd_kafka_destroy(member);
    return 0;
}

static int64_t committed_offset(int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, rig.requests_topic, partition);
    assert_int_equal(rd_kafka_committed(member, list, RIG_TAKE_MS), 0);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}

static void assert_offsets_are_committed(void)
{
    for (int i = 0; i < rig.batch.n_offsets; i++)
        assert_int_equal(committed_offset(rig.batch.offsets[i].partition),
                         rig.batch.offsets[i].offset);
}

static void assert_nothing_is_visible(void)
{
    for (int topic = 0; topic < OUT_TOPICS; topic++) {
        struct seen_list list;
        if (rig.events.topics[topic] == NULL)
            continue;
        rig_read(&rig, (enum out_topic)topic, "read_committed", &list);
        assert_int_equal(list.n, 0);
        seen_list_free(&list);
    }
}

/* ---- tests ---- */

static void events_journal_and_offsets_are_committed_together(void **state)
{
    (void)state;
    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
    assert_offsets_are_committed();
}

static void a_commit_that_was_done_but_not_answered_is_not_done_again(void **state)
{
    (void)state;
    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    commit_mode = COMMIT_DONE_BUT_UNKNOWN;
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
    assert_published(&rig, JOBS, "read_uncommitted", 1);
    assert_offsets_are_committed();
}

static void a_commit_that_was_lost_is_made_up_for_by_a_new_producer(void **state)
{
    (void)state;
    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    commit_mode = COMMIT_NOT_DONE_AND_UNKNOWN;
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
    assert_published(&rig, JOBS, "read_uncommitted", 2);
    assert_offsets_are_committed();
}

/* Another member joins, so that what was taken before is of an old generation. */
static rd_kafka_consumer_group_metadata_t *membership_of_the_past(rd_kafka_t **ret_other)
{
    rd_kafka_consumer_group_metadata_t *old = rd_kafka_consumer_group_metadata(member);
    *ret_other = make_member();
    await_assignment(member, *ret_other);
    return old;
}

static void an_old_generation_publishes_nothing(void **state)
{
    (void)state;
    rd_kafka_t *other;
    rig_fill(&rig, JOBS, membership_of_the_past(&other));
    assert_int_equal(rig_publish(&rig), BATCH_REFUSED);
    assert_nothing_is_visible();
    assert_int_equal(committed_offset(0), RD_KAFKA_OFFSET_INVALID);

    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
    (void)rd_kafka_consumer_close(other);
    rd_kafka_destroy(other);
}

/* The control of the test above: it is the offsets, and nothing else, that refuse it. */
static void without_offsets_an_old_generation_would_publish(void **state)
{
    (void)state;
    rd_kafka_t *other;
    leave_out_offsets = true;
    rig_fill(&rig, JOBS, membership_of_the_past(&other));
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
    (void)rd_kafka_consumer_close(other);
    rd_kafka_destroy(other);
}

/* Why a batch may hold partitions only that are held when it is closed (design 6): of who holds one
 * the broker asks nothing. */
static void offsets_of_a_partition_that_another_holds_are_let_through(void **state)
{
    (void)state;
    rd_kafka_t *other = make_member();
    rd_kafka_topic_partition_list_t *held = NULL;
    await_assignment(member, other);
    assert_int_equal(rd_kafka_assignment(member, &held), 0);
    assert_true(held->cnt < RIG_PARTITIONS);
    rd_kafka_topic_partition_list_destroy(held);

    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    assert_int_equal(rig.batch.n_offsets, RIG_PARTITIONS);
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
    assert_offsets_are_committed();
    (void)rd_kafka_consumer_close(other);
    rd_kafka_destroy(other);
}

static void of_two_processes_with_one_name_the_older_ends(void **state)
{
    (void)state;
    struct publisher *older = rig.publisher;
    rig_start(&rig);
    struct publisher *newer = rig.publisher;
    rig.publisher = older;
    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    assert_int_equal(rig_publish(&rig), BATCH_FAILED);
    assert_int_equal(rig.batch.exit_code, 78);
    assert_string_equal(rig.batch.error, "another process uses kafka.instance instance-a");
    assert_nothing_is_visible();
    publisher_free(older);

    rig.publisher = newer;
    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_published(&rig, JOBS, "read_committed", 1);
}

static void a_dead_letter_too_large_for_its_topic_arrives_without_its_value(void **state)
{
    (void)state;
    struct seen_list list;
    rig_fill(&rig, JOBS, rd_kafka_consumer_group_metadata(member));
    rig_add_dead_letter(&rig, 2 * SMALL_TOPIC_BYTES);
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    rig_read(&rig, TOPIC_DEAD_LETTERS, "read_committed", &list);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.all[0].value_bytes, 0);
    assert_string_equal(list.all[0].key, "k");
    assert_true(list.all[0].truncated);
    seen_list_free(&list);
}

/* It was refused once; what is still known of that when begin fails is no second refusal. */
static void a_dead_letter_loses_no_more_than_each_refusal_takes(void **state)
{
    (void)state;
    struct seen_list list;
    rig_fill(&rig, 1, rd_kafka_consumer_group_metadata(member));
    rig_add_dead_letter(&rig, 2 * SMALL_TOPIC_BYTES);
    every_second_begin_fails = true;
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    rig_read(&rig, TOPIC_DEAD_LETTERS, "read_committed", &list);
    assert_int_equal(list.n, 1);
    assert_true(list.all[0].truncated);
    assert_string_equal(list.all[0].key, "k");
    seen_list_free(&list);
}

/* Only one refusal is told in a transaction; a pause of up to a second after each made these take
 * 40 s and more. */
static void many_dead_letters_too_large_hold_nobody_up(void **state)
{
    (void)state;
    struct seen_list list;
    int n_whole = 0;
    rig_fill(&rig, 1, rd_kafka_consumer_group_metadata(member));
    for (int i = 0; i < RIG_LETTERS_MAX; i++)
        rig_add_dead_letter(&rig, i % 4 == 0 ? SMALL_TOPIC_BYTES / 2 : 2 * SMALL_TOPIC_BYTES);
    int64_t before_ms = loop_read_mono_ms();
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_in_range(loop_read_mono_ms() - before_ms, 0, 35000);
    rig_read(&rig, TOPIC_DEAD_LETTERS, "read_committed", &list);
    assert_int_equal(list.n, RIG_LETTERS_MAX);
    for (int i = 0; i < list.n; i++) {
        assert_int_equal(list.all[i].value_bytes,
                         list.all[i].truncated ? 0 : SMALL_TOPIC_BYTES / 2);
        n_whole += !list.all[i].truncated;
    }
    assert_int_equal(n_whole, RIG_LETTERS_MAX / 4);
    seen_list_free(&list);
}

static void a_dead_letter_that_fits_arrives_whole(void **state)
{
    (void)state;
    struct seen_list list;
    rig_fill(&rig, 1, rd_kafka_consumer_group_metadata(member));
    rig_add_dead_letter(&rig, SMALL_TOPIC_BYTES / 2);
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    rig_read(&rig, TOPIC_DEAD_LETTERS, "read_committed", &list);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.all[0].value_bytes, SMALL_TOPIC_BYTES / 2);
    assert_false(list.all[0].truncated);
    seen_list_free(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    brokers = getenv("RESTORE_TEST_BROKERS");
    if (brokers == NULL) {
        (void)fprintf(stderr, "SKIPPED: RESTORE_TEST_BROKERS names no Kafka, so exactly-once was "
                              "not tested\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        TEST(events_journal_and_offsets_are_committed_together),
        TEST(a_commit_that_was_done_but_not_answered_is_not_done_again),
        TEST(a_commit_that_was_lost_is_made_up_for_by_a_new_producer),
        TEST(an_old_generation_publishes_nothing),
        TEST(without_offsets_an_old_generation_would_publish),
        TEST(offsets_of_a_partition_that_another_holds_are_let_through),
        TEST(of_two_processes_with_one_name_the_older_ends),
        TEST(a_dead_letter_too_large_for_its_topic_arrives_without_its_value),
        TEST(a_dead_letter_loses_no_more_than_each_refusal_takes),
        TEST(many_dead_letters_too_large_hold_nobody_up),
        TEST(a_dead_letter_that_fits_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

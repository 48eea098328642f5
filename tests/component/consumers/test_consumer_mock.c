/* On librdkafka's mock cluster: what does not depend on transactions, which the mock only plays
 * (measurements.md 2). Its groups take 3 s to form, and a rebalance session.timeout - 1 s. */
#include "consumers/rebalance.h" /* the index's maximum is no setting */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const FAST[] = {"session.timeout.ms=6000", "heartbeat.interval.ms=500",
                                   "fetch.wait.max.ms=10"};
enum { N_FAST = sizeof FAST / sizeof *FAST };

enum { OFFSET_FETCH = 9, HEARTBEAT = 12, SYNC_GROUP = 14 }; /* protocol.html#protocol_api_keys */

static const char KEY[] = "3fac718e-8086-5256-a5ed-f283398b4b66";

/* ---- seams: the linker puts these before librdkafka's (--wrap) ---- */

static rd_kafka_t *last_asking;
static int n_blocking_questions;
static bool was_closed;

rd_kafka_resp_err_t __real_rd_kafka_metadata(rd_kafka_t *handle, int all, rd_kafka_topic_t *topic,
                                             const struct rd_kafka_metadata **ret_metadata,
                                             int timeout_ms);
rd_kafka_resp_err_t __wrap_rd_kafka_metadata(rd_kafka_t *handle, int all, rd_kafka_topic_t *topic,
                                             const struct rd_kafka_metadata **ret_metadata,
                                             int timeout_ms);
rd_kafka_resp_err_t __wrap_rd_kafka_metadata(rd_kafka_t *handle, int all, rd_kafka_topic_t *topic,
                                             const struct rd_kafka_metadata **ret_metadata,
                                             int timeout_ms)
{
    last_asking = handle;
    n_blocking_questions++;
    return __real_rd_kafka_metadata(handle, all, topic, ret_metadata, timeout_ms);
}

int __real_rd_kafka_consumer_closed(rd_kafka_t *handle);
int __wrap_rd_kafka_consumer_closed(rd_kafka_t *handle);
int __wrap_rd_kafka_consumer_closed(rd_kafka_t *handle)
{
    int closed = __real_rd_kafka_consumer_closed(handle);
    was_closed = closed != 0;
    return closed;
}

/* ---- the mock ---- */

static void slow_down(const struct rig *rig, int rtt_ms)
{
    for (int broker = 1; broker <= RIG_MOCK_BROKERS; broker++)
        rd_kafka_mock_broker_set_rtt(rig->mock, broker, rtt_ms);
}

static int held_by(const struct member *member)
{
    int held, all;
    request_consumer_share(member->consumer, &held, &all);
    return held;
}

static int setup(void **state)
{
    static struct rig rig;
    rig_start(&rig, NULL, 4, 4);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    return 0;
}

static void partitions_are_taken_from_in_turn_and_in_order(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rig_produce(rig, 20);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    rig_turn_for(500); /* not taken from: all queues fill */
    assert_int_equal(member.n_taken, 0);
    member.take_max = 1000;
    UNTIL(member.n_taken == 80);
    for (int i = 0; i < 20; i += 4) {
        char four[5] = {0};
        memcpy(four, member.taken_order + i, 4);
        for (char partition = '0'; partition < '4'; partition++)
            assert_non_null(strchr(four, partition));
    }
    int held, all;
    request_consumer_share(member.consumer, &held, &all);
    assert_int_equal(held, 4);
    assert_int_equal(all, 4);
    assert_int_equal(offsets_committable(&member.held[2]->offsets), 20);
}

static void what_is_not_taken_waits_and_the_group_stays(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    rig_produce(rig, 100);
    member.take_max = 10;
    UNTIL(member.n_taken == 10);
    rig_turn_for(8000); /* longer than the session */
    assert_int_equal(member.n_taken, 10);
    assert_int_equal(member.n_revoked, 0);
    member.take_max = 1000;
    UNTIL(member.n_taken == 400);
}

static void a_new_record_wakes_the_loop(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.take_max = 1000};
    member_start(&member, rig, "one", FAST, N_FAST);
    rig_produce(rig, 1); /* the first record of a producer waits for metadata, up to 1 s */
    UNTIL(member.n_taken == 4);
    for (int i = 0; i < 5; i++) {
        int taken = member.n_taken;
        rig_produce_to(rig, i % 4, 1);
        while (member.n_taken == taken)
            assert_true(rig_turn_when_woken());
    }
}

static void the_journal_is_read_before_a_partition_is_assigned(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.expected_key = KEY};
    for (int32_t partition = 0; partition < 4; partition++) {
        for (int i = 0; i < 500; i++) {
            char key[40];
            snprintf(key, sizeof key, "00000000-0000-5000-8000-%012d", i);
            rig_write_journal(rig, partition, key, "done", i, "{}");
        }
        rig_write_journal(rig, partition, KEY, "intent", 7, "{}");
    }
    assert_int_equal(rd_kafka_flush(rig->producer, 10000), 0);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    for (int i = 0; i < 4; i++)
        assert_true(member.journal_was_there[i]);
}

/* The topics' partitions are known from the start; only new ones are worth a question that blocks.
 */
static void an_assignment_does_not_wait_for_a_slow_broker(void **state)
{
    enum { RTT_MS = 1000 };
    struct rig *rig = *state;
    static struct member member;
    member_start(&member, rig, "one", FAST, N_FAST);
    n_blocking_questions = 0;
    slow_down(rig, RTT_MS);
    UNTIL(member.n_assigned == 4);
    slow_down(rig, 0);
    assert_int_equal(n_blocking_questions, 0);
    assert_in_range(member.longest_service_us, 0, RTT_MS * 1000 - 1); /* no answer was awaited */
}

static void a_stored_record_is_fetched_by_its_offset(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rig_write_journal(rig, 1, KEY, "done", 1, "{\"nr\":0}");
    rig_write_journal(rig, 1, KEY, "done", 2, "{\"nr\":1}");
    rig_write_journal(rig, 1, "3fac718e-8086-5256-a5ed-f283398b4b67", "intent", 3, "{\"nr\":2}");
    assert_int_equal(rd_kafka_flush(rig->producer, 10000), 0);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    for (int i = 0; i < 3; i++) { /* the last one was retained: an intent at or above the base */
        request_consumer_fetch(member.consumer, 1, i, &member);
        UNTIL(member.n_fetched == i + 1);
        char expected[16];
        snprintf(expected, sizeof expected, "{\"nr\":%d}", i);
        assert_string_equal(member.fetched_value, expected);
        assert_int_equal(member.fetched.request_offset, i + 1);
    }
    for (int i = 0; i < 100; i++)
        request_consumer_fetch(member.consumer, 1, i % 3, &member);
    UNTIL(member.n_fetched == 103);
    request_consumer_fetch(member.consumer, 1, 1000, &member);
    UNTIL(member.n_fetched_nothing == 1);
}

/* The mock knows no lagging high watermark; an end at the offset looks the same from here. */
static void a_record_that_the_broker_does_not_show_yet_is_waited_for(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rig_write_journal(rig, 1, KEY, "done", 1, "{\"nr\":0}");
    assert_int_equal(rd_kafka_flush(rig->producer, 10000), 0);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    request_consumer_fetch(member.consumer, 1, 1, &member);
    rig_turn_for(500);
    assert_int_equal(member.n_fetched + member.n_fetched_nothing, 0);
    rig_write_journal(rig, 1, KEY, "done", 2, "{\"nr\":1}");
    UNTIL(member.n_fetched == 1);
    assert_string_equal(member.fetched_value, "{\"nr\":1}");
    assert_int_equal(member.n_fetched_nothing, 0);
}

static void a_partition_with_an_unreadable_journal_is_not_taken(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.take_max = 1000};
    rig_write_journal(rig, 2, "no uuid", "done", 1, "{}");
    rig_produce(rig, 5);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_taken == 15);
    rig_turn_for(500);
    assert_int_equal(member.n_assigned, 3);
    assert_int_equal(member.taken[2], 0);
    assert_non_null(strstr(member.log, "journal partition 2 cannot be read: record at offset 0"));
}

static void an_offset_that_is_refused_is_asked_for_again_and_never_none(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.take_max = 1000};
    rig_produce(rig, 10);
    /* commits 6 for partition 3 */
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rig->brokers, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", rig->group, NULL, 0);
    rd_kafka_t *committer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, rig->requests, 3)->offset = 6;
    assert_int_equal(rd_kafka_commit(committer, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(committer);

    rd_kafka_mock_push_request_errors(
        rig->mock, OFFSET_FETCH, 4, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_taken == 34);
    assert_int_equal(member.first_offset[3], 6);
    assert_int_equal(member.first_offset[0], 0);
    assert_non_null(strstr(member.log, "committed offsets: "));
}

/* A broker that hung is not the coordinator any more when it is back. */
static void a_former_coordinator_is_not_asked_for_ever(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rd_kafka_mock_coordinator_set(rig->mock, "group", rig->group, 1);
    for (int i = 0; i < 1000; i++) /* more than can be asked in time */
        rd_kafka_mock_broker_push_request_error_rtts(rig->mock, 1, OFFSET_FETCH, 1,
                                                     RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 0);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(strstr(member.log, "committed offsets: ") != NULL);
    assert_int_equal(member.n_assigned, 0);
    rd_kafka_mock_coordinator_set(rig->mock, "group", rig->group, 2);
    UNTIL(member.n_assigned == 4);
}

/* One member: with a second one the mock's group may never come to rest. It lets the leader's sync
 * stand for all, and refuses a follower's that comes later. */
static void nothing_is_taken_while_the_owner_winds_up(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.take_max = 20, .revoke_by_hand = true};
    rig_produce(rig, 10);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_taken == 20);
    rig_turn_for(500); /* the others are fetched, and wait */
    rd_kafka_mock_push_request_errors(rig->mock, HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    UNTIL(member.n_revoked == 1);
    assert_int_equal(member.n_lost, 0);
    /* The partitions are still there, for the last batch. */
    assert_int_equal(held_by(&member), 4);
    member.take_max = 1000;
    rig_turn_for(300);
    assert_int_equal(member.n_taken, 20);
    request_consumer_finish_revoke(member.consumer);
    assert_int_equal(held_by(&member), 0);
    UNTIL(member.n_assigned == 8);
    UNTIL(member.n_taken == 20 + 40); /* nothing was committed */
}

static void different_numbers_of_partitions_are_a_configuration_error(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rig_make_topic(rig, "other-journal", 3);
    snprintf(rig->journal, sizeof rig->journal, "other-journal");
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.exit_code != 0);
    assert_int_equal(member.exit_code, EX_CONFIG);
    assert_non_null(strstr(member.why, "has 4 partitions and topic other-journal has 3"));
}

static void a_property_that_librdkafka_refuses_is_a_sentence(void **state)
{
    struct rig *rig = *state;
    const char *properties[] = {"session.timeout.ms=never"};
    struct request_consumer_settings settings = {.brokers = rig->brokers,
                                                 .group = rig->group,
                                                 .instance = "one",
                                                 .requests_topic = rig->requests,
                                                 .journal_topic = rig->journal,
                                                 .n_properties = 1,
                                                 .properties = properties,
                                                 .wake_fd = -1};
    struct request_consumer_handlers handlers = {0};
    struct request_consumer *consumer;
    char reterr[256] = "";
    assert_true(request_consumer_new(&settings, &handlers, &consumer, reterr, sizeof reterr) < 0);
    assert_non_null(strstr(reterr, "session.timeout.ms"));
    properties[0] = "nonsense";
    assert_true(request_consumer_new(&settings, &handlers, &consumer, reterr, sizeof reterr) < 0);
    assert_string_equal(reterr, "a Kafka property is not of the form name=value");
}

static void it_closes_while_it_is_being_assigned(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rd_kafka_mock_push_request_errors(
        rig->mock, OFFSET_FETCH, 3, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(strstr(member.log, "committed offsets: ") != NULL);
    assert_int_equal(member.n_assigned, 0);
    member_stop(&member);
    assert_true(was_closed); /* and not given up */
}

static void a_full_index_stops_the_taking_until_offsets_are_finished(void **state)
{
    enum { TAKEN = 1500, MORE = 500, ROOM = 8192 }; /* request_consumer's INDEX_ROOM */
    struct rig *rig = *state;
    static struct member member = {.take_max = TAKEN, .keep_open = true};
    rig_produce_to(rig, 0, TAKEN + MORE);
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_taken == TAKEN);
    for (int n = 0; n < TAKEN; n++) {
        struct journal_entry entry = {
            .request_offset = n, .journal_offset = n, .time_ms = n, .state = JOURNAL_DONE};
        memcpy(entry.key.bytes, &n, sizeof n);
        request_consumer_journal_put(member.consumer, 0, &entry);
    }
    member.consumer->index.entries_max = ROOM + TAKEN - 1;
    member.take_max += MORE;
    rig_turn_for(2500);
    assert_int_equal(member.n_taken, TAKEN); /* all that it knows is needed */
    assert_int_equal(member.exit_code, 0);

    struct offsets *offsets = &member.held[0]->offsets;
    for (struct open_offset *entry; (entry = offsets->lowest) != NULL; free(entry))
        offsets_close(offsets, entry);
    UNTIL(member.n_taken == TAKEN + MORE);
    for (struct open_offset *entry; (entry = offsets->lowest) != NULL; free(entry))
        offsets_close(offsets, entry);
}

static void a_journal_larger_than_the_index_ends_the_process(void **state)
{
    enum { MAX = 100 };
    struct rig *rig = *state;
    static struct member member;
    for (int i = 0; i <= MAX; i++) {
        char key[40];
        snprintf(key, sizeof key, "00000000-0000-5000-8000-%012d", i);
        rig_write_journal(rig, 0, key, "done", i, "{}");
    }
    assert_int_equal(rd_kafka_flush(rig->producer, 10000), 0);
    member_start(&member, rig, "one", FAST, N_FAST);
    member.consumer->index.entries_max = MAX;
    UNTIL(member.exit_code != 0);
    assert_int_equal(member.exit_code, EX_SOFTWARE);
    assert_string_equal(member.why, "journal partition 0: more than 100 records beyond the lowest "
                                    "unfinished one");
    assert_int_equal(member.n_taken, 0);
}

static void a_member_that_another_fenced_ends_the_process_with_78(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    rd_kafka_mock_push_request_errors(rig->mock, HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
    UNTIL(member.exit_code != 0);
    assert_int_equal(member.exit_code, EX_CONFIG);
    assert_string_equal(member.why, "another process uses kafka.instance one");
}

static void a_member_that_fenced_itself_may_begin_again(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    member_start(&member, rig, "one", FAST, N_FAST);
    UNTIL(member.n_assigned == 4);
    rd_kafka_mock_push_request_errors(rig->mock, SYNC_GROUP, 1,
                                      RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
    rd_kafka_mock_push_request_errors(rig->mock, HEARTBEAT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    UNTIL(member.exit_code != 0);
    assert_int_equal(member.n_lost, 1);
    assert_int_equal(member.exit_code, EX_TEMPFAIL);
}

static void any_other_fatal_error_ends_the_process_with_70(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    member_start(&member, rig, "one", FAST, N_FAST);
    rd_kafka_t *handle = last_asking; /* asked for the topics */
    UNTIL(member.n_assigned == 4);
    rd_kafka_test_fatal_error(handle, RD_KAFKA_RESP_ERR_INVALID_CONFIG, "made up by the test");
    UNTIL(member.exit_code != 0);
    assert_int_equal(member.exit_code, EX_SOFTWARE);
    assert_non_null(strstr(member.why, "made up by the test"));
    assert_int_equal(request_consumer_service(member.consumer, rig_now_ms()), INT64_MAX);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        WITH_RIG(partitions_are_taken_from_in_turn_and_in_order),
        WITH_RIG(what_is_not_taken_waits_and_the_group_stays),
        WITH_RIG(a_new_record_wakes_the_loop),
        WITH_RIG(the_journal_is_read_before_a_partition_is_assigned),
        WITH_RIG(an_assignment_does_not_wait_for_a_slow_broker),
        WITH_RIG(a_stored_record_is_fetched_by_its_offset),
        WITH_RIG(a_record_that_the_broker_does_not_show_yet_is_waited_for),
        WITH_RIG(a_partition_with_an_unreadable_journal_is_not_taken),
        WITH_RIG(an_offset_that_is_refused_is_asked_for_again_and_never_none),
        WITH_RIG(a_former_coordinator_is_not_asked_for_ever),
        WITH_RIG(nothing_is_taken_while_the_owner_winds_up),
        WITH_RIG(different_numbers_of_partitions_are_a_configuration_error),
        WITH_RIG(a_property_that_librdkafka_refuses_is_a_sentence),
        WITH_RIG(it_closes_while_it_is_being_assigned),
        WITH_RIG(a_full_index_stops_the_taking_until_offsets_are_finished),
        WITH_RIG(a_journal_larger_than_the_index_ends_the_process),
        WITH_RIG(a_member_that_another_fenced_ends_the_process_with_78),
        WITH_RIG(a_member_that_fenced_itself_may_begin_again),
        WITH_RIG(any_other_fatal_error_ends_the_process_with_70),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

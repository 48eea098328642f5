/* What the publisher does with each class of error, on librdkafka's mock cluster. The mock drops
 * transactional offsets and shows aborted records too, so nothing here proves exactly-once; that
 * aborted records are visible shows that each attempt sent the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/producers/rig.h"
#include "worker/loop.h"

#include <errno.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { /* protocol.html#protocol_api_keys */
       PRODUCE = 0,
       INIT_PRODUCER_ID = 22,
       ADD_PARTITIONS = 24,
       ADD_OFFSETS = 25,
       END_TXN = 26,
       TXN_OFFSET_COMMIT = 28,
};

enum { JOBS = 3 };

static struct rig rig;
static rd_kafka_t *mock_owner;
static rd_kafka_mock_cluster_t *mock;

static int start_mock(void **state)
{
    (void)state;
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "log_level", "3", NULL, 0);
    mock_owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    mock = rd_kafka_mock_cluster_new(mock_owner, 1);
    rig_init(&rig, rd_kafka_mock_cluster_bootstraps(mock), "mock");
    for (int i = 0; i < OUT_TOPICS; i++)
        if (rig.events.topics[i] != NULL)
            rd_kafka_mock_topic_create(mock, rig.events.topics[i], RIG_PARTITIONS, 1);
    return 0;
}

static int stop_mock(void **state)
{
    (void)state;
    rig_stop(&rig);
    rd_kafka_mock_cluster_destroy(mock);
    rd_kafka_destroy(mock_owner);
    return 0;
}

static void push(int api, rd_kafka_resp_err_t error, int times)
{
    for (int i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(mock, (int16_t)api, 1, error);
}

static void a_batch_comes_back_committed_with_its_journal_offsets(void **state)
{
    (void)state;
    rig_start(&rig);
    rig_fill(&rig, JOBS, NULL);
    int64_t before_ms = loop_read_mono_ms();
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
    assert_in_range(rig.batch.committing_at_mono_ms, before_ms, loop_read_mono_ms());
    assert_published(&rig, JOBS, "read_committed", 1);
}

static void the_descriptor_is_readable_until_the_batch_is_taken(void **state)
{
    (void)state;
    rig_start(&rig);
    rig_fill(&rig, 1, NULL);
    struct pollfd wait = {.fd = publisher_fd(rig.publisher), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 0);
    publisher_submit(rig.publisher, &rig.batch);
    assert_int_equal(poll(&wait, 1, RIG_TAKE_MS), 1);
    assert_ptr_equal(publisher_take(rig.publisher, 0), &rig.batch);
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_null(publisher_take(rig.publisher, 0));
}

static void taking_waits_no_longer_than_it_is_told(void **state)
{
    enum { RTT_MS = 3000 };
    (void)state;
    rig_start(&rig);
    rig_fill(&rig, 1, NULL);
    rd_kafka_mock_broker_set_rtt(mock, 1, RTT_MS);
    int64_t before_ms = loop_read_mono_ms();
    publisher_submit(rig.publisher, &rig.batch);
    assert_null(publisher_take(rig.publisher, 50));
    assert_in_range(loop_read_mono_ms() - before_ms, 45, RTT_MS - 1);
    rd_kafka_mock_broker_set_rtt(mock, 1, 0);
    assert_ptr_equal(publisher_take(rig.publisher, RIG_TAKE_MS), &rig.batch);
    assert_int_equal(rig.batch.result, BATCH_COMMITTED);
}

/* The thread's calls of rd_kafka_poll, by the linker (CMakeLists.txt). */
int __real_rd_kafka_poll(rd_kafka_t *handle, int timeout_ms);
int __wrap_rd_kafka_poll(rd_kafka_t *handle, int timeout_ms);

static _Atomic int most_lying, lying;

int __wrap_rd_kafka_poll(rd_kafka_t *handle, int timeout_ms)
{
    if (rd_kafka_outq_len(handle) > most_lying)
        most_lying = rd_kafka_outq_len(handle);
    int served = __real_rd_kafka_poll(handle, timeout_ms);
    lying = rd_kafka_outq_len(handle);
    return served;
}

static void errors_do_not_pile_up_while_there_is_nothing_to_publish(void **state)
{
    (void)state;
    rig_start(&rig);
    most_lying = 0;
    rd_kafka_mock_broker_set_down(mock, 1);
    int64_t end_ms = loop_read_mono_ms() + RIG_TAKE_MS;
    while ((most_lying == 0 || lying > 0) && loop_read_mono_ms() < end_ms)
        (void)poll(NULL, 0, 20);
    rd_kafka_mock_broker_set_up(mock, 1);
    assert_true(most_lying > 0);
    assert_int_equal(lying, 0);
    rig_fill(&rig, 1, NULL);
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
}

struct error_case {
    int api;
    rd_kafka_resp_err_t error;
    int times;
    int most; /* copies of each record in the log: as many as attempts got so far */
};

static void publish_through(const struct error_case *cases, size_t n_cases)
{
    for (size_t i = 0; i < n_cases; i++) {
        void *no_state = NULL;
        if (i > 0)
            (void)start_mock(&no_state);
        rig_start(&rig);
        rig_fill(&rig, JOBS, NULL);
        push(cases[i].api, cases[i].error, cases[i].times);
        enum batch_result result = rig_publish(&rig);
        if (result != BATCH_COMMITTED)
            print_message("api %d, %s\n", cases[i].api, rd_kafka_err2name(cases[i].error));
        assert_int_equal(result, BATCH_COMMITTED);
        assert_published(&rig, JOBS, "read_uncommitted", cases[i].most);
        if (i + 1 < n_cases)
            (void)stop_mock(&no_state);
    }
}

static void what_may_be_retried_is_retried_in_the_same_transaction(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, 1},
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3, 1},
        {ADD_OFFSETS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 2, 1},
        {ADD_OFFSETS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2, 1},
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 2, 1},
        {PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 2, 1},
        /* Stored before the connection went: the mock forgets where, so another attempt follows. */
        {PRODUCE, RD_KAFKA_RESP_ERR__TRANSPORT, 2, 2},
        {END_TXN, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3, 1},
        {END_TXN, RD_KAFKA_RESP_ERR__TRANSPORT, 2, 1},
    };
    publish_through(cases, sizeof cases / sizeof *cases);
}

static void what_requires_an_abort_is_sent_again_byte_for_byte(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1, 2},
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN, 1, 2},
        {ADD_OFFSETS, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1, 2},
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1, 2},
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, 1, 2},
        /* The gap in the sequence costs one attempt more. */
        {PRODUCE, RD_KAFKA_RESP_ERR_INVALID_RECORD, 1, 3},
        {PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1, 3},
    };
    publish_through(cases, sizeof cases / sizeof *cases);
}

static void a_broken_producer_is_made_again_and_sends_the_same(void **state)
{
    (void)state;
    static const struct error_case cases[] = {
        {TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1, 2},
        {ADD_OFFSETS, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1, 2},
    };
    publish_through(cases, sizeof cases / sizeof *cases);
}

static void a_commit_without_a_good_answer_is_looked_up_before_it_is_sent_again(void **state)
{
    (void)state;
    /* The mock shows the journal's record whether it was committed or not: found, so not again. */
    static const struct error_case cases[] = {
        {END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1, 1},
        {END_TXN, RD_KAFKA_RESP_ERR_UNKNOWN, 1, 1},
        {END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, 1, 1},
    };
    publish_through(cases, sizeof cases / sizeof *cases);
}

static void an_old_generation_is_refused_and_the_publisher_goes_on(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                                                 RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
                                                 RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID};
    rig_start(&rig);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        rig_fill(&rig, JOBS, NULL);
        push(TXN_OFFSET_COMMIT, errors[i], 1);
        assert_int_equal(rig_publish(&rig), BATCH_REFUSED);
    }
    rig_fill(&rig, JOBS, NULL);
    assert_int_equal(rig_publish(&rig), BATCH_COMMITTED);
}

static void a_producer_that_another_fenced_ends_the_process(void **state)
{
    (void)state;
    rig_start(&rig);
    rig_fill(&rig, JOBS, NULL);
    push(ADD_OFFSETS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1);
    assert_int_equal(rig_publish(&rig), BATCH_FAILED);
    assert_int_equal(rig.batch.exit_code, 78);
    assert_string_equal(rig.batch.error, "another process uses kafka.instance instance-a");
}

static void an_event_refused_for_its_size_is_a_matter_of_configuration(void **state)
{
    (void)state;
    rig_start(&rig);
    rig_fill(&rig, 1, NULL);
    /* One attempt with everything in flight takes up to three, the one that tells takes one. */
    push(PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 20);
    assert_int_equal(rig_publish(&rig), BATCH_FAILED);
    assert_int_equal(rig.batch.exit_code, 78);
    assert_non_null(strstr(rig.batch.error, "max.message.bytes"));
}

static void a_broker_that_is_away_for_a_while_delays_a_batch(void **state)
{
    (void)state;
    rig_start(&rig);
    rig_fill(&rig, JOBS, NULL);
    rd_kafka_mock_broker_set_down(mock, 1);
    publisher_submit(rig.publisher, &rig.batch);
    assert_null(publisher_take(rig.publisher, 1000));
    rd_kafka_mock_broker_set_up(mock, 1);
    assert_ptr_equal(publisher_take(rig.publisher, RIG_TAKE_MS), &rig.batch);
    assert_int_equal(rig.batch.result, BATCH_COMMITTED);
}

static int64_t clock_offset_ms;
static int64_t read_shifted_clock(void)
{
    return loop_read_mono_ms() + __atomic_load_n(&clock_offset_ms, __ATOMIC_SEQ_CST);
}

static void without_kafka_a_batch_is_given_up_in_the_end(void **state)
{
    (void)state;
    rig.settings.read_mono_ms = read_shifted_clock;
    clock_offset_ms = 0;
    rig_start(&rig);
    rig_fill(&rig, JOBS, NULL);
    rd_kafka_mock_broker_set_down(mock, 1);
    publisher_submit(rig.publisher, &rig.batch);
    assert_null(publisher_take(rig.publisher, 200));
    __atomic_store_n(&clock_offset_ms, PUBLISH_GIVES_UP_MS + 1000, __ATOMIC_SEQ_CST);
    assert_ptr_equal(publisher_take(rig.publisher, RIG_TAKE_MS), &rig.batch);
    assert_int_equal(rig.batch.result, BATCH_FAILED);
    assert_int_equal(rig.batch.exit_code, 69);
}

static int try_new(int timeout_ms, char error[256])
{
    struct publisher *publisher = NULL;
    int rc = publisher_new(&rig.settings, timeout_ms, &publisher, error, 256);
    publisher_free(publisher);
    return rc;
}

static void starting_waits_for_the_coordinator(void **state)
{
    (void)state;
    char error[256] = "";
    push(INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 2);
    assert_int_equal(try_new(RIG_TAKE_MS, error), 0);
}

static void starting_says_what_is_wrong(void **state)
{
    (void)state;
    char error[256] = "";
    push(INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1);
    assert_int_equal(try_new(RIG_TAKE_MS, error), -EACCES);

    static const char *const properties[] = {"no.such.property=1"};
    rig.settings.properties = properties;
    rig.settings.n_properties = 1;
    assert_int_equal(try_new(RIG_TAKE_MS, error), -EINVAL);
    assert_non_null(strstr(error, "no.such.property"));

    rig.settings.n_properties = 0;
    rig.settings.brokers = "127.0.0.1:1";
    int64_t before_ms = loop_read_mono_ms();
    assert_int_equal(try_new(300, error), -ETIMEDOUT);
    assert_true(error[0] != '\0');
    assert_true(loop_read_mono_ms() - before_ms < 30000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_mock, stop_mock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_comes_back_committed_with_its_journal_offsets),
        TEST(the_descriptor_is_readable_until_the_batch_is_taken),
        TEST(taking_waits_no_longer_than_it_is_told),
        TEST(errors_do_not_pile_up_while_there_is_nothing_to_publish),
        TEST(what_may_be_retried_is_retried_in_the_same_transaction),
        TEST(what_requires_an_abort_is_sent_again_byte_for_byte),
        TEST(a_broken_producer_is_made_again_and_sends_the_same),
        TEST(a_commit_without_a_good_answer_is_looked_up_before_it_is_sent_again),
        TEST(an_old_generation_is_refused_and_the_publisher_goes_on),
        TEST(a_producer_that_another_fenced_ends_the_process),
        TEST(an_event_refused_for_its_size_is_a_matter_of_configuration),
        TEST(a_broker_that_is_away_for_a_while_delays_a_batch),
        TEST(without_kafka_a_batch_is_given_up_in_the_end),
        TEST(starting_waits_for_the_coordinator),
        TEST(starting_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* On a real cluster: what the mock only plays. RESTORE_TEST_BROKERS names it (HOST:PORT), else
 * nothing is tested and the exit code is 77. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static const char *const FAST[] = {"session.timeout.ms=6000", "heartbeat.interval.ms=500"};
enum { N_FAST = sizeof FAST / sizeof *FAST, PARTITIONS = 12 };

static const char KEY[] = "3fac718e-8086-5256-a5ed-f283398b4b66";

extern char **environ;

static int setup(void **state)
{
    static struct rig rig;
    rig_start(&rig, getenv("RESTORE_TEST_BROKERS"), PARTITIONS, PARTITIONS);
    *state = &rig;
    return 0;
}

static int setup_without_topics(void **state)
{
    static struct rig rig;
    rig_start(&rig, getenv("RESTORE_TEST_BROKERS"), 0, 0);
    rig.n_partitions = PARTITIONS;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    return 0;
}

static int held_by(const struct member *member)
{
    int held, all;
    request_consumer_share(member->consumer, &held, &all);
    return held;
}

static void start_member(struct member *member, struct rig *rig, const char *instance)
{
    member_start(member, rig, instance, FAST, N_FAST);
}

static void everything_is_taken_once_and_in_order(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.take_max = 1000000};
    rig_produce(rig, 1000);
    start_member(&member, rig, "one");
    UNTIL(member.n_taken == 1000 * PARTITIONS);
    rig_turn_for(300);
    assert_int_equal(member.n_taken, 1000 * PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(offsets_committable(&member.held[i]->offsets), 1000);
}

/* An offset that a dead owner's open transaction carries is pending, and no "none". */
static void pending_offsets_are_waited_for(void **state)
{
    struct rig *rig = *state;
    static struct member before = {.take_max = 1000}, after = {.take_max = 1000};
    rig_produce(rig, 10);
    start_member(&before, rig, "one");
    UNTIL(before.n_taken == 10 * PARTITIONS);
    rd_kafka_t *owner = owner_new(rig, "one");
    owner_begin(owner);
    owner_write_journal(owner, rig, 4, KEY, "done", 5, "{}");
    owner_send_offset(owner, rig, &before, 4, 6);
    member_stop(&before);

    after.expected_key = KEY;
    start_member(&after, rig, "one");
    rig_turn_for(3000);
    assert_int_equal(after.n_assigned, 0);
    owner_commit(owner);
    UNTIL(after.n_assigned == PARTITIONS);
    UNTIL(after.n_taken == 10 * PARTITIONS - 6);
    assert_int_equal(after.first_offset[4], 6);
    assert_int_equal(after.first_offset[5], 0);
    assert_true(after.journal_was_there[4]);
    rd_kafka_destroy(owner);
}

static void who_joins_meanwhile_waits_and_both_get_their_share(void **state)
{
    struct rig *rig = *state;
    static struct member before, one, two;
    start_member(&before, rig, "one");
    UNTIL(held_by(&before) == PARTITIONS);
    rd_kafka_t *owner = owner_new(rig, "one");
    owner_begin(owner);
    owner_send_offset(owner, rig, &before, 4, 0);
    member_stop(&before);
    start_member(&one, rig, "one");
    rig_turn_for(1000);
    start_member(&two, rig, "two");
    rig_turn_for(2000);
    assert_int_equal(one.n_assigned + two.n_assigned, 0);
    owner_commit(owner);
    UNTIL(held_by(&one) == PARTITIONS / 2 && held_by(&two) == PARTITIONS / 2);
    rd_kafka_destroy(owner);
}

static void offsets_of_an_aborted_transaction_never_were(void **state)
{
    struct rig *rig = *state;
    static struct member before = {.take_max = 1000}, after = {.take_max = 1000};
    rig_produce(rig, 10);
    start_member(&before, rig, "one");
    UNTIL(before.n_taken == 10 * PARTITIONS);
    rd_kafka_t *owner = owner_new(rig, "one");
    owner_begin(owner);
    owner_send_offset(owner, rig, &before, 4, 6);
    member_stop(&before);
    start_member(&after, rig, "one");
    rig_turn_for(1000);
    assert_int_equal(after.n_assigned, 0);
    owner_abort(owner);
    UNTIL(after.n_taken == 10 * PARTITIONS);
    rd_kafka_destroy(owner);
}

/* The end that PARTITION_EOF reports is the last stable offset: behind it a commit may be on its
 * way. */
static void a_pending_journal_record_is_waited_for(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rd_kafka_t *owner = owner_new(rig, "other");
    owner_begin(owner);
    owner_write_journal(owner, rig, 0, "3fac718e-8086-5256-a5ed-f283398b4b67", "done", 1, "{}");
    owner_commit(owner);
    owner_begin(owner);
    owner_write_journal(owner, rig, 0, KEY, "done", 2, "{}");
    member.expected_key = KEY;
    start_member(&member, rig, "one");
    rig_turn_for(6500);
    assert_int_equal(member.n_assigned, 0);
    assert_non_null(strstr(member.log, "journal partition 0: waiting for the end of another's"));
    owner_commit(owner);
    UNTIL(member.n_assigned == PARTITIONS);
    assert_true(member.journal_was_there[0]);
    rd_kafka_destroy(owner);
}

static void an_aborted_journal_record_ends_the_wait_and_is_not_seen(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rd_kafka_t *owner = owner_new(rig, "other");
    owner_begin(owner);
    owner_write_journal(owner, rig, 0, KEY, "done", 2, "{}");
    member.expected_key = KEY;
    start_member(&member, rig, "one");
    rig_turn_for(1000);
    assert_int_equal(member.n_assigned, 0);
    owner_abort(owner);
    UNTIL(member.n_assigned == PARTITIONS);
    assert_false(member.journal_was_there[0]);
    rd_kafka_destroy(owner);
}

/* A commit is acknowledged before its markers are written, and so the record that a repeat asks
 * for may still lie in an open transaction. */
static void a_record_of_an_open_transaction_is_fetched_when_it_ends(void **state)
{
    struct rig *rig = *state;
    static struct member member;
    rd_kafka_t *owner = owner_new(rig, "other");
    start_member(&member, rig, "one");
    UNTIL(member.n_assigned == PARTITIONS);
    owner_begin(owner);
    owner_write_journal(owner, rig, 0, KEY, "done", 2, "the one");
    request_consumer_fetch(member.consumer, 0, 0, &member);
    rig_turn_for(1000);
    assert_int_equal(member.n_fetched + member.n_fetched_nothing, 0);
    owner_commit(owner);
    UNTIL(member.n_fetched == 1);
    assert_string_equal(member.fetched_value, "the one");

    owner_begin(owner);
    owner_write_journal(owner, rig, 0, KEY, "done", 3, "{}"); /* at 2: a marker lies between */
    request_consumer_fetch(member.consumer, 0, 2, &member);
    rig_turn_for(1000);
    assert_int_equal(member.n_fetched_nothing, 0);
    owner_abort(owner);
    UNTIL(member.n_fetched_nothing == 1);
    rd_kafka_destroy(owner);
}

static void a_restart_within_the_session_disturbs_nobody(void **state)
{
    struct rig *rig = *state;
    static struct member one, two;
    start_member(&one, rig, "one");
    UNTIL(held_by(&one) == PARTITIONS);
    start_member(&two, rig, "two");
    UNTIL(held_by(&one) == PARTITIONS / 2 && held_by(&two) == PARTITIONS / 2);
    int revoked = two.n_revoked;
    bool held_before[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++)
        held_before[i] = one.held[i] != NULL;
    member_stop(&one);
    rig_turn_for(500);
    start_member(&one, rig, "one");
    UNTIL(held_by(&one) == PARTITIONS / 2);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(one.held[i] != NULL, held_before[i]);
    rig_turn_for(7000); /* longer than the session */
    assert_int_equal(two.n_revoked, revoked);
    assert_int_equal(held_by(&two), PARTITIONS / 2);
}

static void the_older_of_two_with_one_name_ends(void **state)
{
    struct rig *rig = *state;
    static struct member one, two;
    start_member(&one, rig, "same");
    UNTIL(held_by(&one) == PARTITIONS);
    start_member(&two, rig, "same");
    UNTIL(one.exit_code != 0 && held_by(&two) == PARTITIONS);
    assert_int_equal(one.exit_code, EX_CONFIG);
    assert_string_equal(one.why, "another process uses kafka.instance same");
    assert_int_equal(two.exit_code, 0);
}

static void topics_may_be_made_later(void **state)
{
    struct rig *rig = *state;
    static struct member member = {.take_max = 1000};
    start_member(&member, rig, "one");
    UNTIL(strstr(member.log, "it does not exist") != NULL);
    rig_make_topic(rig, rig->requests, PARTITIONS);
    rig_turn_for(3000);
    assert_int_equal(member.exit_code, 0);
    rig_make_topic(rig, rig->journal, PARTITIONS);
    UNTIL(member.n_assigned == PARTITIONS);
    rig_produce(rig, 3);
    UNTIL(member.n_taken == 3 * PARTITIONS);
}

static void set_config(struct rig *rig, const char *topic, const char *name, const char *value)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(resource, name, value);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rig->producer);
    rd_kafka_AlterConfigs(rig->producer, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
}

static void a_journal_that_is_not_kept_long_enough_is_told(void **state)
{
    struct rig *rig = *state;
    static struct member one, two;
    start_member(&one, rig, "one");
    UNTIL(strstr(one.log, "cleanup.policy is delete, should be compact,delete") != NULL);
    set_config(rig, rig->journal, "retention.ms", "3600000");
    start_member(&two, rig, "two");
    UNTIL(strstr(two.log, "retention.ms 3600000 is below the requests'") != NULL);
}

static void an_offset_out_of_range_starts_at_the_earliest(void **state)
{
    struct rig *rig = *state;
    static struct member before, after = {.take_max = 1000};
    rig_produce(rig, 10);
    start_member(&before, rig, "one");
    UNTIL(held_by(&before) == PARTITIONS);
    rd_kafka_t *owner = owner_new(rig, "one");
    owner_begin(owner);
    owner_send_offset(owner, rig, &before, 4, 1000);
    owner_send_offset(owner, rig, &before, 5, 10);
    owner_commit(owner);
    member_stop(&before);
    start_member(&after, rig, "one");
    UNTIL(after.n_revoked == 1 && held_by(&after) == PARTITIONS);
    UNTIL(after.taken[4] == 10);
    assert_int_equal(after.n_lost, 0); /* its last batch may still be committed */
    assert_int_equal(after.first_offset[4], 0);
    assert_int_equal(after.taken[5], 0);
    assert_non_null(strstr(after.log, "partition 4: offset 1000 is out of range"));
    rig_produce(rig, 1);
    UNTIL(after.taken[4] == 11 && after.taken[5] == 1);
    rd_kafka_destroy(owner);
}

static void so_does_the_only_partition(void **state)
{
    struct rig *rig = *state;
    static struct member before, after = {.take_max = 1000};
    rig->n_partitions = 1;
    rig_make_topic(rig, rig->requests, 1);
    rig_make_topic(rig, rig->journal, 1);
    rig_produce(rig, 10);
    start_member(&before, rig, "one");
    UNTIL(held_by(&before) == 1);
    rd_kafka_t *owner = owner_new(rig, "one");
    owner_begin(owner);
    owner_send_offset(owner, rig, &before, 0, 11);
    owner_commit(owner);
    member_stop(&before);
    start_member(&after, rig, "one");
    UNTIL(after.n_revoked == 1 && after.taken[0] == 10);
    assert_null(strstr(after.log, "committed offsets"));
    rd_kafka_destroy(owner);
}

/* ---- a process that is killed ---- */

struct process {
    pid_t pid;
    FILE *says;
};

static void process_start(struct process *process, struct rig *rig, const char *instance)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    char *arguments[] = {
        (char *)(uintptr_t)MEMBER_PROGRAM, rig->brokers, rig->group, rig->requests, rig->journal,
        (char *)(uintptr_t)instance,       NULL};
    assert_int_equal(posix_spawn(&process->pid, MEMBER_PROGRAM, &actions, NULL, arguments, environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    process->says = fdopen(ends[0], "r");
}

static void process_kill(struct process *process)
{
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    fclose(process->says);
}

/* Its lines up to this one; the test's own members are not served meanwhile. */
static void process_says(struct process *process, const char *line)
{
    char said[64];
    do
        assert_non_null(fgets(said, sizeof said, process->says));
    while (strncmp(said, line, strlen(line)) != 0);
}

static void a_killed_members_partitions_go_to_the_other_after_its_session(void **state)
{
    struct rig *rig = *state;
    static struct member one = {.take_max = 1000000};
    struct process two;
    rig_produce(rig, 100);
    process_start(&two, rig, "two");
    process_says(&two, "assigned 12");
    start_member(&one, rig, "one");
    UNTIL(held_by(&one) == PARTITIONS / 2);
    process_says(&two, "revoked");
    process_says(&two, "assigned 6");
    process_kill(&two);
    int64_t killed_ms = rig_now_ms();
    UNTIL(one.n_revoked == 1);
    assert_true(rig_now_ms() - killed_ms > 3000);
    UNTIL(held_by(&one) == PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++) {
        UNTIL(one.taken[i] == 100);
        assert_int_equal(one.first_offset[i], 0);
    }
}

static void a_killed_member_that_is_back_in_time_disturbs_nobody(void **state)
{
    struct rig *rig = *state;
    static struct member one = {.take_max = 1000000};
    struct process two;
    process_start(&two, rig, "two");
    process_says(&two, "assigned 12");
    start_member(&one, rig, "one");
    UNTIL(held_by(&one) == PARTITIONS / 2);
    process_says(&two, "assigned 6");
    for (int i = 0; i < 3; i++) {
        process_kill(&two);
        rig_turn_for(1000);
        process_start(&two, rig, "two");
        process_says(&two, "assigned 6");
        rig_turn_for(1000);
    }
    assert_int_equal(one.n_revoked, 0);
    process_kill(&two);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    if (getenv("RESTORE_TEST_BROKERS") == NULL) {
        fprintf(stderr, "SKIPPED: RESTORE_TEST_BROKERS (HOST:PORT of a real Kafka) is not set\n");
        return 77;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        WITH_RIG(everything_is_taken_once_and_in_order),
        WITH_RIG(pending_offsets_are_waited_for),
        WITH_RIG(who_joins_meanwhile_waits_and_both_get_their_share),
        WITH_RIG(offsets_of_an_aborted_transaction_never_were),
        WITH_RIG(a_pending_journal_record_is_waited_for),
        WITH_RIG(an_aborted_journal_record_ends_the_wait_and_is_not_seen),
        WITH_RIG(a_record_of_an_open_transaction_is_fetched_when_it_ends),
        WITH_RIG(a_restart_within_the_session_disturbs_nobody),
        WITH_RIG(the_older_of_two_with_one_name_ends),
        cmocka_unit_test_setup_teardown(topics_may_be_made_later, setup_without_topics, teardown),
        WITH_RIG(a_journal_that_is_not_kept_long_enough_is_told),
        WITH_RIG(an_offset_out_of_range_starts_at_the_earliest),
        cmocka_unit_test_setup_teardown(so_does_the_only_partition, setup_without_topics, teardown),
        WITH_RIG(a_killed_members_partitions_go_to_the_other_after_its_session),
        WITH_RIG(a_killed_member_that_is_back_in_time_disturbs_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

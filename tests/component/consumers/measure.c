/* Numbers for the design: how soon a member takes, how fast a journal loads, how long one turn
 * holds the loop up. Run by hand: consumer_measure HOST:PORT [JOURNAL-RECORDS] */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

static void until_taken(struct member *member, int n)
{
    while (member->n_taken < n && member->exit_code == 0)
        rig_turn();
}

static void say(const char *what, const struct member *member)
{
    printf("%-40s assigned %5d ms, first take %5d ms after start; longest turn %d us\n", what,
           (int)(member->assigned_ms - member->started_ms),
           (int)(member->taken_ms - member->started_ms), (int)member->longest_service_us);
}

/* Replays: single records from anywhere in the journal. */
static void fetches(struct member *member, int n_partitions, int n_records)
{
    enum { FETCHES = 2400 };
    member->longest_service_us = 0;
    int64_t before_ms = rig_now_ms();
    for (int i = 0; i < FETCHES; i++)
        request_consumer_fetch(member->consumer, i % n_partitions, (int64_t)i * 7919 % n_records,
                               member);
    int64_t asked_ms = rig_now_ms();
    while (member->n_fetched + member->n_fetched_nothing < FETCHES)
        rig_turn();
    printf("%d fetches: asked %d ms, answered %d ms (%d of nothing); longest turn %d us\n", FETCHES,
           (int)(asked_ms - before_ms), (int)(rig_now_ms() - before_ms), member->n_fetched_nothing,
           (int)member->longest_service_us);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 64;
    enum { PARTITIONS = 12 };
    int n_journal = argc > 2 ? atoi(argv[2]) : 600000;
    static struct rig rig;
    static struct member member = {.take_max = 1000000};
    rig_start(&rig, argv[1], PARTITIONS, PARTITIONS);
    rig_produce(&rig, 10);
    for (int i = 0; i < 5; i++) {
        member_start(&member, &rig, "one", NULL, 0);
        until_taken(&member, 10 * PARTITIONS);
        say(i == 0 ? "start, empty group" : "restart within the session", &member);
        int64_t before_ms = rig_now_ms();
        member_stop(&member);
        printf("%-40s %d ms\n", "close", (int)(rig_now_ms() - before_ms));
    }
    static char value[701];
    for (size_t i = 0; i < sizeof value - 1; i++)
        value[i] = 'x';
    for (int i = 0; i < n_journal; i++) {
        char key[40];
        snprintf(key, sizeof key, "00000000-0000-5000-8000-%012d", i);
        rig_write_journal(&rig, i % PARTITIONS, key, "done", i / PARTITIONS, value);
    }
    rd_kafka_flush(rig.producer, 60000);
    for (int i = 0; i < 3; i++) {
        member_start(&member, &rig, "one", NULL, 0);
        until_taken(&member, 10 * PARTITIONS);
        say("restart, journal loaded", &member);
        int ms = (int)(member.assigned_ms - member.started_ms);
        printf("%-40s %d records, at least %d records/s\n", "", n_journal,
               (int)((int64_t)n_journal * 1000 / ms));
        if (i == 2)
            fetches(&member, PARTITIONS, n_journal / PARTITIONS);
        member_stop(&member);
    }
    rig_stop(&rig);
    return 0;
}

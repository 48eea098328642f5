/* One member of a group as a process of its own, to be killed. Says on standard output what happens
 * to it: "assigned N" when it holds N partitions, "revoked", "took N", "failed CODE". */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char *const properties[] = {"session.timeout.ms=6000",
                                             "heartbeat.interval.ms=500"};
    static struct member member = {.take_max = 1000000000};
    if (argc != 6) {
        fprintf(stderr, "usage: %s BROKERS GROUP REQUESTS JOURNAL INSTANCE\n", argv[0]);
        return 64;
    }
    struct rig rig = {0};
    snprintf(rig.brokers, sizeof rig.brokers, "%s", argv[1]);
    snprintf(rig.group, sizeof rig.group, "%s", argv[2]);
    snprintf(rig.requests, sizeof rig.requests, "%s", argv[3]);
    snprintf(rig.journal, sizeof rig.journal, "%s", argv[4]);
    member_start(&member, &rig, argv[5], properties, 2);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int held = 0, revoked = 0, taken = 0; member.exit_code == 0;) {
        rig_turn();
        int now_held, all;
        request_consumer_share(member.consumer, &now_held, &all);
        if (now_held != held && now_held > 0)
            printf("assigned %d\n", now_held);
        held = now_held;
        for (; revoked < member.n_revoked; revoked++)
            printf("revoked\n");
        if (member.n_taken != taken)
            printf("took %d\n", member.n_taken);
        taken = member.n_taken;
    }
    printf("failed %d\n", member.exit_code);
    return member.exit_code;
}

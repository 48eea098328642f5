#include "consumers/assignment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASK_TIMEOUT_MS = 5000 };

struct assignment *assignment_new(const rd_kafka_topic_partition_list_t *list, uint32_t epoch)
{
    size_t n = (size_t)list->cnt;
    struct assignment *assignment =
        calloc(1, sizeof *assignment + n * sizeof assignment->partitions[0]);
    assert(assignment != NULL);
    assignment->epoch = epoch;
    assignment->n = assignment->n_unknown = assignment->n_unended = list->cnt;
    for (size_t i = 0; i < n; i++)
        assignment->partitions[i].id = list->elems[i].partition;
    return assignment;
}

struct assigned_partition *assignment_find(struct assignment *assignment, int32_t partition)
{
    for (int i = 0; i < assignment->n; i++)
        if (assignment->partitions[i].id == partition)
            return &assignment->partitions[i];
    return NULL;
}

bool assignment_is_below(const struct assignment *assignment, int n)
{
    for (int i = 0; i < assignment->n; i++)
        if (assignment->partitions[i].id >= n)
            return false;
    return true;
}

void assignment_ask(struct assignment *assignment, rd_kafka_t *handle, const char *group,
                    const char *topic, rd_kafka_queue_t *queue)
{
    assignment->asked = true;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(assignment->n);
    for (int i = 0; i < assignment->n; i++)
        if (assignment->partitions[i].start == START_UNKNOWN)
            rd_kafka_topic_partition_list_add(list, topic, assignment->partitions[i].id);
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    char reterr[128];
    rd_kafka_resp_err_t failed =
        rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, reterr, sizeof reterr);
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    assert(failed == RD_KAFKA_RESP_ERR_NO_ERROR && refused == NULL);
    rd_kafka_AdminOptions_set_opaque(options, (void *)(uintptr_t)assignment->epoch);
    rd_kafka_ListConsumerGroupOffsets(handle, &question, 1, options, queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_topic_partition_list_destroy(list);
}

bool assignment_answer_list(struct assignment *assignment,
                            const rd_kafka_topic_partition_list_t *list, char *reterr,
                            size_t reterr_bytes)
{
    bool refused = false;
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *answer = &list->elems[i];
        struct assigned_partition *partition = assignment_find(assignment, answer->partition);
        if (partition == NULL || partition->start != START_UNKNOWN)
            continue;
        if (answer->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            partition->start = answer->offset >= 0 ? START_COMMITTED : START_NONE;
            partition->offset = answer->offset;
            assignment->n_unknown--;
        } else if (answer->err != RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT) {
            refused = true;
            snprintf(reterr, reterr_bytes, "committed offset of partition %d: %s",
                     (int)answer->partition, rd_kafka_err2str(answer->err));
        }
    }
    return !refused;
}

bool assignment_answer(struct assignment *assignment, rd_kafka_event_t *event, char *reterr,
                       size_t reterr_bytes)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(reterr, reterr_bytes, "committed offsets: %s", rd_kafka_event_error_string(event));
        return false;
    }
    size_t n = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
    assert(n == 1);
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    if (error != NULL) {
        snprintf(reterr, reterr_bytes, "committed offsets: %s", rd_kafka_error_string(error));
        return false;
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    return list == NULL || assignment_answer_list(assignment, list, reterr, reterr_bytes);
}

int64_t assignment_base(const struct assigned_partition *partition)
{
    return partition->start == START_COMMITTED ? partition->offset : 0;
}

rd_kafka_topic_partition_list_t *assignment_starts(const struct assignment *assignment,
                                                   const char *topic, bool start_latest)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(assignment->n);
    for (int i = 0; i < assignment->n; i++) {
        const struct assigned_partition *partition = &assignment->partitions[i];
        if (partition->unreadable)
            continue;
        int64_t start = RD_KAFKA_OFFSET_BEGINNING;
        if (partition->start == START_COMMITTED)
            start = partition->offset;
        else if (partition->start == START_NONE && start_latest)
            start = RD_KAFKA_OFFSET_END;
        rd_kafka_topic_partition_list_add(list, topic, partition->id)->offset = start;
    }
    return list;
}

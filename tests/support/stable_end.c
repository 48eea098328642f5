/* Put before librdkafka by LD_PRELOAD, a negative control: the end of a partition is told as a
 * reader of committed records is told it when he asks the broker, the last stable offset. Whoever
 * reads the journal only that far does not see what a pending transaction is about to commit. */
#include <librdkafka/rdkafka.h>

enum { ANSWER_MS = 5000 };

rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(rd_kafka_t *handle, const char *topic,
                                                   int32_t partition, int64_t *low, int64_t *high)
{
    return rd_kafka_query_watermark_offsets(handle, topic, partition, low, high, ANSWER_MS);
}

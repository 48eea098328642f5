#include "worker/restore_count.h"

int restore_count_read(struct restore_count *count, int64_t now_mono_ms)
{
    int64_t now = now_mono_ms / RESTORE_BUCKET_MS;
    if (now - count->newest > RESTORE_BUCKETS)
        count->newest = now - RESTORE_BUCKETS; /* all of them are emptied */
    while (count->newest < now) {
        int *bucket = &count->buckets[++count->newest % RESTORE_BUCKETS];
        count->n -= *bucket;
        *bucket = 0;
    }
    return count->n;
}

void restore_count_add(struct restore_count *count, int64_t now_mono_ms)
{
    (void)restore_count_read(count, now_mono_ms);
    count->buckets[count->newest % RESTORE_BUCKETS]++;
    count->n++;
}

#include "worker/lanes.h"

#include "policy/digest.h"

#include <string.h>

uint64_t lane_of(const struct lanes *lanes, enum lane_kind kind, int32_t partition,
                 const void *bytes, size_t n_bytes)
{
    struct {
        uint8_t seed[LANE_SEED_BYTES];
        int32_t kind, partition;
        uint8_t digest[SHA256_BYTES];
    } name = {.kind = (int32_t)kind, .partition = partition};
    uint8_t digest[SHA256_BYTES];
    uint64_t lane;

    memcpy(name.seed, lanes->seed, sizeof name.seed);
    digest_sha256(bytes, n_bytes, name.digest);
    digest_sha256(&name, sizeof name, digest);
    memcpy(&lane, digest, sizeof lane);
    return lane;
}

static struct lane_place *next_of_lane(struct lane_place *place, uint64_t lane)
{
    while (place != NULL && place->lane != lane)
        place = place->after;
    return place;
}

bool lanes_enter(struct lanes *lanes, struct lane_place *place, uint64_t lane, void *owner)
{
    size_t b = lane % LANE_BUCKETS;
    bool first = next_of_lane(lanes->bucket[b].first, lane) == NULL;
    *place = (struct lane_place){.before = lanes->bucket[b].last, .lane = lane, .owner = owner};
    if (place->before != NULL)
        place->before->after = place;
    else
        lanes->bucket[b].first = place;
    lanes->bucket[b].last = place;
    return first;
}

bool lanes_is_first(const struct lanes *lanes, const struct lane_place *place)
{
    return next_of_lane(lanes->bucket[place->lane % LANE_BUCKETS].first, place->lane) == place;
}

void *lanes_leave(struct lanes *lanes, struct lane_place *place)
{
    size_t b = place->lane % LANE_BUCKETS;
    bool was_first = lanes_is_first(lanes, place);
    struct lane_place *next = next_of_lane(place->after, place->lane);
    if (place->before != NULL)
        place->before->after = place->after;
    else
        lanes->bucket[b].first = place->after;
    if (place->after != NULL)
        place->after->before = place->before;
    else
        lanes->bucket[b].last = place->before;
    return was_first && next != NULL ? next->owner : NULL;
}

#include "consumers/offsets.h"

#include <assert.h>
#include <stddef.h>

void offsets_init(struct offsets *offsets, int64_t begin)
{
    *offsets = (struct offsets){.next = begin};
}

void offsets_open(struct offsets *offsets, struct open_offset *entry, int64_t offset)
{
    assert(offset >= offsets->next);
    *entry = (struct open_offset){.before = offsets->highest, .offset = offset};
    if (offsets->highest == NULL)
        offsets->lowest = entry;
    else
        offsets->highest->after = entry;
    offsets->highest = entry;
    offsets->next = offset + 1;
}

void offsets_close(struct offsets *offsets, struct open_offset *entry)
{
    if (entry->before == NULL) {
        assert(offsets->lowest == entry); /* else closed twice, or another partition's */
        offsets->lowest = entry->after;
    } else {
        entry->before->after = entry->after;
    }
    if (entry->after == NULL) {
        assert(offsets->highest == entry);
        offsets->highest = entry->before;
    } else {
        entry->after->before = entry->before;
    }
    *entry = (struct open_offset){.offset = entry->offset};
}

int64_t offsets_committable(const struct offsets *offsets)
{
    return offsets->lowest != NULL ? offsets->lowest->offset : offsets->next;
}

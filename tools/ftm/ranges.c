/*
 * Sets of address ranges.
 */
#include "ranges.h"

#include "memory.h"
#include "search.h"

#include <stdlib.h>

void ranges_add(struct ranges *ranges, uint64_t start, uint64_t size)
{
    if (size == 0 || start + size < start)
        return;
    ranges->list = memory_grow(ranges->list, &ranges->room, ranges->count, sizeof *ranges->list);
    ranges->list[ranges->count++] = (struct range){start, start + size};
}

static int by_start(const void *one, const void *other)
{
    const struct range *a = one, *b = other;

    return (a->start > b->start) - (a->start < b->start);
}

void ranges_join(struct ranges *ranges)
{
    size_t kept = 0;

    if (ranges->count == 0)
        return;
    qsort(ranges->list, ranges->count, sizeof *ranges->list, by_start);
    for (size_t i = 1; i < ranges->count; i++) {
        struct range *last = &ranges->list[kept];

        if (ranges->list[i].start > last->end)
            ranges->list[++kept] = ranges->list[i];
        else if (ranges->list[i].end > last->end)
            last->end = ranges->list[i].end;
    }
    ranges->count = kept + 1;
}

/* Returns the first range that ends behind the address, or `count`. */
static size_t first_behind(const struct ranges *ranges, uint64_t address)
{
    return SEARCH_ABOVE(ranges->list, ranges->count, end, address);
}

void ranges_outside(const struct ranges *ranges, uint64_t start, uint64_t end,
                    void (*visit)(void *context, uint64_t start, uint64_t end), void *context)
{
    for (size_t i = first_behind(ranges, start); start < end; i++) {
        uint64_t stop =
            i < ranges->count && ranges->list[i].start < end ? ranges->list[i].start : end;

        if (start < stop)
            visit(context, start, stop);
        if (stop == end)
            return;
        start = ranges->list[i].end;
    }
}

static void subtract(void *context, uint64_t start, uint64_t end)
{
    *(uint64_t *)context -= end - start;
}

uint64_t ranges_overlap(const struct ranges *ranges, uint64_t start, uint64_t end)
{
    uint64_t left = end - start;

    ranges_outside(ranges, start, end, subtract, &left);
    return left;
}

bool ranges_have(const struct ranges *ranges, uint64_t address)
{
    size_t i = first_behind(ranges, address);

    return i < ranges->count && ranges->list[i].start <= address;
}

void ranges_free(struct ranges *ranges)
{
    free(ranges->list);
    *ranges = (struct ranges){.list = NULL};
}

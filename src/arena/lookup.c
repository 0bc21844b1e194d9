/*
 * Looking an address up in heaps, in the registry of LARGE chunks, among guarded chunks, and among
 * the chunks of 0 bytes.
 */
#include "arena/lookup.h"

#include "base/options.h"
#include "base/structure_lock.h"
#include "bins/empty.h"
#include "bins/guard_pool.h"
#include "large/large.h"

static void describe(const struct large_info *info, struct chunk *chunk)
{
    *chunk = (struct chunk){.start = info->start,
                            .zone = ZONE_LARGE,
                            .requested = info->requested,
                            .usable = info->usable};
}

/* A LARGE chunk that waits in the cache was freed. */
static enum verdict start_of_large(uintptr_t address, struct chunk *chunk)
{
    struct large_info info;

    if (!large_find(address, &info))
        return CHUNK_FOREIGN;
    describe(&info, chunk);
    return info.live ? CHUNK_LIVE : CHUNK_FREED;
}

bool lookup_live(uintptr_t address, struct chunk *chunk)
{
    /*
     * A LARGE chunk may be among the units of a heap, where the kernel left a hole when it failed
     * to renew a range.
     */
    return lookup_in_heaps(address, chunk) == CHUNK_LIVE ||
           start_of_large(address, chunk) == CHUNK_LIVE ||
           guard_pool_find(address, chunk) == CHUNK_LIVE ||
           (policy_empty_chunks() && empty_find(address, chunk) == CHUNK_LIVE);
}

/* The address is in no heap, and no LARGE chunk in the registry starts there. */
static enum verdict outside_heaps(uintptr_t address, struct chunk *chunk)
{
    enum verdict verdict = guard_pool_find(address, chunk);
    struct large_info info;

    if (verdict != CHUNK_FOREIGN)
        return verdict;
    verdict = empty_find(address, chunk);
    if (verdict != CHUNK_NONE)
        return verdict;
    if (large_find_gone(address, &info)) {
        describe(&info, chunk);
        return CHUNK_GONE;
    }
    if (large_find_around(address, &info)) {
        describe(&info, chunk);
        return CHUNK_INTERIOR;
    }
    *chunk = (struct chunk){.start = address, .zone = ZONE_LARGE};
    return CHUNK_FOREIGN;
}

enum verdict lookup_any(uintptr_t address, struct chunk *chunk)
{
    enum verdict in_heap, large;

    /* The lock keeps the heap mapped, which a wrong pointer does not. */
    structure_lock_read();
    in_heap = lookup_in_heaps(address, chunk);
    if (in_heap == CHUNK_NONE && chunk_find_gone(address, chunk))
        in_heap = CHUNK_GONE;
    structure_unlock();
    if (in_heap == CHUNK_LIVE)
        return in_heap;
    large = start_of_large(address, chunk); /* also inside a heap: see lookup_live() */
    if (large != CHUNK_FOREIGN)
        return large;
    return in_heap != CHUNK_FOREIGN ? in_heap : outside_heaps(address, chunk);
}

struct ft_malloc_extent lookup_bounds_elsewhere(uintptr_t address)
{
    struct chunk chunk;

    if (likely(guard_slot_around(guard_pool_now(), address) == NULL))
        return large_bounds(address);
    switch (guard_pool_find(address, &chunk)) {
    case CHUNK_LIVE:
    case CHUNK_INTERIOR:
        return (struct ft_malloc_extent){pointer_to(chunk.start), chunk.requested};
    case CHUNK_FREED:
        return (struct ft_malloc_extent){pointer_to(chunk.start), 0};
    case CHUNK_NONE:
        /* Behind the chunk of the slot, or in front of it, or in a freed one. */
        return guard_pool_callers(address, NULL, NULL) == GUARD_LIVE && address > chunk.start
                   ? (struct ft_malloc_extent){pointer_to(chunk.start), chunk.requested}
                   : (struct ft_malloc_extent){pointer_to(chunk.start), 0};
    default:
        /* A range that the kernel refused to change may have become a LARGE chunk. */
        return large_bounds(address);
    }
}

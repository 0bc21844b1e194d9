/*
 * ft_malloc_bounds(): what libft_malloc_debug.so asks with each checked call.
 */
#include "ft_malloc.h"

#include "bins/bounds.h"
#include "bins/guard_pool.h"
#include "bins/heap_map.h"
#include "large/large.h"

/* A range that the kernel refused to change may have become a LARGE chunk. */
static struct ft_malloc_extent guarded_bounds(uintptr_t address)
{
    struct chunk chunk;

    switch (guard_pool_find(address, &chunk)) {
    case CHUNK_LIVE:
    case CHUNK_INTERIOR:
        return (struct ft_malloc_extent){pointer_to(chunk.start), chunk.requested};
    case CHUNK_FREED:
        return (struct ft_malloc_extent){pointer_to(chunk.start), 0};
    default:
        return large_bounds(address);
    }
}

struct ft_malloc_extent ft_malloc_bounds(const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    uint16_t tag = heap_map_tag(address);

    if (tag != TAG_NONE)
        return chunk_bounds(address, tag);
    return guard_slot_around(guard_pool_now(), address) != NULL ? guarded_bounds(address)
                                                                : large_bounds(address);
}

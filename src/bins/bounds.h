/*
 * The bounds of the chunk around an address, for callers that ask with each copy a program makes
 * (ft_malloc_bounds()). Looks at the same tables as bins/chunk.h, and at nothing else; no lock.
 *
 * Any thread may call this. The caller is about to access the memory at the address, so that a heap
 * which is unmapped meanwhile was his mistake. Accesses are relaxed, except that of a slab's number
 * and identity: the holder of a chunk received it together with its state, and for anybody else the
 * program has a race of its own.
 */
#ifndef FT_BINS_BOUNDS_H
#define FT_BINS_BOUNDS_H

#include "bins/slab.h"
#include "ft_malloc.h"

struct ft_malloc_extent small_bounds(uintptr_t address);

/*
 * The class of a unit stays when its slab has gone, and so do the states: its chunks are still
 * known to be freed.
 */
static inline struct ft_malloc_extent tiny_bounds(uintptr_t address)
{
    size_t size_class = tiny_class_around(address);
    const struct size_class *shape = &size_classes[size_class];
    uintptr_t offset = address & (UNIT_SIZE - 1), start = address - offset;
    uint8_t seen;

    /* The header's units have no class either. */
    if (unlikely(size_class >= TINY_CLASSES))
        return (struct ft_malloc_extent){NULL, 0};
    /* Offsets in a unit are so small that the index is exact: see chunk_index(). */
    start += (uintptr_t)chunk_index(shape, (uint32_t)offset) * shape->size;
    seen = atomic_load_explicit(tiny_state(start), memory_order_relaxed);
    return (struct ft_malloc_extent){pointer_to(start),
                                     tiny_lives(seen) ? shape->size - tiny_slack(seen) : 0};
}

/* `tag` is heap_map_tag(address), and not TAG_NONE. */
static inline struct ft_malloc_extent chunk_bounds(uintptr_t address, uint16_t tag)
{
    return tag & TAG_SMALL ? small_bounds(address) : tiny_bounds(address);
}

#endif

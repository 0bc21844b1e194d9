/*
 * Where chunks begin and end, for the checks. Most programs copy small pieces all the time, so the
 * usual cases are decided here, with the tables of libft_malloc.so: an address far away from any
 * chunk, and one in a heap. The other cases are ft_malloc_bounds()'s.
 *
 * ft_malloc_layout tells where the tables are and how they are made. If they are not made as this
 * library was compiled for, the heap map seems to be empty, and each address is asked about. Before
 * the constructor has run, or without libft_malloc.so, no address is in a chunk.
 */
#ifndef FT_DEBUG_LIBRARY_BOUNDS_H
#define FT_DEBUG_LIBRARY_BOUNDS_H

#include "base/outside.h"
#include "bins/slab.h"
#include "ft_malloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bounds_tables {
    const struct heap_map *map;
    const struct outside *outside;
    /* 1 in a hardened process, where a TINY chunk always has some slack; else 0. */
    uint32_t hardened;
    struct {
        uint32_t size, inverse; /* as in struct size_class */
    } of[SIZE_CLASSES];
    struct ft_malloc_extent (*ask)(const void *pointer);
};

/* Written once, by the constructor, while there is one thread. */
extern struct bounds_tables bounds_tables;

/* Called once, by the constructor. Returns false, and changes nothing, without libft_malloc.so. */
bool bounds_begin(void);

/* Like tiny_bounds() of bins/bounds.h, which has the comments. */
static inline __attribute__((always_inline)) size_t bounds_room_tiny(uintptr_t address)
{
    size_t size_class = tiny_class_around(address);
    uintptr_t within = address & (UNIT_SIZE - 1), size, start, slack;
    uint8_t seen;

    if (unlikely(size_class >= TINY_CLASSES))
        return SIZE_MAX;
    size = bounds_tables.of[size_class].size;
    start = (within * bounds_tables.of[size_class].inverse >> 32) * size;
    /* Relaxed: the holder of the chunk received it together with its state. */
    seen = atomic_load_explicit(tiny_state(address - within + start), memory_order_relaxed);
    if (unlikely(!tiny_lives(seen)))
        return 0;
    slack = ((seen - bounds_tables.hardened) & TINY_SLACK_MAX) + bounds_tables.hardened;
    size -= within - start;
    return likely(size > slack) ? size - slack : 0;
}

/* Like small_bounds() of bins/bounds.h. */
static inline __attribute__((always_inline)) size_t bounds_room_small(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(SMALL_HEAP_SIZE - 1), within = address - base;
    uint64_t identity, start, size;
    const struct slab *slab;
    uint32_t seen;

    if (unlikely(within < SMALL_FIRST_UNIT * UNIT_SIZE || (slab = small_slab(address)) == NULL))
        return SIZE_MAX;
    /* Acquire: what is read of the slab afterwards is not older than the identity. */
    identity = atomic_load_explicit(&slab->identity, memory_order_acquire);
    if (unlikely((identity & 1) == 0))
        return SIZE_MAX;
    within -= (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    size = bounds_tables.of[identity_class(identity)].size;
    start = (within * bounds_tables.of[identity_class(identity)].inverse >> 32) * size;
    /* The inverse is rounded up: just below a chunk, the index can be that chunk's. */
    if (unlikely(start > within))
        start -= size;
    /* Relaxed: the holder of the chunk received it together with its state. */
    seen = atomic_load_explicit(small_state(address - within + start), memory_order_relaxed);
    if (unlikely(!small_lives(seen)))
        return 0;
    size -= within - start;
    return likely(size > small_slack(seen)) ? size - small_slack(seen) : 0;
}

/*
 * Returns how many bytes of the chunk begin at the address: SIZE_MAX if it is in no chunk, and
 * `unknown` if only libft_malloc.so can tell.
 */
static inline __attribute__((always_inline)) size_t bounds_room_or(const void *pointer,
                                                                   size_t unknown)
{
    uintptr_t address = (uintptr_t)pointer;
    uint32_t entry = heap_map_entry_in(bounds_tables.map, address);
    uint32_t unit = address >> UNIT_SHIFT & (TINY_HEAP_SIZE / UNIT_SIZE - 1);

    if (likely(unit < entry >> MAP_UNITS_SHIFT))
        return entry & TAG_SMALL ? bounds_room_small(address) : bounds_room_tiny(address);
    /* Relaxed: see struct outside. */
    if (likely(entry == 0) &&
        (address <
             ~atomic_load_explicit(&bounds_tables.outside->low_complement, memory_order_relaxed) ||
         address >= atomic_load_explicit(&bounds_tables.outside->high, memory_order_relaxed)))
        return SIZE_MAX;
    return unknown;
}

/*
 * Returns true if the access is certainly allowed. It calls nothing, so that a function which ends
 * in a call needs no frame.
 */
static inline __attribute__((always_inline)) bool bounds_allow(const void *pointer, size_t size)
{
    return bounds_room_or(pointer, 0) >= size;
}

/* Returns how many bytes of the chunk begin at the address: SIZE_MAX if it is in no chunk. */
size_t bounds_room(const void *pointer);

#endif

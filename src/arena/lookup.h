/*
 * What is at an address? The one place that knows all zones: TINY, SMALL, LARGE, the chunks of 0
 * bytes that a hardened process has, and the guarded ones of FT_MALLOC_GUARD. Any thread may ask
 * about any value whatever. The answers are a verdict and the description of a chunk
 * (bins/chunk.h).
 *
 * There are two kinds of caller. The first holds the chunk, if the address is a chunk's at all; a
 * live chunk keeps its heap mapped, so no lock is needed. The second knows that the pointer is
 * wrong, and such a pointer keeps no heap mapped; lookup_any() takes the structure lock for that.
 */
#ifndef FT_ARENA_LOOKUP_H
#define FT_ARENA_LOOKUP_H

#include "bins/bounds.h"
#include "bins/chunk.h"

/*
 * Looks in TINY and SMALL heaps only, without a lock. Returns CHUNK_FOREIGN, and describes nothing,
 * if the address is in none of them.
 */
static inline enum verdict lookup_in_heaps(uintptr_t address, struct chunk *chunk)
{
    uint16_t tag = heap_map_tag(address);

    return tag == TAG_NONE ? CHUNK_FOREIGN : chunk_find(address, tag, chunk);
}

/* What ft_malloc_bounds() returns; and the part of it for an address in no heap. */
struct ft_malloc_extent lookup_bounds_elsewhere(uintptr_t address);

static inline struct ft_malloc_extent lookup_bounds(uintptr_t address)
{
    uint16_t tag = heap_map_tag(address);

    return tag != TAG_NONE ? chunk_bounds(address, tag) : lookup_bounds_elsewhere(address);
}

/* Finds the live chunk that starts at the address, without the structure lock. */
bool lookup_live(uintptr_t address, struct chunk *chunk);

/*
 * Finds out all that is known of the address. Takes the structure lock for reading, which the
 * caller must not hold. If the verdict is CHUNK_NONE, the zone says in which kind of heap the
 * address is.
 */
enum verdict lookup_any(uintptr_t address, struct chunk *chunk);

#endif

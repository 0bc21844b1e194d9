/*
 * Guards inside heaps, in hardened mode. A heap is only address space at first, except for its
 * header. The memory that slabs need is committed in steps, from the bottom, so that a write far
 * past a chunk's end soon meets memory that cannot be touched. Guards, which are never committed,
 * lie between at random places, less than a MiB apart. Owner only, like all of a heap.
 */
#ifndef FT_BINS_HEAP_GUARDS_H
#define FT_BINS_HEAP_GUARDS_H

#include "base/options.h"
#include "bins/heap.h"

enum {
    /*
     * Each block of units has one guard, in its upper half. So the longest run of units between two
     * guards has less than a MiB, and the shortest has room for the longest slab.
     */
    GUARD_BLOCK = 32,
    GUARD_PLACES = GUARD_BLOCK / 2,
    /*
     * How many guards there may be in all heaps together; new heaps then get none. Each guard
     * divides a mapping, and the kernel allows 65,530.
     */
    GUARDS_MAX = 8192,
};

/* Returns true if heaps are committed in steps. They are not if a page is larger than a unit. */
static inline bool heap_in_steps(void)
{
    return policy_guards() && os_page_size() <= UNIT_SIZE;
}

/* Chooses the guards of a new heap whose memory is still zero, and reserves all other units. */
void heap_guard(struct heap *heap);

/* Notes that a heap with this many guards was unmapped. */
void heap_unguard(unsigned guards);

/*
 * Commits what is reserved of a range of units. Returns false if the kernel refuses; units that may
 * be a hole then are lost.
 */
bool heap_commit_reserved(struct heap *heap, unsigned first, unsigned units);

/* Makes sure that vacant units are memory. */
static inline bool heap_commit(struct heap *heap, unsigned first, unsigned units)
{
    return !heap_in_steps() || heap_commit_reserved(heap, first, units);
}

#endif

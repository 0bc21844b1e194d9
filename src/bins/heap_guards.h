/*
 * Guards inside heaps, in hardened mode. They are units that are never committed, at random places
 * less than a MiB apart. What is between them is committed in steps, as in every heap
 * (heap_steps.h), so a write far past a chunk's end soon meets memory that cannot be touched. Owner
 * only, like all of a heap.
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

/* Returns true if heaps have guards inside. They have none if a page is larger than a unit. */
static inline bool heap_has_guards(void)
{
    return policy_guards() && os_page_size() <= UNIT_SIZE;
}

/* Chooses the guards of a new heap among its reserved units. Its header is still zero. */
void heap_guard(struct heap *heap);

/* Notes that a heap with this many guards was unmapped. */
void heap_unguard(unsigned guards);

#endif

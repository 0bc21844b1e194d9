/*
 * With FT_MALLOC_HARDEN a heap is address space at first, of which only the header is memory. What
 * slabs need of it is committed in steps, from the bottom, so that whoever goes far past a chunk's
 * end soon meets what nobody may touch; and guards that are never committed lie between, at random
 * places, less than a MiB apart. Owner only, like all of a heap.
 */
#ifndef FT_BINS_HEAP_GUARDS_H
#define FT_BINS_HEAP_GUARDS_H

#include "base/options.h"
#include "bins/heap.h"

enum {
    /*
     * In each block of units one is a guard, in its upper half: so the longest run of units between
     * two guards has less than a MiB, and the shortest has room for the longest slab.
     */
    GUARD_BLOCK = 32,
    GUARD_PLACES = GUARD_BLOCK / 2,
    /*
     * Each divides a mapping: more than this, of all heaps, and new ones do without. The kernel
     * allows 65,530.
     */
    GUARDS_MAX = 8192,
};

/*
 * Whether heaps are made so: not where a page is larger than a unit.
 */
static inline bool heap_in_steps(void)
{
    return policy_guards() && os_page_size() <= UNIT_SIZE;
}

/* For a new heap, all zero so far: chooses its guards; all other units are reserved. */
void heap_guard(struct heap *heap);

/* A heap with so many guards is gone. */
void heap_unguard(unsigned guards);

/* False: the kernel refuses. What may be a hole now is lost. */
bool heap_commit_reserved(struct heap *heap, unsigned first, unsigned units);

/* Sees to it that vacant units are memory. */
static inline bool heap_commit(struct heap *heap, unsigned first, unsigned units)
{
    return !heap_in_steps() || heap_commit_reserved(heap, first, units);
}

#endif

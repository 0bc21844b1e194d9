/*
 * Internal to src/bins: gives back the pages of states that describe only units in no slab. With
 * the arena's lock held.
 */
#ifndef FT_BINS_HEAP_STATES_H
#define FT_BINS_HEAP_STATES_H

#include "bins/heap.h"

/* Returns how many units a page of states describes, as a power of two. */
static inline unsigned heap_states_shift(const struct heap *heap)
{
    return heap->set->small ? SMALL_STATES_SHIFT : TINY_STATES_SHIFT;
}

/*
 * Notes that the states of these units will be written to. There are 64 pieces of states of OS_PAGE
 * in each zone, a bit for each.
 */
static inline void heap_states_used(struct heap *heap, unsigned first, unsigned units)
{
    unsigned shift = heap_states_shift(heap);
    unsigned low = first >> shift, high = (first + units - 1) >> shift;

    heap->states_written |= (UINT64_C(2) << high) - (UINT64_C(1) << low);
}

/*
 * Gives back pages of states whose units are in no slab and have given back their own memory. The
 * states are NONE then, as if no chunk had ever been there. Stops, with an allowance of 0, when
 * that does not suffice. Returns the bytes.
 */
size_t heap_states_purge(struct heap *heap, unsigned *allowance);

#endif

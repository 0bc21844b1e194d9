/*
 * Internal to src/bins: purging, which gives the memory of free units back to the kernel while
 * their heap stays. With the arena's lock held.
 */
#ifndef FT_BINS_HEAP_PURGE_H
#define FT_BINS_HEAP_PURGE_H

#include "base/bits.h"
#include "bins/heap.h"

/*
 * Shorter runs, in units, are left alone when ageing: the system call and the page faults would
 * cost more than they gain. For the same reason, every run counts for at least as much.
 */
enum { HEAP_PURGE_LEAST = 8 };

/*
 * Purges the runs of free, dirty pages that are at least `least` units long: only aged ones, or
 * all. Purges less if the allowance does not suffice; the allowance is 0 then. Returns the bytes.
 */
size_t heap_purge(struct heap *heap, bool aged_only, unsigned least, unsigned *allowance);

/* Returns how many units of the heap are kept. */
static inline unsigned heap_kept(const struct heap *heap)
{
    unsigned units = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        units += (unsigned)__builtin_popcountll(heap->vacant[word] & heap->dirty[word]);
    return units;
}

static inline unsigned allowance_less(unsigned allowance, unsigned cost)
{
    return allowance > cost ? allowance - cost : 0;
}

#endif

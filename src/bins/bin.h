/*
 * A bin: the slabs of one size class of an arena. They are the current one, from which stacks are
 * filled, a ring of partial ones, and spare ones, which are empty. Full slabs are in no list.
 * Everything here is guarded by the arena's lock.
 */
#ifndef FT_BINS_BIN_H
#define FT_BINS_BIN_H

#include "bins/slab.h"

struct bin {
    struct slab *current;
    struct slab *partial;
    /* Linked by `next`. */
    struct slab *spare;
    /* Constant. */
    uint8_t size_class;
};

#define BINS_NO_TICKS UINT64_MAX

/* The bins of an arena. */
struct bins {
    struct bin of[SIZE_CLASSES];
    struct heap_set *tiny, *small;
    /* How many units the long ones of all spare slabs have. */
    unsigned spare_units;
    /*
     * When the next tick is due, or BINS_NO_TICKS for never, in tests. Written with the arena's
     * lock. Any thread reads it, relaxed, to see whether the arena's own threads make its ticks.
     */
    _Atomic uint64_t next_tick;
    unsigned ticks;
    /* True if a tick, or a piece of one, was made since arena_make_way() last looked. */
    bool ticked;
    /* What is left to do of a tick: the sets of heaps that have to be aged. */
    bool tiny_ages, small_ages;
};

/*
 * At every so many ticks a round may begin, in which the heaps of a set are aged. A set that has
 * learned patience leaves rounds out: see heap_ageing.h.
 */
enum { BINS_AGE_TICKS = 2 };

/* Sets up the bins of an arena. */
void bins_init(struct bins *bins, struct heap_set *tiny, struct heap_set *small);

/* See heap_set_enter(). */
static inline void bins_enter(struct bins *bins, struct own_heaps *tiny, struct own_heaps *small,
                              bool alone, unsigned allowance)
{
    heap_set_enter(bins->tiny, tiny, alone, allowance);
    heap_set_enter(bins->small, small, alone, allowance);
}

/*
 * Called at the end of slow calls, when all bins are in order. Ages the heaps once in a while, a
 * piece at a time. This is not only for the sake of memory at rest: what was freed in one zone is
 * then available to the other before fresh memory is touched.
 */
void bins_tick(struct bins *bins, uint64_t now);

/*
 * Gives back everything that is free in the heaps: a piece now, and the rest in the next calls of
 * this or at the next ticks. Returns true if nothing is left.
 */
bool bins_trim(struct bins *bins);

/* For the repair after a fork: forgets all slabs. */
void bins_reset(struct bins *bins);

/* Returns all empty slabs to their heaps. */
void bins_release_empty(struct bins *bins);

/* Returns chunks, which are in no stack any more, to their slabs. */
void bin_to_slabs(struct bin *bin, void **chunks, unsigned count);

/* Adds a slab that was rebuilt, in the place for its number of vacant chunks. */
void bin_adopt(struct bin *bin, struct slab *slab);

#endif

/*
 * The steps of every walk: from heap to heap of a set, and from slab to slab of a heap, on any
 * thread, while others continue. The structure lock is held only for the step from one heap to the
 * next. The heap that the walker is in is pinned, which keeps it from being unmapped. New heaps are
 * put in front of the list, so a walk visits each heap that exists throughout exactly once.
 *
 * debug/walk.h combines these steps to a walk over everything; the repair after a fork (recover.h)
 * makes them in pieces.
 */
#ifndef FT_BINS_HEAP_WALK_H
#define FT_BINS_HEAP_WALK_H

#include "bins/slab.h"

/*
 * Returns the heap after `heap`, or the first one for NULL; returns NULL at the end. The returned
 * heap is pinned until the next call, which is given it. Takes the structure lock for reading; the
 * caller must not hold it.
 */
struct heap *heap_walk(struct heap_set *set, struct heap *heap);

/*
 * Returns the slab that begins at a unit of the heap, or NULL. Stores its identity, which was read
 * before anything else of the slab.
 */
static inline struct slab *heap_slab_at(const struct heap *heap, unsigned unit, uint64_t *identity)
{
    uintptr_t address = heap->base + (uintptr_t)unit * UNIT_SIZE;
    struct slab *slab = heap->set->small ? small_slab(address) : tiny_slab(address);

    if (slab == NULL)
        return NULL;
    /* Acquire: the states that are read next are not older. */
    *identity = atomic_load_explicit(&slab->identity, memory_order_acquire);
    return (*identity & 1) != 0 && identity_unit(*identity) == unit ? slab : NULL;
}

/*
 * Returns the next slab of the heap that begins at unit *unit or above, in the order of addresses,
 * and its identity; returns NULL at the end of the heap. Moves *unit behind the slab. Begin with
 * heap_first_unit().
 */
struct slab *heap_next_slab(const struct heap *heap, unsigned *unit, uint64_t *identity);

/* Returns whether a walker is in the heap. The caller holds the structure lock for writing. */
bool heap_pinned(const struct heap *heap);

#endif

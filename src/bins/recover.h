/*
 * The repair in the child of a fork: finds out from the states what other threads were doing to an
 * arena's heaps, a piece at a time. The states are the truth: a chunk that is not live is free.
 *
 *   unswept   a sound set, which no thread was using but the one that forked. Chunks that others
 *             had freed are in parcels that are lost; their state, REMOTE, tells which they are
 *   unknown   a set that other threads may have been changing. Bit maps, rings and free runs are
 *             rebuilt
 *
 * Both pass through the heaps from the newest to the oldest, and through each heap from its first
 * unit to its last. New heaps are put in front, so they are not visited. `unswept` ends where
 * `unknown` begins, because rebuilding a slab also sweeps it.
 *
 * A chunk that is freed at or behind one of the two places is marked REMOTE and otherwise left
 * alone, since the repair will find it. In front of both places everything is as if there had been
 * no fork. The places are changed with arena->repair_lock held. The heap that contains a place is
 * not unmapped, and no unit of a heap that is being rebuilt is handed out.
 */
#ifndef FT_BINS_RECOVER_H
#define FT_BINS_RECOVER_H

#include "bins/bin.h"
#include "bins/chunk.h"

/* Begins to sweep a set that is sound, so that only marks have to be found. */
void recover_sweep(struct heap_set *set);

/* Begins to rebuild a set of which nothing is known. The bins have been reset. */
void recover_rebuild(struct heap_set *set);

/* Called for each marked chunk that is found while sweeping. */
typedef void recover_found(struct arena *arena, const struct chunk *chunk);

/* Continues for a bounded number of states. Returns true if nothing is left to do. */
bool recover_step(struct heap_set *set, struct bins *bins, recover_found *found);

static inline bool recover_at_or_behind(const struct heap_place *place, const struct chunk *chunk)
{
    const struct heap *heap = chunk_heap(chunk);
    unsigned unit = chunk_first_unit(chunk);

    return place->heap != NULL &&
           (heap->number < place->number || (heap->number == place->number && unit >= place->unit));
}

#ifdef FT_MALLOC_PREFIXED
/* For tests: how many states were looked at. */
extern size_t recover_looked;
#endif

#endif

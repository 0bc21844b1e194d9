/*
 * After a fork, in the child: finding out from the states what other threads were doing to an
 * arena's heaps, a piece at a time. The states are the truth: what is not live is free.
 *
 *   unswept   a sound set, of the thread that forked. Chunks that others had freed are in parcels
 *             that are lost; they are found by their mark, REMOTE
 *   unknown   a set that other threads may have been changing. Bit maps, rings and free runs are
 *             built anew
 *
 * Both go through the heaps from the newest to the oldest, and each heap from its first unit to its
 * last. New heaps come in front, so no piece sees them. `unswept` ends where `unknown` begins:
 * there the rebuilding sweeps as well.
 *
 * What is freed at or behind one of the two places is marked REMOTE and left alone, since it will
 * be found; in front of them all is as if there had been no fork. The places move with
 * arena->repair_lock held. The heap that a place is in is not unmapped, and no unit of the one that
 * is being rebuilt is handed out.
 */
#ifndef FT_BINS_RECOVER_H
#define FT_BINS_RECOVER_H

#include "bins/bin.h"
#include "bins/chunk.h"

/* All that is known of the set is sound: only marks have to be found. */
void recover_sweep(struct heap_set *set);

/* Nothing is known any more; the bins have been reset. */
void recover_rebuild(struct heap_set *set);

/* For each chunk that is found by its mark, while sweeping. */
typedef void recover_found(struct arena *arena, const struct chunk *chunk);

/* Goes on for a bounded number of states. True: nothing is left to do. */
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

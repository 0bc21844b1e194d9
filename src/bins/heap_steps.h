/*
 * Internal to src/bins: how a heap gets its memory. An arena's first heap of a zone is address
 * space that cannot be touched, except for its header and a first few units. The rest is committed
 * in growing steps, when a slab needs it. So an arena of which little is used costs little: in
 * locked memory (mlockall()), in what the kernel promises (overcommit_memory = 2), and in huge
 * pages, of which the kernel makes none in a mapping that is too small for one. The steps have the
 * same protection and flags, and each begins where the memory ends, so the kernel joins them. Owner
 * only, like all of a heap.
 */
#ifndef FT_BINS_HEAP_STEPS_H
#define FT_BINS_HEAP_STEPS_H

#include "base/bits.h"
#include "bins/heap.h"

/*
 * How many units are memory from the beginning, the header included: in the heaps of the process's
 * first arena, and in those of other arenas. In the former all kinds of slab have room, so a
 * process that allocates a little needs no further system call. Of the latter there may be many, in
 * threads that hardly allocate. The units fill whole pages of every size.
 */
enum { TINY_COMMITTED = 36, SMALL_COMMITTED = 48, TINY_LATER = 24, SMALL_LATER = 28 };

/*
 * Returns how much of the set's next heap shall be memory from the beginning. An arena that already
 * has a heap of the zone gets a whole heap: it has used as much before, and each step costs a
 * system call. Hardened heaps always grow in steps.
 */
size_t heap_first_part(const struct heap_set *set);

/*
 * Notes that what is behind the first `committed` bytes of a new heap is only reserved, and which
 * units have states. Its header is still zero.
 */
void heap_reserve_behind(struct heap *heap, size_t committed);

/*
 * Gives the kernel the memory of the states that no unit of a new heap needs yet. They can still be
 * read, as zeros, so a wrong pointer is recognized there, too. In the process's first arena they
 * stay memory, which spares a program's start the system call. If the kernel refuses, the units
 * without states are lost. The heap is in the open list.
 */
void heap_reserve_states(struct heap *heap);

/* Returns the end of the heap's memory, in bytes from its base. */
size_t heap_committed(const struct heap *heap);

/*
 * Commits what is reserved of a range of vacant units. Returns false if the kernel refuses. Units
 * that may be a hole then are lost.
 */
bool heap_commit_reserved(struct heap *heap, unsigned first, unsigned units);

/* Makes sure that vacant units are memory. Returns false like heap_commit_reserved(). */
static inline bool heap_commit(struct heap *heap, unsigned first, unsigned units)
{
    return likely(bit_next(heap->reserved, first, first + units, 0) == first + units) ||
           heap_commit_reserved(heap, first, units);
}

/* Returns how many mappings of the heap are on the account. */
unsigned heap_mappings(const struct heap *heap);

#endif

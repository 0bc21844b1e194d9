/*
 * Heaps in limbo: they have left the heap map and have no memory any more, but keep their address
 * space for about a second. A thread that frees a wrong pointer may have read the map just before a
 * heap left it, and looks into the heap's header next: there it finds zeros, where no chunk is
 * live, and the report follows. Any thread may call this, without a lock.
 */
#ifndef FT_BINS_LIMBO_H
#define FT_BINS_LIMBO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Gives the memory of a heap back that nobody can find any more, and keeps its place. False: it
 * must be unmapped at once, and nothing was done.
 */
bool limbo_put(uintptr_t base, size_t size);

/*
 * Unmaps the heaps that have been in limbo for long enough, or all. Returns their bytes of address
 * space.
 */
size_t limbo_empty(bool all);

/* Whether there is any: whether a call is worth it. */
bool limbo_any(void);

#ifdef FT_MALLOC_PREFIXED
/* For tests: false, and heaps are unmapped at once. */
extern bool limbo_used;
#endif

#endif

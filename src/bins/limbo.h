/*
 * Heaps in limbo: they have left the heap map and have no memory any more, but keep their address
 * space for about a second. A thread that frees a wrong pointer may have read the map just before a
 * heap left it, and then reads the heap's header. There it finds zeros, so no live chunk, and the
 * report follows. Any thread may call this, without a lock.
 */
#ifndef FT_BINS_LIMBO_H
#define FT_BINS_LIMBO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Gives back the memory of a heap that no look-up finds any more, and keeps its address space. The
 * first `committed` bytes are all of its memory, the header included. Returns false if the heap has
 * to be unmapped at once; nothing has changed then.
 */
bool limbo_put(uintptr_t base, size_t size, size_t committed);

/*
 * Unmaps the heaps that have been in limbo for long enough, or all. Returns their bytes of address
 * space.
 */
size_t limbo_empty(bool all);

/* Returns true if there is any heap in limbo, so that a call is worth it. */
bool limbo_any(void);

#ifdef FT_MALLOC_PREFIXED
/* For tests: if false, heaps are unmapped at once. */
extern bool limbo_used;
#endif

#endif

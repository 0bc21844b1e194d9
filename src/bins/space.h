/*
 * Address space for the first heaps and arenas: one mapping serves them all, because at a program's start a system
 * call costs as much as everything else that is done for a heap.
 */
#ifndef FT_BINS_SPACE_H
#define FT_BINS_SPACE_H

#include <stddef.h>

/*
 * `size` bytes, a multiple of the page, zero-filled, aligned to their size (a heap) or to the page; or NULL: no
 * memory. They go back by os_unmap(). Any thread, without a lock.
 */
void *space_map(size_t size, size_t align);

#endif

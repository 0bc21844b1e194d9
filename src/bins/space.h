/*
 * Address space for heaps and arenas. Every heap lies between guards of its own, pages that nobody
 * may touch: what a program writes past the end of its chunks reaches nothing else of ours. Any
 * thread may call this, without a lock.
 */
#ifndef FT_BINS_SPACE_H
#define FT_BINS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A heap's place: `size` bytes of address space at a multiple of `align`, of which
 * heap_units_in(size) units are zero-filled memory and the rest is guards; or 0: no memory. `size`
 * is a power of two, at most `align`.
 */
uintptr_t space_map_heap(size_t size, size_t align);

/*
 * The same for a whole heap, aligned to its size, from the first mapping; 0: there is no such
 * place, or no more.
 */
uintptr_t space_first_heap(size_t size);

/*
 * Unmaps what others keep for later, because there is no address space for a heap. Returns how many
 * bytes that were. Called without a lock, but for that of the arena.
 */
typedef size_t heap_reclaim(void);

/*
 * A heap's place by every means: where there is none for a whole heap, `reclaim` makes room for it.
 * `*size` is that of a whole heap, to which the place is aligned; it becomes what the place has:
 * half is better than none, down to `least`. Returns 0 if there is no memory.
 */
uintptr_t space_find_heap(size_t *size, size_t least, heap_reclaim *reclaim);

/* False when the kernel refuses: then it is as it was. */
bool space_unmap_heap(uintptr_t base, size_t size);

/*
 * `size` bytes, a multiple of the page, zero-filled; or NULL: no memory. They go back by
 * os_unmap().
 */
void *space_map_arena(size_t size);

#endif

/*
 * Address space for heaps and arenas. Every heap has guards of its own around it, pages that cannot
 * be touched, so a write past the end of its chunks reaches nothing else of ours. Any thread may
 * call this, without a lock.
 */
#ifndef FT_BINS_SPACE_H
#define FT_BINS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Returns a place for a heap: `size` bytes of address space at a multiple of `align`. The caller
 * needs the first `*committed` bytes at once, or all units if that is more than there are. On
 * return, the first `*committed` bytes are zero-filled memory; the others, up to
 * heap_units_in(size) units, can be committed later; the rest is guards. `size` is a power of two,
 * at most `align`. Returns 0 if there is no memory.
 */
uintptr_t space_map_heap(size_t size, size_t align, size_t *committed);

/*
 * Returns a place for a whole heap, aligned to its size, in the first mapping; or 0 if it has no
 * such place, or none left. `*committed` is as for space_map_heap(), but it also changes if there
 * is no place.
 */
uintptr_t space_first_heap(size_t size, size_t *committed);

/*
 * Unmaps memory that others keep for later, because there is no address space for a heap. Returns
 * its bytes. The caller holds no lock except that of the arena.
 */
typedef size_t heap_reclaim(void);

/*
 * Returns a place for a heap by every means; if there is none for a whole heap, `reclaim` makes
 * room. `*size` is the size of a whole heap, to which the place is aligned; it becomes the size of
 * the place, which may be half of that, and so on down to `least`. `*committed` is as for
 * space_map_heap(). Returns 0 if there is no memory.
 */
uintptr_t space_find_heap(size_t *size, size_t least, heap_reclaim *reclaim, size_t *committed);

/* Returns false if the kernel refuses; the heap is then as it was. */
bool space_unmap_heap(uintptr_t base, size_t size);

/*
 * Returns a place for an arena of `size` bytes, a multiple of the page, or NULL if there is no
 * memory. The first `*ready` bytes, or more, are zero-filled memory; stores how many. What is
 * behind them is address space, for os_renew(). own_unmap() unmaps all of it.
 */
void *space_map_arena(size_t size, size_t *ready);

#endif

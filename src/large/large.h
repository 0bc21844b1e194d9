/*
 * LARGE chunks. Each has a mapping of its own, and a descriptor in a registry, where a hash of the
 * address finds it. Nothing about the chunk is stored in its mapping. Freed mappings wait in a
 * bounded cache for the next request that they fit, so that a program that allocates and frees
 * makes no system call and no page fault. Any thread may call any function here.
 */
#ifndef FT_LARGE_LARGE_H
#define FT_LARGE_LARGE_H

#include "ft_malloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct large_stash;

/* The result of a look-up. */
struct large_info {
    uintptr_t start;
    size_t requested; /* of a cached chunk: the size before it was freed */
    size_t usable;
    bool live; /* false: the chunk waits in the cache */
};

/*
 * Allocates a chunk. `align` is a power of two. Sets *clean if the memory is zero. Returns NULL if
 * there is no memory; nothing has changed then.
 */
void *large_alloc(size_t size, size_t align, bool *clean);

/*
 * Allocates a chunk that is expected to grow, with address space behind it if there is enough. Sets
 * *clean if the memory is zero.
 */
void *large_alloc_growing(size_t size, bool *clean);

/*
 * Like large_alloc_growing(), for a chunk that does not depend on headroom. The memory is zero.
 * Also returns NULL if there is no address space to spare, or if so many mappings are in use that
 * the process could reach the kernel's limit.
 */
void *large_try_growing(size_t size);

/* Like large_alloc_growing(), between guards, for hardened mode. */
void *large_alloc_growing_guarded(size_t size);

/*
 * Takes a chunk from the cache that has grown before, and may be much larger than `size`. Returns
 * NULL if there is none.
 */
void *large_reuse_growing(size_t size);

enum large_freed { LARGE_FREED, LARGE_WAS_FREE, LARGE_UNKNOWN };

/*
 * Frees the live chunk that starts at the address; changes nothing if there is none. With `keep`,
 * its mapping may wait in the cache for the next request. Without it, the mapping is unmapped: the
 * next request is known to be larger.
 */
enum large_freed large_free(uintptr_t address, bool keep);

/* Finds the chunk, live or cached, that starts at the address. */
bool large_find(uintptr_t address, struct large_info *info);

/*
 * For reports: finds the live chunk around the address; or the last chunk that started there and
 * whose mapping is gone.
 */
bool large_find_around(uintptr_t address, struct large_info *info);
bool large_find_gone(uintptr_t address, struct large_info *info);

/* For reports: finds the last chunk around the address whose mapping is gone. */
bool large_find_gone_around(uintptr_t address, struct large_info *info);

/*
 * Returns the bounds of the chunk around the address, live or cached, as ft_malloc_bounds() does.
 * Waits for no lock. May not know a chunk if another thread holds the registry's lock, or if there
 * are more than 2,048 chunks.
 */
struct ft_malloc_extent large_bounds(uintptr_t address);

/*
 * Copies to a chunk that is zero, but skips pages of `from` that are zero: pages that were never
 * written to do not become resident. (Reading such a page takes no memory.) `bytes` is a multiple
 * of 16.
 */
void large_copy_written(char *to, const char *from, size_t bytes);

/*
 * Moves all bytes of the live chunk at `from` to a larger chunk that is zero, and frees the old
 * one. From LARGE_MOVE_FROM bytes on, this takes less memory than a copy, and no more time. Returns
 * false, and does nothing, if there is no live chunk at `from` any more.
 */
enum { LARGE_MOVE_FROM = 1 << 20 };
bool large_move(uintptr_t from, char *to);

/* What peek() does, for a LARGE chunk (debug/peek.h). */
bool large_peek(uintptr_t start, size_t offset, void *to, size_t size);

/*
 * Changes the size of a live chunk in place. Returns false if that is impossible; nothing has
 * changed then.
 */
bool large_resize(uintptr_t address, size_t size);

/*
 * Changes the size in place in hardened mode. Returns how many bytes the chunk then has: as far as
 * a guard, or at least one byte more than `size`. Returns 0 if the chunk has to move. The caller
 * wipes memory and sets the canary.
 */
size_t large_resize_guarded(uintptr_t address, size_t size);

/*
 * Makes the live chunk smaller, but gives nothing back, because it is expected to grow again.
 * Returns false if there is no such chunk, or if it has less room than `size`.
 */
bool large_shrink_within(uintptr_t address, size_t size);

/*
 * Lets the live chunk grow within the room that it has already; this is cheap. Returns false if
 * there is no such chunk or not enough room.
 */
bool large_grow_within(uintptr_t address, size_t size);

/*
 * Called before `bytes` bytes of fresh memory are touched: unmaps as many bytes of what has waited
 * in the cache longest, and everything that has waited too long.
 */
void large_make_way(size_t bytes);

/* Gives the whole cache back to the kernel. Returns the bytes given back. */
size_t large_trim(void);

/*
 * Calls `visit` for each chunk in the registry, in no order and without a lock. A chunk that exists
 * all the while is visited once. Chunks may be visited that never existed together, at the same
 * address or with addresses in common; but the start of a chunk that lives all the while lies in no
 * other one.
 */
void large_walk(void (*visit)(void *context, const struct large_info *info), void *context);

/*
 * Returns how many bytes of freed mappings wait in the cache and in the stashes of threads at some
 * moment.
 */
size_t large_cached_bytes(void);

/*
 * Called in the child of a fork: repairs what another thread was changing. `own` is the surviving
 * thread's stash, or NULL.
 */
void large_after_fork(const struct large_stash *own);

#endif

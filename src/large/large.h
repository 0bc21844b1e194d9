/*
 * LARGE chunks: each has an mmap of its own, and a descriptor in a registry that is found by a hash
 * of the address; nothing about it lies in the mapping. Freed mappings wait in a bounded cache for
 * the next request that they fit, so that churn makes no system call and no page fault. Any thread
 * may call anything here.
 */
#ifndef FT_LARGE_LARGE_H
#define FT_LARGE_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct large_stash;

/* A chunk that was looked up. */
struct large_info {
    uintptr_t start;
    size_t requested; /* of one in the cache: what it was */
    size_t usable;
    bool live; /* else it waits in the cache */
};

/*
 * `align`: a power of two. Sets *clean if the memory is zero. NULL: no memory, and nothing has
 * changed.
 */
void *large_alloc(size_t size, size_t align, bool *clean);

/*
 * For a chunk that grows: with address space behind it, where there is enough, so that it can go
 * on. Sets *clean if the memory is zero.
 */
void *large_alloc_growing(size_t size, bool *clean);

/*
 * The same for one that could do with less, always zero: NULL, too, if there is no address space to
 * spare, or if there are so many mappings that the process could reach the kernel's limit of them.
 */
void *large_try_growing(size_t size);

/* The same with FT_MALLOC_HARDEN: between guards. */
void *large_alloc_growing_hardened(size_t size);

/* The same, if one waits in the cache that has grown before; it may be much larger. Else NULL. */
void *large_reuse_growing(size_t size);

enum large_freed { LARGE_FREED, LARGE_WAS_FREE, LARGE_UNKNOWN };

/*
 * Frees the live chunk that starts at the address; otherwise changes nothing. `keep`: its mapping
 * may wait in the cache for the next request; not if the next one is known to be larger.
 */
enum large_freed large_free(uintptr_t address, bool keep);

/* The chunk, live or cached, that starts at the address. */
bool large_find(uintptr_t address, struct large_info *info);

/*
 * For reports: the live chunk around the address; or, with its last size, one that started there
 * and whose mapping is gone.
 */
bool large_find_around(uintptr_t address, struct large_info *info);
bool large_find_gone(uintptr_t address, struct large_info *info);

/*
 * Copies to a chunk that is zero, but not the pages that are zero: those that were never written to
 * do not become resident by it. (Reading such a page takes no memory.) `bytes`: a multiple of 16.
 */
void large_copy_written(char *to, const char *from, size_t bytes);

/*
 * Moves all bytes of the live chunk at `from` to a larger chunk that is zero, and frees it. From
 * LARGE_MOVE_FROM bytes on that takes less memory than copying it, and not more time. False: it is
 * no live chunk any more, and nothing was done.
 */
enum { LARGE_MOVE_FROM = 1 << 20 };
bool large_move(uintptr_t from, char *to);

/*
 * Changes the size in place: false if that cannot be done, and nothing has changed. The chunk is
 * live.
 */
bool large_resize(uintptr_t address, size_t size);

/*
 * The same with FT_MALLOC_HARDEN: returns how many bytes the chunk then has, up to a guard, or at
 * least one more than `size`; 0: it has to move. What is wiped and where the canary is, is the
 * caller's business.
 */
size_t large_resize_hardened(uintptr_t address, size_t size);

/*
 * Makes the live chunk smaller, but gives nothing back: it is expected to grow again. Returns false
 * if there is none, or it has less room than that.
 */
bool large_shrink_within(uintptr_t address, size_t size);

/*
 * The same, at little cost, if the chunk at the address is a live one that has as much room
 * already.
 */
bool large_grow_within(uintptr_t address, size_t size);

/*
 * So many bytes of fresh memory are about to be touched: as much goes back of what has waited in
 * the cache longest, and what has waited too long.
 */
void large_make_way(size_t bytes);

/* Gives the cache back to the kernel. Returns the bytes given. */
size_t large_trim(void);

/*
 * Calls visit for each chunk in the registry, in no order and without a lock. One that is there all
 * the while comes once. Others may come that were never there together: at the same address, or
 * with addresses in common; but the start of one that lives all the while lies in no other.
 */
void large_walk(void (*visit)(void *context, const struct large_info *info), void *context);

/* Bytes in freed mappings that wait, in the cache and in the stashes of threads, at some moment. */
size_t large_cached_bytes(void);

/*
 * In the child of a fork: repairs what another thread was changing. `own`: the surviving thread's
 * stash, or NULL.
 */
void large_after_fork(const struct large_stash *own);

#endif

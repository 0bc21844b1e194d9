/*
 * The memory that the allocator maps for itself: arenas, caches, parcels, tables. Programs that
 * look into a process from outside (debug/layout.h) need to know it, because addresses of chunks in
 * it keep no chunk alive, and because it is not the program's. So all that maps such memory does it
 * here. Nothing in the library reads the list.
 *
 * Any thread may call this at any time, with any lock held.
 */
#ifndef FT_BASE_OWN_H
#define FT_BASE_OWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A piece of the list: own_first is the first one, and mapped ones follow. Any thread adds to it.
 * Entries are only ever added, so a reader outside sees those that were there when it came; one
 * whose size is 0 is being written, or the memory was unmapped.
 */
enum { OWN_FIRST = 30 };

struct own_range {
    /* Relaxed; the size is stored last and with release. */
    _Atomic uintptr_t start;
    _Atomic size_t size;
    /* Not 0: only the library itself can use what is there, and snapshots leave it out. Relaxed. */
    _Atomic uint64_t inner;
};

struct own_ranges {
    /* Release and acquire: who sees the piece sees its zeros. */
    _Atomic(struct own_ranges *) next;
    /* How many entries threads have asked for: more than `room` once it is full. Relaxed. */
    _Atomic unsigned used;
    unsigned room;        /* constant */
    struct own_range *of; /* constant */
};

/* Returns `size` bytes of zero-filled memory, rounded up to whole pages, or NULL. */
void *own_map(size_t size);

/*
 * Maps `size` bytes of address space for the allocator itself, of which only the first `*ready`
 * bytes, rounded up to whole pages, are memory. The caller makes the rest memory by os_renew().
 * Stores the rounded number in *ready. Returns NULL if there is no memory.
 */
void *own_map_part(size_t size, size_t *ready);

/* Unmaps memory of own_map() or own_map_part(). Returns false if the kernel refuses. */
bool own_unmap(void *memory, size_t size);

/*
 * Enters memory that was mapped otherwise. Without memory for the list it is not entered, and a
 * reader outside takes it for the program's.
 */
void own_enter(const void *start, size_t size);

/* Says of memory that was entered that no reader outside needs it: it is an index, or the like. */
void own_is_inner(const void *memory);

extern struct own_ranges own_first;

#endif

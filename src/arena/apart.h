/*
 * The arena apart: for chunks whose frees somebody has to see although frees are quick. No thread
 * is in front of it, so no own-heap table lists its heaps, and no foreign-heap table does, because
 * remote_free_aligned() leaves its chunks alone. So every free of one of its chunks ends in a slow
 * call, which looks the chunk up, and sees `apart` of its arena.
 */
#ifndef FT_ARENA_APART_H
#define FT_ARENA_APART_H

#include "arena/cache.h"

/* Makes the arena if there is none yet. Returns false without memory. One thread at a time. */
bool apart_begin(void);

/*
 * Returns a chunk of the arena at a multiple of `align`, a power of two, or NULL if the request has
 * to be LARGE or there is no memory. The caller holds no lock. Not for hardened processes.
 */
void *apart_alloc(size_t align, size_t requested);

/* Frees a chunk of the arena that was found to be live. */
void apart_free(const struct chunk *chunk);

/* Returns whether the address is among the units of a heap of the arena. */
bool apart_has(uintptr_t address);

#endif

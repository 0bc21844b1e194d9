/*
 * An arena with FT_MALLOC_HARDEN: chunks are handed out in random order, with a canary behind them (os/canary.h);
 * freed ones are wiped, and wait in a quarantine before they can be handed out again. The arena is entered, or
 * locked; owner only.
 */
#ifndef FT_ARENA_HARDENED_H
#define FT_ARENA_HARDENED_H

#include "arena/arena.h"

/* Instead of arena_alloc(); the class has at least a byte of slack. */
void *hardened_alloc(struct arena *arena, unsigned class, size_t requested);

/* The same, and NULL as well if a slow call is needed, for an arena of the thread's own. */
void *hardened_alloc_quick(struct arena *arena, unsigned class, size_t requested);

/* Frees the live chunk at the address, if it is one of this arena, which is the thread's own. False: it is not. */
bool hardened_free_quick(struct arena *arena, uintptr_t address, const char *function);

/* Frees a live chunk of any arena; `arena`, the caller's, may be NULL. */
void hardened_free(struct arena *arena, const struct chunk *chunk, const char *function);

/* Takes a chunk of this arena back that others have freed, and wiped but for `held` bytes of a parcel. */
void hardened_arrive(struct arena *arena, const struct chunk *chunk, size_t held);

/* Reports a canary that was destroyed, and puts it in order again for those who go on. */
void hardened_check(uintptr_t start, size_t requested, size_t usable, const char *function);

/* Nothing waits any more. */
void hardened_flush(struct arena *arena);

/* For the repair after fork: what waits is found by its state. */
void hardened_forget(struct arena *arena);

#endif

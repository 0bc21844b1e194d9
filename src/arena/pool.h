/*
 * Which arena a thread gets: one from the pool, whose thread has ended; a new one; or, past the
 * limit of FT_MALLOC_ARENA_MAX, one of the arenas that are shared in turn.
 */
#ifndef FT_ARENA_POOL_H
#define FT_ARENA_POOL_H

#include "arena/arena.h"

/* An arena for a new thread, ACTIVE and the caller's own, or SHARED. NULL: no memory for one. */
struct arena *pool_get(void);

/* One of the shared arenas, for a thread that must not own one. NULL: no memory for one. */
struct arena *pool_get_shared(void);

/* Hands the arena of a thread that ends to the pool, with all that is still live in it. */
void pool_put(struct arena *arena);

/* Sets the limit of arenas; false if it is too late, because arenas were made by another one. */
bool pool_limit(unsigned arenas);

/*
 * Trims all arenas but the caller's own: those in use by other threads when they next get to it.
 * Bytes given.
 */
size_t pool_trim(struct arena *own);

/*
 * Gives back the memory of an arena that no thread has wanted for a second or so. Each call looks
 * at a few arenas and gives back the memory of one at most. Called at ticks by threads that hold no
 * lock.
 */
void pool_age(void);

/*
 * In the child of a fork: makes the locks new; and everything but the surviving thread's arena is
 * ownerless. Not `sort`: that thread was in the middle of getting an arena, so the pool's lists are
 * left as they are.
 */
void pool_after_fork(struct arena *survivor, bool sort);

#endif

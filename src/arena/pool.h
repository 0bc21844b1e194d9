/*
 * Decides which arena a thread gets: one from the pool, whose thread has ended; a new one; or, past
 * the limit of FT_MALLOC_ARENA_MAX, one of the shared arenas in turn.
 */
#ifndef FT_ARENA_POOL_H
#define FT_ARENA_POOL_H

#include "arena/arena.h"

/*
 * Returns an arena for a new thread, either ACTIVE and the caller's own, or SHARED. Returns NULL if
 * there is no memory for one.
 */
struct arena *pool_get(void);

/*
 * Returns a shared arena, for a thread that must not own one. Returns NULL if there is no memory
 * for one.
 */
struct arena *pool_get_shared(void);

/* Puts the arena of a thread that ends into the pool, with all chunks that are still live in it. */
void pool_put(struct arena *arena);

/*
 * Sets the limit of arenas. Returns false if it is too late, because arenas were made under another
 * limit.
 */
bool pool_limit(unsigned arenas);

/*
 * Trims all arenas except the caller's own. The owners of those in use trim them at their next slow
 * calls. Returns the bytes that were given back.
 */
size_t pool_trim(struct arena *own);

/*
 * Gives back the memory of an arena that no thread has wanted for about a second. Each call looks
 * at a few arenas and serves one at most. Called at ticks by threads that hold no lock.
 */
void pool_age(void);

/*
 * Runs in the child of a fork. Renews the locks, and makes every arena ownerless except that of the
 * surviving thread. With `sort` false, the fork interrupted that thread while it was getting an
 * arena, so the pool's lists stay as they are.
 */
void pool_after_fork(struct arena *survivor, bool sort);

#endif

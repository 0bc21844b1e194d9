/*
 * Decides which cache, and with it which arena, a thread gets: one whose thread has ended; a new
 * one with an arena of its own; or, past the limit of FT_MALLOC_ARENA_MAX, a new one in front of an
 * arena that it shares with others.
 */
#ifndef FT_ARENA_POOL_H
#define FT_ARENA_POOL_H

#include "arena/cache.h"

/*
 * Returns a cache for a new thread, either the caller's own or a common one. Returns NULL if there
 * is no memory for one.
 */
struct cache *pool_get(void);

/*
 * Returns a common cache, for a thread that must not own one. Returns NULL if there is no memory
 * for one.
 */
struct cache *pool_get_common(void);

/* Empties the cache of a thread that ends, and keeps it for another one. */
void pool_put(struct cache *cache);

/*
 * Makes the fast paths of all threads miss that the modes want to be slow. Called after a mode was
 * added to modes_on. Calls that are in progress may still end without being seen.
 */
void pool_obey(void);

/*
 * Sets the limit of arenas. Returns false if it is too late, because arenas were made under another
 * limit.
 */
bool pool_limit(unsigned arenas);

/*
 * Runs in the child of a fork. Renews the locks, and takes the caches of all threads but the
 * surviving one back. With `sort` false, the fork interrupted that thread while it was getting a
 * cache, so the pool's lists stay as they are.
 */
void pool_after_fork(struct cache *survivor, bool sort);

#endif

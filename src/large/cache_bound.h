/*
 * How many bytes the cache of freed LARGE mappings may hold, and for how long. cache.c asks and
 * reports; nobody else does, except by the functions of this part in registry.h: cache_learn(),
 * cache_lend() and cache_count_live(). The registry's lock is held, but where it says otherwise.
 */
#ifndef FT_LARGE_CACHE_BOUND_H
#define FT_LARGE_CACHE_BOUND_H

#include "large/registry.h"

/*
 * Returns the bound: what was learned, but together with the live chunks no more than 1.5 times
 * what was live lately, plus a small constant. A program that needs little keeps little.
 */
size_t bound_bytes(void);

/* Returns true if a mapping that was freed at `then` has waited for too long. */
bool bound_is_too_old(uint64_t then, uint64_t now);

/* Notes that the cache served a request. */
void bound_served(void);

/*
 * Called when a request found nothing. If a mapping that was unmapped lately would have served it,
 * the cache should be able to hold so much more.
 */
void bound_miss(size_t size, size_t most, bool growing, uint64_t now);

/* Lowers the bound: so many bytes waited in vain. */
void bound_lower(size_t bytes);

/* Remembers a mapping that is unmapped because the cache is full; and forgets all of these. */
void bound_note_lost(const struct large *large, uint64_t now);
void bound_forget_lost(void);

/* Returns true if one of these mappings had grown. Needs no lock. */
bool bound_lost_grown(void);

/*
 * Returns how many bytes more live chunks may hold that they do not use: chunks that grow, or any.
 */
size_t bound_lends(bool growing);

/*
 * Ends a period that has lasted long enough, and returns true then. If the cache served no request
 * in it, what was learned is worth only half; after two periods without a look, nothing.
 */
bool bound_end_period(uint64_t now);

/* Called in the child of a fork, before live chunks and the cache are counted again. */
void bound_reset(void);

#endif

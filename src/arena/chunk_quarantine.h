/*
 * With policy_quarantine(), the chunks that a thread has freed wait in its cache before they can be
 * handed out again, and are pushed onto the stacks of their classes in random order. The quarantine
 * is bounded in chunks and in bytes. A chunk that waits is zero and in state FREE. The arena's lock
 * is held, except by the hit paths of hardened mode, where adding a chunk needs it only if a stack
 * is full.
 */
#ifndef FT_ARENA_CHUNK_QUARANTINE_H
#define FT_ARENA_CHUNK_QUARANTINE_H

#include "arena/cache.h"

/* Adds a freed chunk. The oldest chunks that wait may become available by that. */
void chunk_quarantine_add(struct cache *cache, uintptr_t address, unsigned size_class);

/* Adds a chunk of the arena that another thread has freed and wiped. */
void chunk_quarantine_receive(struct cache *cache, const struct chunk *chunk);

/* Makes every chunk available that waits. */
void chunk_quarantine_flush(struct cache *cache);

/* For the repair after a fork, which finds the waiting chunks by their states. */
void chunk_quarantine_forget(struct cache *cache);

#endif

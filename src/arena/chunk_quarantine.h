/*
 * With policy_quarantine(), freed chunks of an arena wait before they can be handed out again, and
 * are pushed onto the stacks of their bins in random order. The quarantine is bounded in chunks and
 * in bytes. A chunk that waits is zero and in state FREE. The arena is entered or locked; owner
 * only.
 */
#ifndef FT_ARENA_CHUNK_QUARANTINE_H
#define FT_ARENA_CHUNK_QUARANTINE_H

#include "arena/arena.h"

/* Adds a freed chunk. The oldest chunks that wait may become available by that. */
void chunk_quarantine_add(struct arena *arena, uintptr_t address, unsigned size_class);

/*
 * Adds a chunk of this arena that other threads have freed, and wiped but for `held` bytes of a
 * parcel.
 */
void chunk_quarantine_receive(struct arena *arena, const struct chunk *chunk, size_t held);

/* Makes every chunk available that waits. */
void chunk_quarantine_flush(struct arena *arena);

/* For the repair after a fork, which finds the waiting chunks by their states. */
void chunk_quarantine_forget(struct arena *arena);

#endif

/*
 * With policy_quarantine(): the chunks of an arena that were freed wait before they can be handed
 * out again, and go to the stacks of their bins in random order. Bounded in chunks and in bytes; a
 * chunk that waits is zero, and its state says FREE. The arena is entered, or locked; owner only.
 */
#ifndef FT_ARENA_CHUNK_QUARANTINE_H
#define FT_ARENA_CHUNK_QUARANTINE_H

#include "arena/arena.h"

/* The oldest chunks that wait may not have to any longer. */
void chunk_quarantine_add(struct arena *arena, uintptr_t address, unsigned size_class);

/*
 * Adds a chunk of this arena that other threads have freed, and wiped but for `held` bytes of a
 * parcel.
 */
void chunk_quarantine_receive(struct arena *arena, const struct chunk *chunk, size_t held);

/* Nothing waits any more. */
void chunk_quarantine_flush(struct arena *arena);

/* For the repair after a fork, which finds what waits by its state. */
void chunk_quarantine_forget(struct arena *arena);

#endif

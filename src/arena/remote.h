/*
 * Remote frees: chunks that a thread frees without owning their arena. The thread marks the state,
 * collects the chunks by owner, and sends a whole batch to the owner's inbox by one atomic
 * operation. The owner takes the inbox when one of its bins runs empty. Nothing is allocated for
 * it: the addresses are stored in the freed chunks themselves, and each is checked by its state
 * when it arrives.
 */
#ifndef FT_ARENA_REMOTE_H
#define FT_ARENA_REMOTE_H

#include "arena/arena.h"

/*
 * The number of forks between this process and the one that loaded the library. Chunks that were
 * collected before the last fork are not sent, because the repair has found them by their states.
 * Written in the child while it has one thread.
 */
extern unsigned fork_generation;

/*
 * Forgets what was collected and what has arrived, because the repair finds it. The arena is
 * entered or locked.
 */
void remote_forget(struct arena *arena);

/*
 * Marks a live chunk of another arena as freed, and collects it for its owner. `self` may be NULL.
 */
void remote_free(struct arena *self, const struct chunk *chunk);

/*
 * Does the same by address alone, aligned as a chunk is, in a heap of another arena, with its tag.
 * Returns false, having done nothing, if the chunk is not live or cannot be freed so easily.
 */
bool remote_free_aligned(struct arena *self, uintptr_t address, uint16_t tag);

/* Sends all collected chunks to their owners, when the thread ends or on malloc_trim. */
void remote_send_all(struct arena *self);

/*
 * Unpacks the inbox of an arena in the pool. For a thread that has held its lock or has pushed to
 * it. Takes the lock.
 */
void remote_drain_pooled(struct arena *arena);

/* Unpacks some of the parcels that have arrived, if any. The arena is entered or locked. */
void remote_receive(struct arena *arena);
void remote_receive_all(struct arena *arena);

#endif

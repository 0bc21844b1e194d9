/*
 * Remote frees: chunks freed by a thread that does not own their arena. The freeing thread marks
 * the state, collects the chunks by owner, and sends a whole batch to the owner's inbox with one
 * atomic operation; the owner takes the inbox when a bin of its runs empty. Nothing is allocated
 * for it: the addresses travel in the memory of the freed chunks themselves, and each is checked by
 * its state when it arrives.
 */
#ifndef FT_ARENA_REMOTE_H
#define FT_ARENA_REMOTE_H

#include "arena/arena.h"

/*
 * How many forks lie between this process and the one that loaded the library. What was collected
 * before the last of them is not sent: the repair has found it by its marks. Written in the child
 * while it has one thread.
 */
extern unsigned fork_generation;

/*
 * Forgets what was collected and what has arrived: the repair finds it. The arena is entered, or
 * locked.
 */
void remote_forget(struct arena *arena);

/* Marks a live chunk of another arena as freed, and keeps it for its owner; `self` may be NULL. */
void remote_free(struct arena *self, const struct chunk *chunk);

/*
 * The same for an address, aligned as a chunk is, in a heap of another arena, with its tag. False:
 * not live, or not so easily freed; nothing was done.
 */
bool remote_free_aligned(struct arena *self, uintptr_t address, uint16_t tag);

/* Sends everything home: when the thread ends, or on malloc_trim. */
void remote_send_all(struct arena *self);

/*
 * The same for an arena in the pool, by whoever has held its lock or has pushed to it; takes the
 * lock.
 */
void remote_drain_pooled(struct arena *arena);

/* Unpacks some of what has arrived, if anything. The arena is entered, or locked. */
void remote_receive(struct arena *arena);
void remote_receive_all(struct arena *arena);

#endif

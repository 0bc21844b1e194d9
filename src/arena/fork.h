/*
 * fork() in a process with threads. Before the fork, its thread only notes that it forks, and takes
 * no lock: the C library takes its own locks after such handlers, so the order would be the reverse
 * of ours. The child does the repair: it renews the locks, and the slow calls of the threads that
 * use an arena look through its heaps, for a bounded time each (bins/recover.h). A child that calls
 * exec pays for nothing of it.
 */
#ifndef FT_ARENA_FORK_H
#define FT_ARENA_FORK_H

#include "arena/arena.h"

/* Called once in the child. */
void arena_after_fork(void);

/*
 * Continues the repair of an arena that is damaged. The arena's lock is held, here and below.
 */
void arena_repair_step(struct arena *arena);

/* Completes the repair. */
void arena_repair(struct arena *arena);

/*
 * For a chunk that is being freed, live or already marked. If the repair will find it, marks it and
 * returns true, and nothing else is to be done. Any thread may call the first function, with the
 * arena's lock or without; the second is for live chunks of the arena whose lock the caller holds.
 */
bool arena_leave_for_repair(const struct chunk *chunk);
bool arena_keep_for_repair(const struct chunk *chunk);

#endif

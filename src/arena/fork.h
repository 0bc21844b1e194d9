/*
 * fork() in a process with threads. Nothing is done before the fork but that its thread notes that
 * it forks, and no lock is taken: the C library takes its own locks after such handlers, in an
 * order that would be the reverse of ours. The child repairs: it makes the locks new; the heaps of
 * all arenas are looked through by the slow calls of those who use them, each for a bounded time
 * (bins/recover.h). A child that calls exec pays for nothing of it.
 */
#ifndef FT_ARENA_FORK_H
#define FT_ARENA_FORK_H

#include "arena/arena.h"

/* In the child, once. */
void arena_after_fork(void);

/*
 * Goes on with the repair of an arena that is damaged. The arena is entered, or locked; so it is
 * below.
 */
void arena_repair_step(struct arena *arena);

/* Comes to the end of it. */
void arena_repair(struct arena *arena);

/*
 * For a live chunk that is being freed: true if the repair will find it. Then it is marked, and
 * that is all. The first is for any thread; the second for the arena's own chunks.
 */
bool arena_leave_for_repair(const struct chunk *chunk);
bool arena_keep_for_repair(const struct chunk *chunk);

#endif

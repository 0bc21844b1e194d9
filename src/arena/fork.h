/*
 * fork() in a process with threads. Nothing is done before the fork, and no lock is taken: the C library
 * takes its own locks after such handlers, in an order that would be the reverse of ours. The child repairs:
 * it makes the locks new, and each arena but its own is rebuilt from the states of its chunks, when it is
 * next used. A child that calls exec pays for nothing of it.
 */
#ifndef FT_ARENA_FORK_H
#define FT_ARENA_FORK_H

#include "arena/arena.h"

/* The handler in the child. */
void arena_after_fork(void);

/* Rebuilds a damaged arena. Its lock is held. */
void arena_repair(struct arena *arena);

#endif

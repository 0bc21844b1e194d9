/*
 * FT_MALLOC_BACKGROUND=1: a thread of the library's own, which gives back what has been unused for
 * about a second, also if no thread of the program allocates. It is started lazily, at the first
 * tick of a thread of the program, and again in the child of a fork.
 */
#ifndef FT_ARENA_BACKGROUND_H
#define FT_ARENA_BACKGROUND_H

#include <stdbool.h>

/* Starts the thread if the option is set and it does not run. The caller holds no lock. */
void background_start(void);

/* In the child of a fork, where the thread does not exist. */
void background_after_fork(void);

#endif

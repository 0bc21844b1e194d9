/*
 * What the tests of forks of a process with threads share: the handler, which runs once in a child.
 */
#ifndef FT_TEST_UNIT_FORKED_H
#define FT_TEST_UNIT_FORKED_H

#include "arena/fork.h"
#include "arena/remote.h"

/* Runs the handler in a child whose parent had this generation, unless it has run already. */
static inline void after_fork(unsigned generation)
{
    if (fork_generation == generation)
        arena_after_fork();
}

#endif

/*
 * Repairs the library in the child of a fork if it is used before our own fork handler has run. The
 * C library calls the child's handlers in the order of their registration. A handler that was
 * registered before ours may allocate, and would then wait for a lock whose holder does not exist
 * in the child. So every function that takes one of our locks calls child_check() first, and the
 * repair is made there.
 *
 * The kernel's number of the thread tells parent and child apart. The C library keeps this number,
 * and updates it in the child before it calls any handler. A thread that is not forking only reads
 * one word of its own.
 */
#ifndef FT_BASE_CHILD_H
#define FT_BASE_CHILD_H

#include "os/os.h"

#include <time.h>

struct child {
    /* How many forks of this thread have begun and not ended. */
    unsigned forking;
    /*
     * Identity of this thread when the last of these forks began: a clock, which contains the
     * thread's number.
     */
    clockid_t parent;
    /*
     * Identity at the last repair, or 0 if a fork has begun since; `repaired_before` keeps the
     * value from before that fork.
     */
    clockid_t repaired, repaired_before;
};

extern _Thread_local struct child child_self;

/* Registers the repair to make in each child. It is always the same function. */
void child_watch(void (*repair)(void));

/* The fork handlers: before the fork, in the parent after it, and in the child. */
void child_prepare(void);
void child_parent(void);
void child_begin(void);

/* Called by a thread that is forking: makes the repair if this already is the child. */
void child_look(void);

/* Must be called before any of our locks is taken. */
static inline void child_check(void)
{
    if (unlikely(child_self.forking != 0))
        child_look();
}

#endif

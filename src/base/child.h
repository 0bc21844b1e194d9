/*
 * The child of a fork, before the library's own handler has run there. The C library calls the
 * handlers of the child in the order of their registration. One that was registered before ours may
 * allocate, and would wait for a lock whose holder does not exist in the child. So whoever takes a
 * lock of ours asks here first, and the repair is made then.
 *
 * The kernel's number of the thread tells parent and child apart: the C library keeps it, and
 * changes it in the child before it calls any handler. A thread that is not forking asks for one
 * word of its own.
 */
#ifndef FT_BASE_CHILD_H
#define FT_BASE_CHILD_H

#include "os/os.h"

#include <time.h>

struct child {
    /* Forks of this thread that have begun and not ended. */
    unsigned forking;
    /*
     * Who this thread was when the last of them began: a clock, which has the thread's number in
     * it.
     */
    clockid_t parent;
    /*
     * Who it was when the last repair was made, if no fork has begun since; and before the fork
     * that has.
     */
    clockid_t repaired, repaired_before;
};

extern _Thread_local struct child child_self;

/* What has to be done in each child; it is the same function always. */
void child_watch(void (*repair)(void));

/* The handlers: before a fork, in the parent after it, in the child. */
void child_prepare(void);
void child_parent(void);
void child_begin(void);

/* For a thread that is forking: makes the repair if this is the child already. */
void child_look(void);

/* Before any lock of ours is taken. */
static inline void child_check(void)
{
    if (unlikely(child_self.forking != 0))
        child_look();
}

#endif

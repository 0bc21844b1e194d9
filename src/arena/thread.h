/*
 * What a thread knows of its arena: a few words of static TLS, so that dlopen() can also load the
 * library. The fast paths read only one of the first two. While that one names arena_none, every
 * call is slow, and arena_enter() finds out why: there is no arena yet, the arena is shared, calls
 * are counted, or the thread is ending.
 */
#ifndef FT_ARENA_THREAD_H
#define FT_ARENA_THREAD_H

#include "arena/arena.h"

struct thread {
    struct arena *arena;
    /*
     * For the C++ operators: the arena, once it is known that everything they are built on is ours;
     * until then arena_none.
     */
    struct arena *operators;
    struct arena *home;
    /* In hardened mode: the arena, if it is the thread's own and calls are not counted. */
    struct arena *hardened;
    bool ended;
    /*
     * True while the thread is getting an arena. A fork that a signal handler makes now leaves the
     * pool alone.
     */
    bool binding;
};

extern _Thread_local struct thread thread_self;

/*
 * Returns the arena of the calling thread, locked if it is shared, or NULL if there is no memory
 * for one.
 */
struct arena *arena_enter(void);
void arena_leave(struct arena *arena);

/*
 * Returns the arena for a free. A thread that is ending needs none, and gets NULL if it has none.
 */
struct arena *arena_enter_to_free(void);

/*
 * Called once, before anything else; further calls do nothing. `initial_environment` is described
 * at options_load().
 */
void thread_runtime_init(char **initial_environment);

#endif

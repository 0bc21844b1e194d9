/*
 * What a thread knows of its arena: a few words of static TLS, so that the library can also be
 * loaded by dlopen(). The fast paths look at one of the first two only; while that names
 * arena_none, every call is slow, and arena_enter() finds out why: no arena yet, a shared one,
 * calls are counted, or the thread is ending.
 */
#ifndef FT_ARENA_THREAD_H
#define FT_ARENA_THREAD_H

#include "arena/arena.h"

struct thread {
    struct arena *arena;
    /*
     * For the operators of C++: the same, once it is known that all that they are built on is ours;
     * else arena_none.
     */
    struct arena *operators;
    struct arena *home;
    /* With FT_MALLOC_HARDEN: the arena, if it is the thread's own and calls are not counted. */
    struct arena *hardened;
    bool ended;
    /*
     * In the middle of getting an arena: a fork made now, by a signal handler, leaves the pool
     * alone.
     */
    bool binding;
};

extern _Thread_local struct thread thread_self;

/* The arena of the calling thread, locked if it is shared; NULL: no memory for one. */
struct arena *arena_enter(void);
void arena_leave(struct arena *arena);

/*
 * The same for a free: a thread that is ending needs no arena for it, and gets NULL if it has none.
 */
struct arena *arena_enter_to_free(void);

/* Once, before anything else; more calls do nothing. `initial_environment`: see options_load(). */
void thread_runtime_init(char **initial_environment);

/*
 * For hardened calls: the arena, if it is the thread's own and nothing has to be done for it first;
 * else NULL.
 */
static inline struct arena *thread_hardened_arena(void)
{
    struct arena *arena = thread_self.hardened;

    /* Relaxed: see arena_enter(). */
    if (arena == NULL || unlikely(arena_is_damaged(arena)) ||
        unlikely(atomic_load_explicit(&arena->trim_wanted, memory_order_relaxed)))
        return NULL;
    return arena;
}

/* Whether the process runs hardened, also when this is the first call of all. */
bool thread_hardened(void);

#endif

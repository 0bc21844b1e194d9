/*
 * What a thread knows of its cache: a few words of static TLS, so that dlopen() can also load the
 * library. The fast paths read only one of the first two. While that one names cache_none, every
 * call is slow, and cache_enter() finds out why: there is no cache yet, the cache is a common one,
 * calls are counted, or the thread is ending.
 */
#ifndef FT_ARENA_THREAD_H
#define FT_ARENA_THREAD_H

#include "arena/cache.h"

struct thread {
    struct cache *cache;
    /*
     * For the C++ operators: the cache, once it is known that everything they are built on is ours;
     * until then cache_none.
     */
    struct cache *operators;
    struct cache *home;
    /* In hardened mode: the cache, if it is the thread's own and calls are not counted. */
    struct cache *hardened;
    bool ended;
    /* True in the child of a fork until the thread may use what is in its cache. */
    bool waits;
    /*
     * True while the thread is getting a cache or giving it back. A fork that a signal handler
     * makes now leaves the pool alone.
     */
    bool binding;
};

extern _Thread_local struct thread thread_self;

/*
 * Returns the cache of the calling thread, with the arena's lock held, or NULL if there is no
 * memory for a cache. cache_leave() gives the lock back, and then does for other arenas what is
 * due; so the caller holds no lock.
 */
struct cache *cache_enter(void);
void cache_leave(struct cache *cache);

/*
 * Returns the cache for a free. A thread that is ending needs none, and gets NULL if it has none.
 */
struct cache *cache_enter_to_free(void);

/*
 * Called once, before anything else; further calls do nothing. `initial_environment` is described
 * at options_load().
 */
void thread_runtime_init(char **initial_environment);

/*
 * What the layers above have to do: when a thread with a cache ends, before it loses that; and in
 * the child of a fork, after the arenas were prepared. Neither may allocate. The table is constant;
 * further calls with the same one do nothing.
 */
struct thread_watch {
    void (*ended)(void);
    void (*forked)(void);
};
void thread_watch(const struct thread_watch *watch);

#endif

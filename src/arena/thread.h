/*
 * What a thread knows of its cache: a few words of static TLS, so that dlopen() can also load the
 * library. Each fast path reads one of the first four. While that one names cache_none, the path
 * misses, and the slow half of the call finds out why: a mode wants to see these calls
 * (base/modes.h), there is no cache yet, the cache is a common one, or the thread is ending.
 *
 * Only the thread itself lets its fast paths hit. Whoever switches a mode on makes the paths of all
 * threads miss (thread_obey()), and each thread notices in its next slow call that the mode is off
 * again.
 */
#ifndef FT_ARENA_THREAD_H
#define FT_ARENA_THREAD_H

#include "arena/cache.h"

struct thread {
    /*
     * For the fast paths of the calls that allocate, and of those that free; and likewise for the
     * C++ operators, which name cache_none until it is known that everything they are built on is
     * ours. Each is `cache` or cache_none. The thread writes them; whoever switches a mode on
     * writes cache_none, with the pool's lock. See thread_open() for the order.
     */
    _Atomic(struct cache *) to_malloc, to_free, to_new, to_delete;
    /* In hardened mode: `checked`, or NULL while a mode is on. Written like the others. */
    _Atomic(struct cache *) hardened;
    /*
     * The cache, if the thread may use it without a lock, whether or not a mode is on; else
     * cache_none. In hardened mode it is always cache_none, and `checked` is the cache or NULL.
     */
    struct cache *cache;
    struct cache *checked;
    struct cache *home;
    /*
     * How many calls, and bytes, may be counted before a call that is not. What they mean to the
     * modes is said in debug/guard.h and debug/profile.h. Only the thread touches them. A signal
     * handler may count between a look at them and the subtraction, so they may become negative.
     * They are not neighbours, because compilers would then subtract from both at once, which takes
     * more instructions.
     */
    int64_t calls_left;
    /*
     * `cache` while calls that allocate are counted and then served from it (thread_count()); else
     * cache_none. Written like the first words.
     */
    _Atomic(struct cache *) counted;
    int64_t bytes_left;
    /* True once it is known that everything the C++ operators are built on is ours. */
    bool operators_ours;
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

/* What the fast paths use. Relaxed: whoever makes them miss does not wait for calls in progress. */
static inline struct cache *thread_to_malloc(void)
{
    return atomic_load_explicit(&thread_self.to_malloc, memory_order_relaxed);
}

static inline struct cache *thread_to_free(void)
{
    return atomic_load_explicit(&thread_self.to_free, memory_order_relaxed);
}

static inline struct cache *thread_to_new(void)
{
    return atomic_load_explicit(&thread_self.to_new, memory_order_relaxed);
}

static inline struct cache *thread_to_delete(void)
{
    return atomic_load_explicit(&thread_self.to_delete, memory_order_relaxed);
}

static inline struct cache *thread_counted(void)
{
    return atomic_load_explicit(&thread_self.counted, memory_order_relaxed);
}

static inline struct cache *thread_hardened(void)
{
    return atomic_load_explicit(&thread_self.hardened, memory_order_relaxed);
}

/* Lets the fast paths of the calling thread hit, as far as its cache and the modes permit. */
void thread_open(void);

/* Makes the fast paths miss that the modes want to be slow. By the thread, or by pool_obey(). */
void thread_obey(struct thread *thread);

/*
 * Lets calls that allocate be counted from now on, until a mode is switched on or off, if only
 * these modes are on. They have set `bytes_left` and `calls_left`.
 */
void thread_count(unsigned modes);

/* Called in slow calls: does thread_open() if some mode has been switched off. */
void thread_reopen_due(void);

static inline void thread_reopen(void)
{
    if (unlikely(thread_to_malloc() != thread_self.cache) ||
        unlikely(thread_hardened() != thread_self.checked))
        thread_reopen_due();
}

/* Notes that everything that the C++ operators are built on is ours. */
void thread_open_operators(void);

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
void thread_watch(const struct thread_watch *table);

#endif

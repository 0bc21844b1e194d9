/*
 * Binding threads to caches. The destructor of the library's key puts the cache into the pool.
 * Destructors of other keys, and the C library itself after the last of them, still allocate and
 * free. They get a common cache then, which nobody has to hand back.
 */
#include "arena/thread.h"

#include "arena/background.h"
#include "arena/fork.h"
#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/visit.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/secret.h"
#include "os/os.h"

#include <unistd.h>

_Thread_local struct thread thread_self = {.cache = CACHE_NONE, .operators = CACHE_NONE};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;
static char **environment;

/*
 * A fork that a signal handler makes meanwhile leaves the pool alone, because this call continues
 * in the child.
 */
static void give_back(struct cache *cache)
{
    thread_self = (struct thread){
        .cache = CACHE_NONE, .operators = CACHE_NONE, .ended = thread_self.ended, .binding = true};
    atomic_signal_fence(memory_order_seq_cst);
    pool_put(cache);
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.binding = false;
}

/* Set with release and read with acquire: what the table's functions use is complete. */
static _Atomic(const struct thread_watch *) watch;

void thread_watch(const struct thread_watch *table)
{
    atomic_store_explicit(&watch, table, memory_order_release); /* see `watch` */
}

static const struct thread_watch *watched(void)
{
    return atomic_load_explicit(&watch, memory_order_acquire); /* see `watch` */
}

static void end_of_thread(void *value)
{
    struct cache *cache = value;

    thread_self.ended = true;
    if (watched() != NULL)
        watched()->ended();
    give_back(cache);
}

/* Must not allocate: malloc would re-enter pthread_once() and deadlock. */
static void init_once(void)
{
    /* Another constructor may have run before ours and replaced the environment. */
    if (environment == NULL)
        environment = os_kernel_environment(environ);
    options_load(environment);
    secret_init(environment);
    clock_init(environment);
    os_look_at_process();
    have_key = pthread_key_create(&key, end_of_thread) == 0;
}

/* Enables the fast paths of this thread, if it has a cache of its own. */
static void make_quick(struct cache *cache)
{
    if (cache == NULL || cache->common)
        return;
    if (!options_every_call_slow())
        thread_self.cache = cache;
    else if (!modes_malloc_slow())
        thread_self.hardened = cache;
}

/*
 * Between the handlers of a fork every call is slow, so that the first call in the child notices
 * that it is in the child, whichever call it is.
 */
static void before_fork(void)
{
    child_prepare();
    thread_self.cache = CACHE_NONE;
    thread_self.operators = CACHE_NONE;
    thread_self.hardened = NULL;
}

static void after_fork_in_parent(void)
{
    child_parent();
    /* A handler may have forked, and the fork to which it belongs is still in progress. */
    if (child_self.forking == 0)
        make_quick(thread_self.home);
}

/*
 * If the arena has to be rebuilt, the chunks in the thread's cache are found by that, too. So the
 * thread must not use its cache before.
 */
static bool must_wait(struct arena *arena)
{
    return arena_is_damaged(arena) &&
           /* relaxed: there is one thread only */
           !atomic_load_explicit(&arena->survivor, memory_order_relaxed);
}

static void repair_child(void)
{
    arena_after_fork();
    if (watched() != NULL)
        watched()->forked();
    thread_self.waits = thread_self.home != NULL && must_wait(thread_self.home->arena);
    if (!thread_self.waits)
        make_quick(thread_self.home);
}

/*
 * Called once, before anything is allocated. The C library may allocate in this call, so everything
 * else must be ready.
 */
static void register_fork(void)
{
    static _Atomic bool registered;

    /* Relaxed: it only matters which call is the first. */
    if (atomic_load_explicit(&registered, memory_order_relaxed) ||
        atomic_exchange_explicit(&registered, true, memory_order_relaxed))
        return;
    child_watch(repair_child);
    pthread_atfork(before_fork, after_fork_in_parent, child_begin);
}

void thread_runtime_init(char **initial_environment)
{
    if (initial_environment != NULL)
        environment = initial_environment;
    pthread_once(&once, init_once);
    register_fork();
    /* The first allocation may have been made before anybody knew where the environment is. */
    if (initial_environment != NULL) {
        options_load(initial_environment);
        clock_init(initial_environment);
    }
}

/* In the child of a fork, what the cache had before must not be used: see must_wait(). */
static void begin_repair(struct cache *cache)
{
    struct arena *arena = cache->arena;

    if (likely(!arena_is_damaged(arena)))
        return;
    arena_lock(arena);
    cache_use(cache);
    arena_repair_step(arena);
    arena_unlock(arena);
}

static struct cache *bind(void)
{
    struct cache *cache;

    thread_runtime_init(NULL);
    /* Registering a handler may have allocated. */
    if (thread_self.home != NULL)
        return thread_self.home;
    /* Done before the mark, because a repair at this place interrupts nothing. */
    child_check();
    thread_self.binding = true;
    atomic_signal_fence(memory_order_seq_cst);
    cache = thread_self.ended || !have_key ? pool_get_common() : pool_get();
    thread_self.home = cache;
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.binding = false;
    if (cache == NULL || cache->common)
        return cache;
    begin_repair(cache);
    make_quick(cache);
    /* This may allocate, so it comes last. */
    if (pthread_setspecific(key, cache) != 0) {
        give_back(cache);
        thread_self.home = pool_get_common();
    }
    return thread_self.home;
}

struct cache *cache_enter(void)
{
    struct cache *cache;
    struct arena *arena;

    child_check();
    cache = thread_self.home;
    if (unlikely(cache == NULL)) {
        cache = bind();
        if (cache == NULL)
            return NULL;
    }
    arena = cache->arena;
    arena_lock(arena);
    cache_use(cache);
    arena_stir(arena);
    if (unlikely(arena_is_damaged(arena)))
        arena_repair_step(arena);
    if (unlikely(thread_self.waits)) {
        thread_self.waits = false;
        make_quick(cache);
    }
    if (unlikely(arena->returned != 0))
        visit_settle(arena);
    return cache;
}

struct cache *cache_enter_to_free(void)
{
    return thread_self.ended && thread_self.home == NULL ? NULL : cache_enter();
}

/* What is done once a tick, when the thread holds no lock. */
static __attribute__((noinline)) void tick_without_lock(struct cache *cache, bool common)
{
    if (!common)
        remote_send_old(cache);
    background_start();
    visit_others();
}

void cache_leave(struct cache *cache)
{
    struct arena *arena = cache->arena;
    bool common = cache->common, ticked = arena->bins.ticks != cache->looked_tick;
    size_t fresh;

    cache->looked_tick = arena->bins.ticks;
    fresh = arena_make_way(arena);
    arena_unlock(arena);
    if (unlikely(fresh != 0))
        visit_make_way(fresh);
    if (unlikely(ticked))
        tick_without_lock(cache, common);
    else if (unlikely(atomic_load_explicit(&visit_unfinished, memory_order_relaxed)))
        visit_others();
}

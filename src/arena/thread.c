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
#include "base/control.h"
#include "base/options.h"
#include "base/secret.h"
#include "os/os.h"

#include <unistd.h>

_Thread_local struct thread thread_self = {.to_malloc = CACHE_NONE,
                                           .to_free = CACHE_NONE,
                                           .to_new = CACHE_NONE,
                                           .to_delete = CACHE_NONE,
                                           .cache = CACHE_NONE,
                                           .counted = CACHE_NONE};

OS_TOUCHED static pthread_once_t once = PTHREAD_ONCE_INIT;
OS_TOUCHED static pthread_key_t key;
OS_TOUCHED static bool have_key;
OS_TOUCHED static char **environment;

/* All these accesses are sequentially consistent: see thread_open(). */
static void set_word(_Atomic(struct cache *) *word, struct cache *cache)
{
    atomic_store_explicit(word, cache, memory_order_seq_cst);
}

static void make_allocation_miss(struct thread *thread)
{
    set_word(&thread->to_malloc, CACHE_NONE);
    set_word(&thread->to_new, CACHE_NONE);
    set_word(&thread->hardened, NULL);
}

/* A mode was switched on or off, so the thread has to find out what is to be counted. */
static void make_counting_miss(struct thread *thread)
{
    set_word(&thread->counted, CACHE_NONE);
}

static void make_frees_miss(struct thread *thread)
{
    set_word(&thread->to_free, CACHE_NONE);
    set_word(&thread->to_delete, CACHE_NONE);
}

void thread_obey(struct thread *thread)
{
    unsigned modes = atomic_load_explicit(&modes_on, memory_order_seq_cst);

    make_counting_miss(thread);
    if ((modes & MODES_OF_MALLOC) != 0)
        make_allocation_miss(thread);
    if ((modes & MODES_OF_FREE) != 0)
        make_frees_miss(thread);
}

/*
 * From now on the thread may not use its cache without a lock. A signal handler that forks finds
 * the words of the handlers before it.
 */
static void close_paths(void)
{
    thread_self.cache = CACHE_NONE;
    thread_self.checked = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    make_counting_miss(&thread_self);
    make_allocation_miss(&thread_self);
    make_frees_miss(&thread_self);
}

static void open_paths(struct cache *cache, struct cache *checked)
{
    struct cache *operators = thread_self.operators_ours ? cache : CACHE_NONE;

    set_word(&thread_self.to_malloc, cache);
    set_word(&thread_self.to_free, cache);
    set_word(&thread_self.to_new, operators);
    set_word(&thread_self.to_delete, operators);
    set_word(&thread_self.hardened, checked);
}

/*
 * A thread that switches a mode on adds it to modes_on, and then stores cache_none in the words of
 * this thread (pool_obey()). This thread stores the cache in them, and then reads modes_on. All of
 * that is sequentially consistent, so there is one order of it. If the other's cache_none comes
 * before this thread's cache, the mode was added before this thread reads it, and the thread takes
 * the cache back. Else the other's cache_none comes last. The paths miss in both cases.
 *
 * A signal handler may have forked between the look at `cache` and the stores, so that the thread
 * must not use the cache in the child. It looks again.
 */
void thread_open(void)
{
    struct cache *cache = thread_self.cache, *checked = thread_self.checked;

    open_paths(cache, checked);
    atomic_signal_fence(memory_order_seq_cst);
    if (unlikely(thread_self.cache != cache) || unlikely(thread_self.checked != checked))
        close_paths();
    thread_obey(&thread_self);
}

/* Likewise: either the store of whoever switches a mode comes last, or the switch is seen here. */
void thread_count(unsigned modes)
{
    struct cache *cache = thread_self.cache;

    set_word(&thread_self.counted, cache);
    atomic_signal_fence(memory_order_seq_cst);
    if (unlikely(thread_self.cache != cache) ||
        unlikely(atomic_load_explicit(&modes_on, memory_order_seq_cst) != modes))
        make_counting_miss(&thread_self);
}

void thread_reopen_due(void)
{
    struct cache *frees_to = modes_free_slow() ? CACHE_NONE : thread_self.cache;

    if (!modes_malloc_slow() || thread_to_free() != frees_to)
        thread_open();
}

void thread_open_operators(void)
{
    if (thread_self.operators_ours)
        return;
    thread_self.operators_ours = true;
    thread_open();
}

/*
 * A fork that a signal handler makes meanwhile leaves the pool alone, because this call continues
 * in the child.
 */
static void give_back(struct cache *cache)
{
    close_paths();
    thread_self.home = NULL;
    thread_self.waits = false;
    thread_self.binding = true;
    atomic_signal_fence(memory_order_seq_cst);
    pool_put(cache);
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.binding = false;
}

/* Set with release and read with acquire: what the table's functions use is complete. */
OS_TOUCHED static _Atomic(const struct thread_watch *) watch;

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

/*
 * Lets this thread use the cache without a lock, if it is its own. A signal handler may have forked
 * meanwhile, so that the thread has to wait in the child.
 */
static void make_quick(struct cache *cache)
{
    if (cache == NULL || cache->common)
        return;
    if (options.harden)
        thread_self.checked = cache;
    else
        thread_self.cache = cache;
    atomic_signal_fence(memory_order_seq_cst);
    if (unlikely(thread_self.waits))
        close_paths();
    else
        thread_open();
}

/*
 * Between the handlers of a fork every call is slow, so that the first call in the child notices
 * that it is in the child, whichever call it is.
 */
static void before_fork(void)
{
    child_prepare();
    close_paths();
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
    OS_TOUCHED static _Atomic bool registered;

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
    thread_reopen();
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
    if (unlikely(ticked))
        cache_flush_thinned(arena);
    fresh = arena_make_way(arena);
    arena_unlock(arena);
    if (unlikely(visit_inbox_is_full(arena)))
        visit_inbox(arena);
    if (unlikely(fresh != 0))
        visit_make_way(fresh);
    if (unlikely(ticked))
        tick_without_lock(cache, common);
    else if (unlikely(atomic_load_explicit(&visit_unfinished, memory_order_relaxed)))
        visit_others();
    control_poll();
}

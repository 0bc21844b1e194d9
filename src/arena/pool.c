/*
 * Caches that wait for a thread, and the arenas behind them. Each of the permitted arenas is made
 * for one thread; when there are as many as permitted, more threads get further caches in front of
 * them in turn. In a hardened process nobody may use an arena's chunks beside a thread that checks
 * them without the lock. So an eighth of the arenas, at least one, is for common caches there.
 */
#include "arena/pool.h"

#include "arena/fork.h"
#include "arena/parcel.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "base/child.h"
#include "base/options.h"
#include "os/os.h"

#include <errno.h>

enum {
    ARENAS_PER_PROCESSOR = 4,
    ARENAS_MIN = 8,
    /* In a hardened process threads past the limit have no caches, so there are more arenas. */
    HARDENED_TIMES = 4,
    ARENAS_MAX = 4096,
    COMMON_MAX = 64
};

OS_TOUCHED static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;

/* Guarded by the pool's lock. */
OS_TOUCHED static struct {
    struct cache *idle;
    unsigned owned;
    unsigned owned_max;
    unsigned common_max;
    unsigned common_count;
    unsigned turn;
    /* The arena that got the last further cache. */
    struct arena *shared;
} pool;
static struct cache *pool_common[COMMON_MAX];

static void lock_pool(void)
{
    child_check();
    pthread_mutex_lock(&pool_lock);
}

static void set_limits(void)
{
    unsigned most = options.arena_max;

    if (most == 0) {
        most = os_processors() * ARENAS_PER_PROCESSOR;
        most = most < ARENAS_MIN ? ARENAS_MIN : most;
        most *= options.harden ? HARDENED_TIMES : 1;
        most = most > ARENAS_MAX ? ARENAS_MAX : most;
    }
    pool.common_max = most / 8;
    if (pool.common_max < 1)
        pool.common_max = 1;
    if (pool.common_max > COMMON_MAX)
        pool.common_max = COMMON_MAX;
    pool.owned_max = options.harden ? most - pool.common_max : most;
}

/*
 * Makes the calling thread that of the cache. A thread that allocates for the first time in the
 * last round of its destructors cannot give the cache back, and the C library frees its TLS. So
 * each thread holds a robust mutex of its cache, of which the kernel says when its holder has
 * ended. Other threads only try to get it and never wait, so it has no place in the order of locks.
 * The mutex is made anew here, because the parent of a fork, or a thread that has ended, may have
 * held it.
 */
static void claim(struct cache *cache)
{
    pthread_mutexattr_t robust;

    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&cache->alive, &robust);
    (void)pthread_mutex_trylock(&cache->alive);
    cache->thread = &thread_self;
}

/* `alive` is held by this thread if the cache has a thread. */
static void disclaim(struct cache *cache)
{
    if (cache->thread == NULL)
        return;
    cache->thread = NULL;
    pthread_mutex_unlock(&cache->alive);
}

/* Forgets the thread if it has ended. */
static void forget_if_dead(struct cache *cache)
{
    if (cache->thread != &thread_self && pthread_mutex_trylock(&cache->alive) != EBUSY)
        disclaim(cache);
}

void pool_obey(void)
{
    struct arena *arena;

    lock_pool();
    /* Acquire, both: arenas and caches are complete. */
    arena = atomic_load_explicit(&arena_list, memory_order_acquire);
    for (; arena != NULL; arena = arena->next)
        for (struct cache *cache = atomic_load_explicit(&arena->caches, memory_order_acquire);
             cache != NULL; cache = cache->next) {
            if (cache->thread != NULL)
                forget_if_dead(cache);
            if (cache->thread != NULL)
                thread_obey(cache->thread);
        }
    pthread_mutex_unlock(&pool_lock);
}

static struct cache *take_idle(void)
{
    struct cache *cache = pool.idle;

    if (cache != NULL)
        pool.idle = cache->next_idle;
    return cache;
}

/* The lock is dropped while an arena is made, so the count is reserved first. */
static struct cache *create_owned(void)
{
    struct arena *arena;

    pool.owned++;
    pthread_mutex_unlock(&pool_lock);
    arena = arena_create();
    lock_pool();
    if (arena == NULL)
        pool.owned--;
    return arena == NULL ? NULL : cache_first(arena);
}

/*
 * Returns whether several threads may share the arena. That of the process's first thread is left
 * to it while there are others: what it then frees of other threads goes to their arenas at once.
 */
static bool can_share(const struct arena *arena)
{
    return !arena->apart && (arena->id != 1 || pool.owned == 1);
}

/* Returns the first arena of the rest of the list that several threads may share, or NULL. */
static struct arena *first_to_share(struct arena *arena)
{
    while (arena != NULL && !can_share(arena))
        arena = arena->next;
    return arena;
}

/* Returns the next arena in turn for one more cache, or NULL if there is none. */
static struct arena *next_shared(void)
{
    struct arena *arena = first_to_share(pool.shared == NULL ? NULL : pool.shared->next);

    if (arena == NULL)
        /* Acquire: each arena is complete. */
        arena = first_to_share(atomic_load_explicit(&arena_list, memory_order_acquire));
    if (arena != NULL)
        pool.shared = arena;
    return arena;
}

/*
 * Makes a cache that shares the next arena, or returns NULL. The lock is dropped meanwhile, because
 * many threads may begin at once, and each would wait for the kernel calls of all others.
 */
static struct cache *create_sharing(void)
{
    struct arena *arena = next_shared();
    struct cache *cache;

    if (arena == NULL)
        return NULL;
    pthread_mutex_unlock(&pool_lock);
    cache = cache_create(arena);
    lock_pool();
    return cache;
}

/*
 * Makes a common cache, in front of an arena of its own if need be. The lock is kept, so the number
 * of common caches stays within its limit.
 */
static struct cache *create_common(void)
{
    struct arena *arena = options.harden ? NULL : next_shared();
    struct cache *cache = arena == NULL ? NULL : cache_create(arena);

    if (cache == NULL && (options.harden || pool.owned == 0)) {
        arena = arena_create();
        cache = arena == NULL ? NULL : cache_first(arena);
    }
    if (cache != NULL)
        cache->common = true;
    return cache;
}

static struct cache *next_common(void)
{
    if (pool.common_max == 0)
        set_limits();
    if (pool.common_count < pool.common_max) {
        struct cache *cache = create_common();

        if (cache != NULL)
            pool_common[pool.common_count++] = cache;
    }
    return pool.common_count == 0 ? NULL : pool_common[pool.turn++ % pool.common_count];
}

static struct cache *get(void)
{
    struct cache *cache = take_idle();

    /*
     * The first thread of most programs is the only one, so it need not ask for the number of
     * processors.
     */
    if (cache == NULL && pool.common_max == 0 && (pool.owned > 0 || options.arena_max != 0))
        set_limits();
    if (cache == NULL && (pool.common_max == 0 || pool.owned < pool.owned_max))
        cache = create_owned();
    if (cache == NULL && !options.harden)
        cache = create_sharing();
    if (cache != NULL)
        claim(cache);
    return cache != NULL ? cache : next_common();
}

struct cache *pool_get(void)
{
    struct cache *cache;

    lock_pool();
    cache = get();
    pthread_mutex_unlock(&pool_lock);
    if (cache == NULL || cache->common)
        return cache;
    /* A thread that trims the arena, perhaps for long, may be changing the stacks of the cache. */
    arena_lock(cache->arena);
    cache_set_in_use(cache, true);
    arena_unlock(cache->arena);
    return cache;
}

struct cache *pool_get_common(void)
{
    struct cache *cache;

    lock_pool();
    cache = next_common();
    pthread_mutex_unlock(&pool_lock);
    return cache;
}

/*
 * In the child of a fork, the repair finds the chunks that the cache had before the fork, and other
 * threads may have been changing the slabs that they belong to. So the repair begins, and the cache
 * forgets them, before anything is done with it.
 */
static void lock_sound(struct cache *cache)
{
    arena_lock(cache->arena);
    cache_use(cache);
    arena_repair_step(cache->arena);
}

void pool_put(struct cache *cache)
{
    struct arena *arena = cache->arena;

    if (unlikely(arena_is_damaged(arena))) {
        lock_sound(cache);
        arena_unlock(arena);
    }
    remote_send_all(cache);
    /*
     * The next thread may begin in the child of a fork. There a repair may find a chunk that would
     * be collected because its heap is known from before.
     */
    remote_drop(cache);
    parcel_put_all(cache);
    /* A signal handler may have forked meanwhile. */
    lock_sound(cache);
    if (policy_quarantine())
        cache_flush(cache);
    else
        cache_thin(cache);
    own_heaps_clear(&cache->own_tiny);
    own_heaps_clear(&cache->own_small);
    cache_set_in_use(cache, false);
    arena_stir(arena);
    arena_make_way(arena);
    arena_unlock(arena);
    lock_pool();
    disclaim(cache);
    cache->next_idle = pool.idle;
    pool.idle = cache;
    pthread_mutex_unlock(&pool_lock);
}

bool pool_limit(unsigned arenas)
{
    bool early;

    lock_pool();
    early = pool.common_max == 0;
    if (early)
        options.arena_max = arenas;
    pthread_mutex_unlock(&pool_lock);
    return early;
}

/* There is one thread only, here and below, so every access is relaxed. */
static void sort_cache(struct cache *cache, const struct cache *survivor, bool sort)
{
    /* The other threads are gone, and it was the parent's thread that held `alive`. */
    if (cache->thread == &thread_self)
        claim(cache);
    else
        cache->thread = NULL;
    if (!sort || cache->arena->apart)
        return;
    if (cache->common) {
        if (pool.common_count < COMMON_MAX)
            pool_common[pool.common_count++] = cache;
        return;
    }
    if (cache == cache_first(cache->arena))
        pool.owned++;
    if (cache == survivor)
        return;
    atomic_store_explicit(&cache->in_use, false, memory_order_relaxed);
    cache->next_idle = pool.idle;
    pool.idle = cache;
}

void pool_after_fork(struct cache *survivor, bool sort)
{
    struct arena *arena = atomic_load_explicit(&arena_list, memory_order_relaxed);

    pthread_mutex_init(&pool_lock, NULL);
    if (sort) {
        pool.idle = NULL;
        pool.owned = 0;
        pool.common_count = 0;
    }
    for (; arena != NULL; arena = arena->next) {
        pthread_mutex_init(&arena->lock, NULL);
        pthread_mutex_init(&arena->repair_lock, NULL);
        atomic_store_explicit(&arena->holder, NULL, memory_order_relaxed);
        arena->returned = 0;
        arena->thinned_at = 0;
        for (struct cache *cache = atomic_load_explicit(&arena->caches, memory_order_relaxed);
             cache != NULL; cache = cache->next)
            sort_cache(cache, survivor, sort);
    }
}

/*
 * The pool of arenas without a thread, and the shared arenas. An eighth of the permitted arenas, at
 * least one, is for sharing. Each of the others belongs to one thread.
 */
#include "arena/pool.h"

#include "arena/fork.h"
#include "arena/remote.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/options.h"
#include "os/os.h"

enum { ARENAS_PER_PROCESSOR = 32, ARENAS_MIN = 148, ARENAS_MAX = 4096, SHARED_MAX = 64 };

/*
 * How many bytes of free units that were written to an arena in the pool may always keep, and how
 * many all of them may keep together. The next thread finds that memory ready. When a burst of
 * threads ends at once, little memory stays behind.
 */
enum { KEEP_OWN = 1 << 20, KEEP_COMMON = 16 << 20 };

/*
 * The sum of left_bytes over all arenas. Any thread writes it; relaxed, because a sum orders
 * nothing.
 */
static _Atomic size_t kept;

/*
 * In the clock's unit. If threads follow each other sooner than that, none of them touches fresh
 * memory.
 */
static const uint64_t rest_age = (uint64_t)10 * CLOCK_TENTH;

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;

/* The pool's lock. */
static struct {
    struct arena *idle;
    unsigned owned;
    unsigned owned_max;
    unsigned shared_max;
    unsigned shared_count;
    unsigned turn;
    struct arena *shared[SHARED_MAX];
} pool;

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
        most = most > ARENAS_MAX ? ARENAS_MAX : most;
    }
    pool.shared_max = most / 8;
    if (pool.shared_max < 1)
        pool.shared_max = 1;
    if (pool.shared_max > SHARED_MAX)
        pool.shared_max = SHARED_MAX;
    pool.owned_max = most - pool.shared_max;
}

static struct arena *take_idle(void)
{
    struct arena *arena = pool.idle;

    if (arena != NULL)
        pool.idle = arena->next_pooled;
    return arena;
}

/* The lock is dropped while an arena is made, so the count is reserved first. */
static struct arena *create_owned(void)
{
    struct arena *arena;

    pool.owned++;
    pthread_mutex_unlock(&pool_lock);
    arena = arena_create(ARENA_ACTIVE);
    lock_pool();
    if (arena == NULL)
        pool.owned--;
    return arena;
}

static struct arena *next_shared(void)
{
    if (pool.shared_max == 0)
        set_limits();
    if (pool.shared_count < pool.shared_max) {
        struct arena *arena = arena_create(ARENA_SHARED);

        if (arena != NULL)
            pool.shared[pool.shared_count++] = arena;
    }
    return pool.shared_count == 0 ? NULL : pool.shared[pool.turn++ % pool.shared_count];
}

/* The caller holds the arena's lock, here and below. */
static void count_kept(struct arena *arena, size_t bytes)
{
    /* The sum is modulo 2^64, so a difference below zero is added correctly, too. */
    atomic_fetch_add_explicit(&kept, bytes - arena->left_bytes, memory_order_relaxed);
    arena->left_bytes = bytes;
}

/*
 * Memory is given back because nobody has wanted it for a while, not because a thread ended. But
 * there is a bound.
 */
static void rest(struct arena *arena)
{
    size_t bytes;

    arena_rest(arena);
    bytes = arena_unused(arena);
    if (bytes > KEEP_OWN &&
        atomic_load_explicit(&kept, memory_order_relaxed) + bytes > KEEP_COMMON) {
        arena_purge(arena);
        bytes = arena_unused(arena);
    }
    count_kept(arena, bytes);
    atomic_store_explicit(&arena->left_at, clock_now() | 1,
                          memory_order_relaxed); /* relaxed: the lock orders it */
}

static void stop_resting(struct arena *arena)
{
    count_kept(arena, 0);
    /* relaxed: the lock orders it */
    atomic_store_explicit(&arena->left_at, 0, memory_order_relaxed);
}

static void adopt(struct arena *arena)
{
    arena_lock(arena);
    arena_repair_step(arena);
    /* Sequentially consistent: see remote.c. */
    atomic_store(&arena->use, ARENA_ACTIVE);
    stop_resting(arena);
    arena_unlock(arena);
}

struct arena *pool_get(void)
{
    struct arena *arena;
    bool idle;

    lock_pool();
    arena = take_idle();
    idle = arena != NULL;
    /*
     * The first thread of most programs is the only one, so it need not ask for the number of
     * processors.
     */
    if (!idle && pool.shared_max == 0 && (pool.owned > 0 || options.arena_max != 0))
        set_limits();
    if (!idle && (pool.shared_max == 0 || pool.owned < pool.owned_max))
        arena = create_owned();
    if (arena == NULL)
        arena = next_shared();
    pthread_mutex_unlock(&pool_lock);
    if (idle)
        adopt(arena);
    return arena;
}

struct arena *pool_get_shared(void)
{
    struct arena *arena;

    lock_pool();
    arena = next_shared();
    pthread_mutex_unlock(&pool_lock);
    return arena;
}

void pool_put(struct arena *arena)
{
    remote_send_all(arena);
    arena_lock(arena);
    /* Sequentially consistent: see remote.c. What was pushed before is unpacked here. */
    atomic_store(&arena->use, ARENA_POOLED);
    /* This arena has no next slow call that could do it. */
    bins_allow(&arena->bins, HEAP_ALLOWANCE_ALL);
    remote_receive_all(arena);
    rest(arena);
    arena_make_way(arena);
    arena_unlock(arena);
    remote_drain_pooled(arena);
    lock_pool();
    arena->next_pooled = pool.idle;
    pool.idle = arena;
    pthread_mutex_unlock(&pool_lock);
}

bool pool_limit(unsigned arenas)
{
    bool early;

    lock_pool();
    early = pool.shared_max == 0;
    if (early)
        options.arena_max = arenas;
    pthread_mutex_unlock(&pool_lock);
    return early;
}

size_t pool_trim(struct arena *own)
{
    size_t bytes = 0;

    /* Acquire: each arena is complete. */
    for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
         arena != NULL; arena = arena->next) {
        if (arena == own)
            continue;
        arena_lock(arena);
        if (atomic_load(&arena->use) != ARENA_ACTIVE) {
            bytes += arena_trim(arena);
        } else {
            atomic_store_explicit(&arena->trim_wanted, true,
                                  memory_order_relaxed); /* relaxed: a wish, which orders nothing */
        }
        arena_unlock(arena);
        remote_drain_pooled(arena);
    }
    return bytes;
}

/*
 * Returns whether the arena has been in the pool for long enough and still has memory to give back.
 */
static bool rested(struct arena *arena, uint64_t now)
{
    /*
     * Relaxed: any value that it had will do, because the caller checks `use` again with the lock.
     */
    uint64_t left_at = atomic_load_explicit(&arena->left_at, memory_order_relaxed);

    return left_at != 0 && now - left_at > rest_age;
}

/* Only tries the lock. Its holder wants the arena, or the work can be done another time. */
static void give_back(struct arena *arena)
{
    if (!arena_try_lock(arena))
        return;
    if (atomic_load(&arena->use) == ARENA_POOLED && !atomic_load(&arena->damaged)) {
        arena_trim(arena);
        stop_resting(arena);
    }
    arena_unlock(arena);
    /* Threads that pushed meanwhile found the lock taken, and rely on its holder. */
    remote_drain_pooled(arena);
}

void pool_age(void)
{
    enum { LOOK = 16 };
    /*
     * Where the last call stopped, in any thread. Arenas are never unmapped, so it is safe to begin
     * at any value. Acquire and release: the arena is complete for this thread, too.
     */
    static _Atomic(struct arena *) place;
    struct arena *arena = atomic_load_explicit(&place, memory_order_acquire);
    uint64_t now = clock_now();

    for (unsigned seen = 0; seen < LOOK; seen++) {
        /* Acquire: each arena is complete. */
        arena = arena != NULL && arena->next != NULL
                    ? arena->next
                    : atomic_load_explicit(&arena_list, memory_order_acquire);
        if (rested(arena, now)) {
            give_back(arena);
            break;
        }
    }
    atomic_store_explicit(&place, arena, memory_order_release);
}

static void sort_after_fork(struct arena *arena, const struct arena *survivor)
{
    if (atomic_load_explicit(&arena->use, memory_order_relaxed) == ARENA_SHARED) {
        if (pool.shared_count < SHARED_MAX)
            pool.shared[pool.shared_count++] = arena;
        return;
    }
    pool.owned++;
    if (arena != survivor) {
        atomic_store_explicit(&arena->use, ARENA_POOLED, memory_order_relaxed);
        arena->next_pooled = pool.idle;
        pool.idle = arena;
    }
}

void pool_after_fork(struct arena *survivor, bool sort)
{
    struct arena *arena =
        /* relaxed: there is one thread only */
        atomic_load_explicit(&arena_list, memory_order_relaxed);

    pthread_mutex_init(&pool_lock, NULL);
    atomic_store_explicit(&kept, 0, memory_order_relaxed);
    if (sort) {
        pool.idle = NULL;
        pool.owned = 0;
        pool.shared_count = 0;
    }
    for (; arena != NULL; arena = arena->next) {
        pthread_mutex_init(&arena->lock, NULL);
        pthread_mutex_init(&arena->repair_lock, NULL);
        arena->left_bytes = 0;
        if (sort)
            sort_after_fork(arena, survivor);
    }
}

/*
 * The repair after a fork. The states are the truth: a chunk that is not live is free. Bit maps,
 * lists, caches, free runs and inboxes are rebuilt from them. An arena that only the surviving
 * thread used, or none, is sound. Only those chunks are missing that threads of other arenas had
 * freed and not sent to it, or that were in its inbox.
 *
 * A signal handler may have made the fork in the middle of malloc. So the handler in the child
 * changes nothing that such a call could still be working on, and the repair begins with the next
 * slow call.
 */
#include "arena/fork.h"

#include "arena/background.h"
#include "arena/parcel.h"
#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "arena/visit.h"
#include "base/modes.h"
#include "base/structure_lock.h"
#include "bins/recover.h"
#include "large/large.h"

/*
 * Returns whether no thread that does not exist any more was changing the arena, or has chunks of
 * it in its cache. There is one thread only, so every access is relaxed, here and below. Common
 * caches are changed only by who holds the lock.
 */
static bool sound(struct arena *arena, const struct cache *survivor)
{
    const void *holder = atomic_load_explicit(&arena->holder, memory_order_relaxed);
    struct cache *cache = atomic_load_explicit(&arena->caches, memory_order_relaxed);

    for (; cache != NULL; cache = cache->next)
        if (cache != survivor && atomic_load_explicit(&cache->in_use, memory_order_relaxed))
            return false;
    return holder == NULL || holder == &thread_self;
}

static void damage(struct arena *arena, bool is_sound)
{
    bool untouched = atomic_load_explicit(&arena->damaged, memory_order_relaxed) == ARENA_DAMAGED;

    /* An arena that is still damaged from the previous fork needs the larger repair. */
    if (untouched && !atomic_load_explicit(&arena->survivor, memory_order_relaxed))
        is_sound = false;
    atomic_store_explicit(&arena->survivor, is_sound, memory_order_relaxed);
    atomic_store_explicit(&arena->damaged, ARENA_DAMAGED, memory_order_relaxed);
}

void arena_after_fork(void)
{
    struct cache *survivor = thread_self.home;
    struct arena *arena = atomic_load_explicit(&arena_list, memory_order_relaxed);
    /* If there is a single arena, no other thread can have changed or freed anything. */
    bool alone = arena == NULL || (sound(arena, survivor) && arena->next == NULL);

    if (!alone) {
        fork_generation++;
        for (struct arena *each = arena; each != NULL; each = each->next)
            damage(each, sound(each, survivor));
        if (survivor != NULL)
            remote_drop(survivor);
    }
    modes_after_fork();
    structure_lock_renew();
    pool_after_fork(survivor, !thread_self.binding);
    parcel_after_fork();
    visit_after_fork();
    background_after_fork();
    large_after_fork(survivor == NULL ? NULL : &survivor->stash);
}

static void take_home(struct arena *arena, const struct chunk *chunk)
{
    chunk_mark(chunk, STATE_FREE);
    arena_take_back(arena, chunk);
}

static void lock_repair(struct arena *arena)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&arena->repair_lock);
}

static void unlock_repair(struct arena *arena)
{
    os_count_rmw();
    pthread_mutex_unlock(&arena->repair_lock);
}

/*
 * A signal handler that forks may interrupt what follows. It stores DAMAGED again, and the repair
 * starts anew.
 */
static void begin(struct arena *arena)
{
    /* relaxed: set before */
    bool survivor = atomic_load_explicit(&arena->survivor, memory_order_relaxed);

    atomic_store_explicit(&arena->damaged, ARENA_UNDER_REPAIR, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    remote_forget(arena);
    if (survivor) {
        recover_sweep(&arena->tiny);
        recover_sweep(&arena->small);
    } else {
        for (struct cache *cache = atomic_load_explicit(&arena->caches, memory_order_relaxed);
             cache != NULL; cache = cache->next)
            cache_forget(cache);
        bins_reset(&arena->bins);
        recover_rebuild(&arena->tiny);
        recover_rebuild(&arena->small);
    }
}

void arena_repair_step(struct arena *arena)
{
    int under_repair = ARENA_UNDER_REPAIR;

    if (!arena_is_damaged(arena))
        return;
    lock_repair(arena);
    /* Relaxed: the lock orders it. */
    if (atomic_load_explicit(&arena->damaged, memory_order_relaxed) == ARENA_DAMAGED)
        begin(arena);
    if (recover_step(&arena->tiny, &arena->bins, take_home) &&
        recover_step(&arena->small, &arena->bins, take_home))
        /* Release: a thread that reads it without the lock sees the repair. */
        atomic_compare_exchange_strong_explicit(&arena->damaged, &under_repair, ARENA_SOUND,
                                                memory_order_release, memory_order_relaxed);
    unlock_repair(arena);
}

void arena_repair(struct arena *arena)
{
    while (arena_is_damaged(arena))
        arena_repair_step(arena);
}

static bool will_be_found(struct arena *arena, const struct chunk *chunk)
{
    const struct heap_set *set = chunk->zone == ZONE_SMALL ? &arena->small : &arena->tiny;
    int damage =
        /* relaxed: the lock orders it */
        atomic_load_explicit(&arena->damaged, memory_order_relaxed);

    return damage == ARENA_DAMAGED ||
           (damage == ARENA_UNDER_REPAIR && (recover_at_or_behind(&set->unswept, chunk) ||
                                             recover_at_or_behind(&set->unknown, chunk)));
}

bool arena_leave_for_repair(const struct chunk *chunk)
{
    struct arena *owner = chunk->arena;
    bool left;

    /* Acquire: see arena_repair_step(). */
    if (likely(atomic_load_explicit(&owner->damaged, memory_order_acquire) == ARENA_SOUND))
        return false;
    lock_repair(owner);
    left = will_be_found(owner, chunk);
    if (left && chunk->kind != STATE_REMOTE)
        chunk_mark(chunk, STATE_REMOTE);
    unlock_repair(owner);
    return left;
}

bool arena_keep_for_repair(const struct chunk *chunk)
{
    const struct heap_set *set = chunk_heap(chunk)->set;

    /* The caller has entered the arena, so the place does not move. */
    if (!recover_at_or_behind(&set->unknown, chunk))
        return false;
    chunk_mark(chunk, STATE_REMOTE);
    return true;
}

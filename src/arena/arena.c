/*
 * Creates arenas, and gives their memory back.
 */
#include "arena/arena.h"

#include "arena/cache.h"
#include "arena/fork.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "base/options.h"
#include "base/own.h"
#include "base/structure_lock.h"
#include "bins/slab_pages.h"
#include "bins/space.h"
#include "large/large.h"
#include "os/os.h"

OS_TOUCHED _Atomic(struct arena *) arena_list;

/* Relaxed, here and below: see `holder`. */
static void set_holder(struct arena *arena, const void *holder)
{
    atomic_store_explicit(&arena->holder, holder, memory_order_relaxed);
    /* A signal handler that forks finds the holder before any change. */
    atomic_signal_fence(memory_order_seq_cst);
}

void arena_lock(struct arena *arena)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&arena->lock);
    set_holder(arena, &thread_self);
}

bool arena_try_lock(struct arena *arena)
{
    child_check();
    os_count_rmw();
    if (pthread_mutex_trylock(&arena->lock) != 0)
        return false;
    set_holder(arena, &thread_self);
    return true;
}

void arena_unlock(struct arena *arena)
{
    atomic_signal_fence(memory_order_seq_cst);
    set_holder(arena, NULL);
    os_count_rmw();
    pthread_mutex_unlock(&arena->lock);
}

bool arena_locked_here(struct arena *arena)
{
    return atomic_load_explicit(&arena->holder, memory_order_relaxed) == &thread_self;
}

/* `ready` bytes of the arena and its cache are memory. */
static bool enlist(struct arena *arena, size_t ready)
{
    struct arena *newest;
    bool fits;

    structure_lock_write();
    /* relaxed: the lock orders it */
    newest = atomic_load_explicit(&arena_list, memory_order_relaxed);
    arena->id = newest == NULL ? 1 : newest->id + 1;
    fits = arena->id <= ARENA_ID_MAX;
    if (fits) {
        arena->next = newest;
        arena->tiny_tag = (uint16_t)arena->id;
        arena->small_tag = (uint16_t)(arena->id | TAG_SMALL);
        heap_set_init(&arena->tiny, arena, arena->tiny_tag, false, large_trim);
        heap_set_init(&arena->small, arena, arena->small_tag, true, large_trim);
        cache_attach((struct cache *)(void *)(arena + 1), arena, ready - sizeof *arena);
        /* Release: whoever walks the list finds the arena complete. */
        atomic_store_explicit(&arena_list, arena, memory_order_release);
    }
    structure_unlock();
    return fits;
}

static struct arena *create(bool apart)
{
    size_t size = round_up(sizeof(struct arena) + cache_size(), os_page_size());
    size_t ready = sizeof(struct arena) + cache_least_size();
    struct arena *arena = space_map_arena(size, &ready);

    if (arena == NULL)
        return NULL;
    bins_init(&arena->bins, &arena->tiny, &arena->small);
    pthread_mutex_init(&arena->lock, NULL);
    pthread_mutex_init(&arena->repair_lock, NULL);
    arena->apart = apart;
    if (!enlist(arena, ready)) {
        own_unmap(arena, size);
        return NULL;
    }
    return arena;
}

struct arena *arena_create(void)
{
    return create(false);
}

struct arena *arena_create_apart(void)
{
    return create(true);
}

size_t arena_make_way_due(struct arena *arena)
{
    size_t fresh = arena->tiny.fresh + arena->small.fresh;

    if (fresh != 0) {
        arena->tiny.fresh = arena->small.fresh = 0;
        large_make_way(fresh);
    }
    if (arena->bins.ticked) {
        arena->bins.ticked = false;
        large_make_way(0);
    }
    return fresh;
}

void arena_take_back(struct arena *arena, const struct chunk *chunk)
{
    void *pointer = pointer_to(chunk->start);

    bin_to_slabs(&arena->bins.of[chunk->size_class], &pointer, 1);
}

/* Afterwards every free chunk is in its slab that is in no cache. */
static void gather(struct arena *arena)
{
    arena_repair(arena);
    remote_return_all(arena);
    if (!policy_quarantine())
        cache_flush_idle(arena);
    bins_release_empty(&arena->bins);
}

size_t arena_release(struct arena *arena)
{
    gather(arena);
    return heap_set_release(&arena->tiny) + heap_set_release(&arena->small);
}

size_t arena_trim(struct arena *arena)
{
    gather(arena);
    return heap_set_trim(&arena->tiny) + heap_set_trim(&arena->small) +
           slab_pages_trim(&arena->bins);
}

bool arena_trim_step(struct arena *arena)
{
    remote_return(arena);
    if (!policy_quarantine())
        cache_flush_idle(arena);
    bins_release_empty(&arena->bins);
    return bins_trim(&arena->bins) && (policy_quarantine() || remote_inbox_empty(arena));
}

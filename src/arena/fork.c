/*
 * Repair after fork. The states are the truth: what is not live is free. Bit maps, lists, caches, free runs
 * and inboxes are rebuilt from them. In the surviving thread's own arena all of that is sound, and only the
 * chunks are missing that other threads had freed and not sent home, or that were in its inbox.
 *
 * The fork may have been made by a signal handler, in the middle of malloc. The handler here therefore changes
 * nothing that such a call could still be working on; repairs are made at the beginning of the next slow call.
 */
#include "arena/fork.h"

#include "arena/hardened.h"
#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "debug/options.h"
#include "large/large.h"
#include "os/structure_lock.h"

/* True for the surviving thread's own arena; one that it shares, other threads may have been changing. */
static bool owned(struct arena *arena, struct arena *survivor)
{
    return arena == survivor && atomic_load_explicit(&arena->use, memory_order_relaxed) == ARENA_ACTIVE;
}

void arena_after_fork(void)
{
    struct arena *survivor = thread_self.home;
    struct arena *arena = atomic_load_explicit(&arena_list, memory_order_relaxed); /* one thread only */

    structure_lock_renew();
    pool_after_fork(survivor, !thread_self.binding);
    large_after_fork();
    /* With a single arena there never was another thread that could have changed or freed anything. */
    if (arena == NULL || (owned(arena, survivor) && arena->next == NULL))
        return;
    fork_generation++;
    for (; arena != NULL; arena = arena->next) {
        bool own = owned(arena, survivor);
        bool before = atomic_load_explicit(&arena->damaged, memory_order_relaxed);

        /* An arena still damaged from the fork before this one needs the larger repair. */
        atomic_store_explicit(&arena->survivor, own && (!before || atomic_load(&arena->survivor)),
                              memory_order_relaxed);
        atomic_store_explicit(&arena->damaged, true, memory_order_relaxed);
    }
}

typedef void slab_visit(struct arena *arena, struct heap *heap, struct slab *slab);

static void each_slab_of_heap(struct arena *arena, struct heap *heap, slab_visit *visit)
{
    bool small = heap->set->small;
    unsigned count = small ? SMALL_SLABS : TINY_UNITS - TINY_FIRST_UNIT;
    uintptr_t first_tiny = heap->base + (uintptr_t)TINY_FIRST_UNIT * UNIT_SIZE;

    for (unsigned number = 0; number < count; number++) {
        struct slab *slab = small ? small_slab_numbered(heap->base, number)
                                  : tiny_slab(first_tiny + (uintptr_t)number * UNIT_SIZE);

        if (atomic_load_explicit(&slab->identity, memory_order_relaxed) & 1) /* the lock orders it */
            visit(arena, heap, slab);
    }
}

static void each_slab(struct arena *arena, struct heap_set *set, slab_visit *visit)
{
    for (struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        /* As the reserve, it is not unmapped under our feet when its last chunk comes home. */
        set->idle = heap;
        each_slab_of_heap(arena, heap, visit);
    }
    /* None of these may be wholly free, and the one that was in reserve may be gone: the next tick finds out. */
    set->idle = NULL;
}

static void rebuild_slab(struct arena *arena, struct heap *heap, struct slab *slab)
{
    (void)arena;
    if (!slab_rebuild(slab, heap))
        atomic_store_explicit(&slab->identity, 0, memory_order_relaxed);
}

/* Only when all slabs have claimed their units: an empty one goes to its heap, which may purge what is free. */
static void adopt_slab(struct arena *arena, struct heap *heap, struct slab *slab)
{
    (void)heap;
    bin_adopt(&arena->bins.of[slab->class], slab);
}

static void take_home(struct arena *arena, const struct chunk *chunk)
{
    if (options.harden)
        hardened_arrive(arena, chunk, slab_parcel_bytes(chunk->usable));
    else
        arena_free(arena, chunk);
}

static void collect_slab(struct arena *arena, struct heap *heap, struct slab *slab)
{
    const struct size_class *class = &size_classes[slab->class];
    uint16_t tag = heap->set->tag;
    struct chunk chunk;

    for (unsigned index = 0; index < class->chunks; index++) {
        uintptr_t address = slab_start(slab) + (uintptr_t)index * class->size;

        if (chunk_find(address, tag, &chunk) == CHUNK_FREED && chunk.kind == STATE_REMOTE)
            take_home(arena, &chunk);
    }
}

void arena_repair(struct arena *arena)
{
    if (!atomic_load_explicit(&arena->damaged, memory_order_relaxed)) /* the lock orders it */
        return;
    remote_forget(arena);
    if (atomic_load_explicit(&arena->survivor, memory_order_relaxed)) {
        each_slab(arena, &arena->tiny, collect_slab);
        each_slab(arena, &arena->small, collect_slab);
    } else {
        hardened_forget(arena);
        bins_reset(&arena->bins);
        heap_set_reset(&arena->tiny);
        heap_set_reset(&arena->small);
        each_slab(arena, &arena->tiny, rebuild_slab);
        each_slab(arena, &arena->small, rebuild_slab);
        each_slab(arena, &arena->tiny, adopt_slab);
        each_slab(arena, &arena->small, adopt_slab);
    }
    /* Release: who sees it without the lock, sees the repair. */
    atomic_store_explicit(&arena->damaged, false, memory_order_release);
}

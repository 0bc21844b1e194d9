/*
 * An arena is where threads get their chunks from: bins and heaps, and the inbox of chunks that
 * threads of other arenas have freed. Each thread has a cache in front of an arena (cache.h), and
 * several caches may be in front of one. The caches' slow calls hold the arena's lock. Whoever
 * holds it may also empty the inbox and give memory back, whether or not a thread of this arena
 * ever makes a call again.
 *
 * Arenas are never unmapped, and the list of them only grows.
 */
#ifndef FT_ARENA_ARENA_H
#define FT_ARENA_ARENA_H

#include "base/child.h"
#include "bins/bin.h"
#include "bins/chunk.h"

#include <pthread.h>

/* What the child of a fork has to do for an arena. */
enum arena_damage {
    ARENA_SOUND,
    ARENA_DAMAGED,      /* everything; no thread has begun */
    ARENA_UNDER_REPAIR, /* what is behind the places of recover.h */
};

struct cache;
struct parcel;

struct arena {
    /* Guarded by `lock`, down to `lock` itself. */
    struct bins bins;
    struct heap_set tiny;
    struct heap_set small;
    /* Parcels taken from the inbox and not yet unpacked. */
    struct parcel *unpacking;
    /* How many bytes other threads have returned to slabs since a thread of this arena came. */
    size_t returned;
    /* When the first thread ended whose cache still has chunks, or 0. See cache_thin(). */
    uint64_t thinned_at;
    pthread_mutex_t lock;
    /*
     * The thread that holds `lock`, as the address of its struct thread, or NULL. Written by the
     * holder. A thread reads it to see whether it is the holder itself; the child of a fork reads
     * it while it has one thread. Relaxed.
     */
    _Atomic(const void *) holder;

    /* Constant: the tags of the arena's heaps in the heap map. */
    uint16_t tiny_tag;
    uint16_t small_tag;
    unsigned id;
    /* True if no thread may be in front of the arena: see apart.h. */
    bool apart;
    struct arena *next;

    /*
     * All caches of the arena. The list only grows; written with `lock` and release, walked with
     * acquire or with `lock`.
     */
    _Atomic(struct cache *) caches;

    /*
     * Set to ARENA_DAMAGED in the child of a fork while it has one thread; later values are written
     * with repair_lock. Any thread may read it, with acquire ordering or with that lock.
     */
    _Atomic int damaged; /* enum arena_damage */
    /*
     * Written together with `damaged`. True if the arena is sound, because only the surviving
     * thread used it, so that only chunks on their way to it were lost.
     */
    _Atomic bool survivor;
    /*
     * False if there is nothing to give back, because others have done it and no thread has entered
     * the arena or sent it chunks since. Any thread writes and reads it. A visitor stores false and
     * then looks at the inbox, and who pushes a parcel then looks here. All four are sequentially
     * consistent, so that one of the two sees the other. Whoever enters has the lock.
     */
    _Atomic bool restless;
    /* Taken for each step of the repair, and by frees that leave a chunk to the repair. */
    pthread_mutex_t repair_lock;

    /*
     * Any thread pushes to the inbox and adds to the bytes in it, so they have a cache line of
     * their own.
     */
    _Alignas(64) _Atomic(struct parcel *) inbox;
    _Atomic size_t inbox_bytes;
};

/*
 * All arenas, newest first. Read with acquire. New ones are put in front with the structure lock.
 */
extern _Atomic(struct arena *) arena_list;

void arena_lock(struct arena *arena);
bool arena_try_lock(struct arena *arena);
void arena_unlock(struct arena *arena);

/* Returns whether the calling thread holds the lock. */
bool arena_locked_here(struct arena *arena);

/*
 * Returns whether the repair after a fork has not ended. Relaxed: it was set when there was one
 * thread only.
 */
static inline bool arena_is_damaged(struct arena *arena)
{
    return atomic_load_explicit(&arena->damaged, memory_order_relaxed) != ARENA_SOUND;
}

/*
 * Notes that there may be something to give back. Sequentially consistent: see struct arena. The
 * load spares the store, which would take the cache line from others.
 */
static inline void arena_stir(struct arena *arena)
{
    if (unlikely(!atomic_load_explicit(&arena->restless, memory_order_seq_cst)))
        /* relaxed: a visitor that does not see it yet has still to look at the inbox */
        atomic_store_explicit(&arena->restless, true, memory_order_relaxed);
}

/* Return a new arena with one cache, or NULL if there is no memory. The second is for apart.h. */
struct arena *arena_create(void);
struct arena *arena_create_apart(void);

/*
 * Everything below is called with the arena's lock held.
 */

/*
 * Evicts cached LARGE mappings: as many bytes as this arena took of fresh memory since the last
 * call, and after a tick those that have waited too long. Called at the end of a slow call, before
 * its caller touches the new memory. Returns how many bytes of fresh memory these are.
 */
size_t arena_make_way_due(struct arena *arena);

static inline size_t arena_make_way(struct arena *arena)
{
    if (unlikely((arena->tiny.fresh | arena->small.fresh) != 0) || unlikely(arena->bins.ticked))
        return arena_make_way_due(arena);
    return 0;
}

/* Returns a chunk in state FREE, which is in no cache, to its slab. */
void arena_take_back(struct arena *arena, const struct chunk *chunk);

/*
 * Last resort without memory: unmaps the heaps that are wholly free, as far as chunks in caches
 * permit. Returns their bytes.
 */
size_t arena_release(struct arena *arena);

/* Gives everything unused back to the kernel. Returns the bytes. */
size_t arena_trim(struct arena *arena);

/*
 * Gives a bounded part of it back, and leaves the rest to later calls. Returns true if nothing is
 * left.
 */
bool arena_trim_step(struct arena *arena);

#endif

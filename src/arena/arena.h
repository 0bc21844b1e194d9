/*
 * An arena is everything that one thread allocates from: bins, heaps, and the inbox of remote
 * frees. It is used in one of three ways, which decide who may touch "owner only" fields:
 *   ACTIVE   one thread owns it, and uses it without any lock
 *   POOLED   its thread has ended; the holder of arena->lock may use it
 *   SHARED   several threads use it; the holder of arena->lock may use it
 * Arenas are never unmapped, and the list of them only grows.
 */
#ifndef FT_ARENA_ARENA_H
#define FT_ARENA_ARENA_H

#include "base/child.h"
#include "bins/bin.h"
#include "bins/chunk.h"
#include "large/stash.h"

#include <pthread.h>

enum arena_use { ARENA_ACTIVE, ARENA_POOLED, ARENA_SHARED };

/* What the child of a fork has to do for an arena. */
enum arena_damage {
    ARENA_SOUND,
    ARENA_DAMAGED,      /* everything; no thread has begun */
    ARENA_UNDER_REPAIR, /* what is behind the places of recover.h */
};

struct parcel;
struct quarantine;

/*
 * Chunks that realloc() made smaller lately, and chunks that it made larger after that. The latter
 * flip between two sizes, and keep their room. New entries replace the oldest. Addresses are only
 * compared, so an outdated one does no harm.
 */
enum { FLIPS = 4 };
struct flips {
    uintptr_t shrunk[FLIPS], flipping[FLIPS];
    unsigned next_shrunk, next_flipping;
};

enum { PARCELS = 8 };

/* Chunks of one other arena that were freed here and not yet sent to it. */
struct outgoing {
    struct arena *owner;
    struct parcel *newest, *oldest;
    unsigned chunks;
    /*
     * The state of the newest parcel, and the code of its words. Kept here, where a write to freed
     * memory cannot reach it.
     */
    unsigned filled;
    unsigned room;
    uintptr_t code;
    size_t bytes;
    unsigned fork; /* fork_generation when the first chunk was collected */
};

struct arena {
    /* What the fast paths read. Owner only; see heap_owned(). */
    struct bins bins;
    uintptr_t own_tiny[OWN_HEAPS];
    uintptr_t own_small[OWN_HEAPS];
    /* Constant: the tags of the arena's heaps in the heap map. */
    uint16_t tiny_tag;
    uint16_t small_tag;

    /* Owner only. */
    struct heap_set tiny;
    struct heap_set small;
    struct outgoing outgoing[PARCELS];
    /* Parcels taken from the inbox and not yet unpacked. */
    struct parcel *unpacking;
    /* The last tick of the bins after which pool_age() was called. */
    unsigned aged_tick;
    /*
     * In hardened mode: freed chunks that wait (NULL before the first), and the state of the random
     * choices.
     */
    struct quarantine *quarantine;
    uint64_t random;
    struct flips flips;
    struct large_stash stash;

    /* Constant. */
    unsigned id;
    struct arena *next;

    /* Guarded by the arena pool's lock. */
    struct arena *next_pooled;

    /*
     * Written by the owner or with `lock`, sequentially consistent against pushes (see remote.c).
     */
    _Atomic int use; /* enum arena_use */
    /*
     * Set to ARENA_DAMAGED in the child of a fork while it has one thread; later values are written
     * with repair_lock. Any thread may read it, with acquire ordering or with that lock.
     */
    _Atomic int damaged; /* enum arena_damage */
    /*
     * Written together with `damaged`. True if the arena is the surviving thread's, so that only
     * chunks on their way to it were lost.
     */
    _Atomic bool survivor;
    /*
     * When a thread left the arena in the pool, by the clock. 0 means that a thread has it, or that
     * all its free memory was given back. Written with `lock`, relaxed. pool_age() reads it without
     * the lock, to see whether taking the lock is worth it.
     */
    _Atomic uint64_t left_at;
    /* Guarded by `lock`: this arena's part of what all arenas in the pool may keep. */
    size_t left_bytes;
    /* Another thread has called malloc_trim(). Set by any thread, cleared by the owner, relaxed. */
    _Atomic bool trim_wanted;
    pthread_mutex_t lock;
    /* Taken for each step of the repair, and by frees that leave a chunk to the repair. */
    pthread_mutex_t repair_lock;

    /*
     * How many chunks of other arenas were freed with this one while FT_MALLOC_STATS is set. The
     * owner writes it, any thread reads it; relaxed, because it is only a figure.
     */
    _Atomic uint64_t remote_frees;

    /* Any thread pushes to it, so it has a cache line of its own. */
    _Alignas(64) _Atomic(struct parcel *) inbox;
};

/*
 * The arena that a thread's fast pointer names while every call has to be slow. It has no chunk and
 * owns no heap.
 */
extern const struct arena arena_none;
#define ARENA_NONE ((struct arena *)&arena_none)

/*
 * All arenas, newest first. Read with acquire. New ones are put in front with the structure lock.
 */
extern _Atomic(struct arena *) arena_list;

static inline void arena_lock(struct arena *arena)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&arena->lock);
}

static inline bool arena_try_lock(struct arena *arena)
{
    child_check();
    os_count_rmw();
    return pthread_mutex_trylock(&arena->lock) == 0;
}

static inline void arena_unlock(struct arena *arena)
{
    os_count_rmw();
    pthread_mutex_unlock(&arena->lock);
}

/*
 * Returns whether the repair after a fork has not ended. Relaxed: it was set when there was one
 * thread only.
 */
static inline bool arena_is_damaged(struct arena *arena)
{
    return atomic_load_explicit(&arena->damaged, memory_order_relaxed) != ARENA_SOUND;
}

/* Returns a new arena, or NULL if there is no memory. */
struct arena *arena_create(enum arena_use use);

/* Returns the bin for a size of at most TINY_MAX, by a shift and a load on the fast path. */
static inline struct bin *arena_tiny_bin(struct arena *arena, size_t size)
{
    return (struct bin *)(void *)((char *)arena->bins.of +
                                  tiny_bin_offsets[(size + CHUNK_ALIGN - 1) / CHUNK_ALIGN]);
}

/*
 * Allocates a chunk of a class, or of a larger one if that spares fresh memory. For the slow path,
 * with the arena entered. Returns NULL if there is no memory.
 */
void *arena_alloc(struct arena *arena, unsigned size_class, size_t requested, bool *clean);

/* Allocates a chunk of exactly this class, because its size is a multiple of an alignment. */
void *arena_alloc_aligned(struct arena *arena, unsigned size_class, size_t requested);

/* Takes back a chunk of this arena that was live, or that another thread had freed. */
static inline void arena_free(struct arena *arena, const struct chunk *chunk)
{
    chunk_mark(chunk, STATE_FREE);
    bin_free(&arena->bins.of[chunk->size_class], pointer_to(chunk->start));
}

/* Frees a live chunk of this arena by its address. */
void arena_free_chunk(struct arena *arena, uintptr_t address);

/*
 * Returns the SMALL chunks in the arena's stacks to their slabs, because the arena may not be used
 * for long.
 */
void arena_rest(struct arena *arena);

/*
 * Evicts cached LARGE mappings: as many bytes as this arena took of fresh memory since the last
 * call, and after a tick those that have waited too long. Called at the end of a slow call, before
 * its caller touches the new memory, with the arena entered or locked.
 */
void arena_make_way_due(struct arena *arena);

static inline void arena_make_way(struct arena *arena)
{
    if (unlikely((arena->tiny.fresh | arena->small.fresh) != 0) || unlikely(arena->bins.ticked))
        arena_make_way_due(arena);
}

/*
 * Returns the bytes in free units that were written to; and purges the longer runs of such units.
 */
size_t arena_unused(const struct arena *arena);
void arena_purge(struct arena *arena);

/*
 * Last resort without memory: flushes all bins, then unmaps the heaps that are wholly free. Returns
 * their bytes. The arena is entered or locked, here and below.
 */
size_t arena_release(struct arena *arena);

/* Gives everything unused back to the kernel. Returns the bytes. */
size_t arena_trim(struct arena *arena);

/* Gives a part of it back now, and the rest at later slow calls. */
void arena_trim_step(struct arena *arena);

#endif

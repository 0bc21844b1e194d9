/*
 * An arena: everything that one thread allocates from: bins, heaps, and the inbox of remote frees.
 * Three kinds of use, and the rule of each for who may touch "owner only" fields: ACTIVE   one
 * thread owns it, and uses it without any lock POOLED   its thread has ended: whoever holds
 * arena->lock SHARED   several threads use it: whoever holds arena->lock Arenas are never unmapped;
 * the list of them only grows.
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
    ARENA_DAMAGED,      /* everything: nobody has begun */
    ARENA_UNDER_REPAIR, /* what lies behind the places of recover.h */
};

/* What FT_MALLOC_STATS counts. */
enum call_kind {
    CALL_MALLOC,
    CALL_FREE,
    CALL_REALLOC,
    CALL_CALLOC,
    CALL_ALIGNED,
    CALL_REMOTE,
    CALL_BYTES,
    CALL_KINDS
};

struct parcel;
struct quarantine;

/*
 * Chunks that realloc() made smaller lately, and those that it made larger after that: these flip
 * between two sizes, and keep their room. The newest replace the oldest. Addresses are compared
 * only: one that is out of date costs nothing.
 */
enum { FLIPS = 4 };
struct flips {
    uintptr_t shrunk[FLIPS], flipping[FLIPS];
    unsigned next_shrunk, next_flipping;
};

enum { PARCELS = 8 };

/* Chunks of one other arena, freed here and not yet sent home. */
struct outgoing {
    struct arena *owner;
    struct parcel *newest, *oldest;
    unsigned chunks;
    /*
     * Of the newest parcel, as is what its words are combined with; kept here, where a write to
     * freed memory cannot reach it.
     */
    unsigned filled;
    unsigned room;
    uintptr_t code;
    size_t bytes;
    unsigned fork; /* fork_generation when the first chunk came */
};

struct arena {
    /* What the fast paths read, owner only: see heap_owned(). */
    struct bins bins;
    uintptr_t own_tiny[OWN_HEAPS];
    uintptr_t own_small[OWN_HEAPS];
    /* Constant: the tags of our heaps in the heap map. */
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
     * With FT_MALLOC_HARDEN: freed chunks that wait; NULL before the first. And where random
     * choices come from.
     */
    struct quarantine *quarantine;
    uint64_t random;
    struct flips flips;
    struct large_stash stash;

    /* Constant. */
    unsigned id;
    struct arena *next;

    /* The arena pool's lock. */
    struct arena *next_pooled;

    /* Written by the owner or with `lock`, sequentially consistent against pushes: see remote.c. */
    _Atomic int use; /* enum arena_use */
    /*
     * ARENA_DAMAGED in the child of a fork, while it has one thread; the others with repair_lock.
     * Read by anyone: acquire, or with that lock.
     */
    _Atomic int damaged; /* enum arena_damage */
    /*
     * With `damaged`: the arena is the surviving thread's, so only what was under way to it is
     * lost.
     */
    _Atomic bool survivor;
    /*
     * When a thread left the arena in the pool, in ticks; 0: a thread has it, or all that it had is
     * given back. Written with `lock`, relaxed; pool_age() reads it without: whether it is worth
     * the lock.
     */
    _Atomic uint64_t left_at;
    /* With `lock`: how much of what all arenas in the pool may keep this one takes. */
    size_t left_bytes;
    /* malloc_trim() was called by another thread. Set by anyone, cleared by the owner, relaxed. */
    _Atomic bool trim_wanted;
    pthread_mutex_t lock;
    /* For the repair, a piece at a time, and for frees that leave a chunk to it. */
    pthread_mutex_t repair_lock;

    /* Owner writes, anyone reads, relaxed: figures. */
    _Atomic uint64_t calls[CALL_KINDS];

    /* Pushed to by any thread; on a line of its own. */
    _Alignas(64) _Atomic(struct parcel *) inbox;
};

/*
 * Has no chunk and owns no heap: what a thread's fast pointer names while every call has to be
 * slow.
 */
extern const struct arena arena_none;
#define ARENA_NONE ((struct arena *)&arena_none)

/* All arenas, newest first. Acquire to read; new ones are put in front with the structure lock. */
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
 * Whether the repair after a fork is not at its end. Relaxed: set when there was one thread only.
 */
static inline bool arena_is_damaged(struct arena *arena)
{
    return atomic_load_explicit(&arena->damaged, memory_order_relaxed) != ARENA_SOUND;
}

/* A new arena, or NULL: no memory. */
struct arena *arena_create(enum arena_use use);

/* The bin for a size of at most TINY_MAX: a shift and a load, for the fast path. */
static inline struct bin *arena_tiny_bin(struct arena *arena, size_t size)
{
    return (struct bin *)(void *)((char *)arena->bins.of +
                                  tiny_bin_offsets[(size + CHUNK_ALIGN - 1) / CHUNK_ALIGN]);
}

/*
 * One chunk of a class, or, if that spares fresh memory, a larger one: for the slow path, with the
 * arena entered. NULL: no memory.
 */
void *arena_alloc(struct arena *arena, unsigned size_class, size_t requested, bool *clean);

/* One chunk of this very class, because its size is a multiple of an alignment. */
void *arena_alloc_aligned(struct arena *arena, unsigned size_class, size_t requested);

/* Takes a chunk of this arena back: one that was live, or on its way home. */
static inline void arena_free(struct arena *arena, const struct chunk *chunk)
{
    chunk_mark(chunk, STATE_FREE);
    bin_free(&arena->bins.of[chunk->size_class], pointer_to(chunk->start));
}

/* Frees a live chunk of this arena by its address. */
void arena_free_chunk(struct arena *arena, uintptr_t address);

/*
 * For an arena that may not be used for long: gives the SMALL chunks that its stacks keep to their
 * slabs.
 */
void arena_rest(struct arena *arena);

/* Bytes in free units that were written to; and gives the larger runs of these to the kernel. */
size_t arena_unused(const struct arena *arena);
void arena_purge(struct arena *arena);

/*
 * Where there is no more memory: what bins keep goes to the slabs, for any size; heaps that are
 * then wholly free, to the kernel. Returns their bytes. The arena is entered, or locked; so it is
 * below.
 */
size_t arena_release(struct arena *arena);

/* Gives everything unused back to the kernel. Returns the bytes. */
size_t arena_trim(struct arena *arena);

/* The same with only a piece of it now, and the others at later slow calls. */
void arena_trim_step(struct arena *arena);

static inline void arena_count(struct arena *arena, enum call_kind kind, uint64_t amount)
{
    atomic_store_explicit(&arena->calls[kind],
                          atomic_load_explicit(&arena->calls[kind], memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

#endif

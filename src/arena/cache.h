/*
 * A cache is what a thread has for itself in front of its arena: stacks of free chunks, what free()
 * needs to know an address, and chunks of other arenas that it has freed. The fast paths touch
 * nothing else. Only the thread touches its cache, without a lock, except where a comment says
 * otherwise. A cache stays with its arena for ever; when its thread ends, it is emptied and waits
 * for another one (pool.h).
 *
 * Common caches are used by several threads, which hold the arena's lock then. They are for threads
 * that must not own anything because they are ending, and for what a hardened process has more
 * threads than arenas.
 */
#ifndef FT_ARENA_CACHE_H
#define FT_ARENA_CACHE_H

#include "arena/arena.h"
#include "bins/stack.h"
#include "large/stash.h"

struct quarantine;
struct thread;

/*
 * Chunks that realloc() made smaller lately, and chunks that it made larger after that. The latter
 * flip between two sizes, and keep their room. New entries replace the oldest. Addresses are only
 * compared, so an outdated one does no harm.
 */
enum { FLIPS = 4 };
struct flips {
    uintptr_t shrunk[FLIPS], flipping[FLIPS], grown[FLIPS];
    unsigned next_shrunk, next_flipping, next_grown;
};

/*
 * Chunks in the heaps with one tag that were freed here and not yet sent to their arena: the
 * addresses in the parcel from its first to before `next`. Without a parcel, `next` and `end` are
 * equal; `tag` is TAG_NONE if the place was never used.
 */
struct outgoing {
    uintptr_t *next, *end;
    struct parcel *parcel;
    struct arena *owner;
    uint32_t bytes; /* of SMALL chunks */
    uint16_t tag;
    uint16_t most_kib; /* with so many KiB they are sent */
};

/*
 * Which outgoing chunks those of a heap belong to, by 4 MiB of address space. `key` is the address
 * where these begin; for a SMALL heap FOREIGN_SMALL is added to it, so that no address with wrong
 * lower bits fits. `end` is where the heap's units end, because what is behind them may be a LARGE
 * chunk, which does not keep the heap mapped. It is 0 in an unused entry.
 */
struct foreign {
    uintptr_t key, end;
    struct outgoing *outgoing;
};

enum { OUTGOING = 32, FOREIGN = 64, FOREIGN_SMALL = CHUNK_ALIGN };

/*
 * What every thread touches comes first, so that a thread that allocates little touches few pages.
 */
struct cache {
    /* What the fast paths read. */
    struct stacks stacks;
    struct own_heaps own_tiny;
    struct own_heaps own_small;
    /* Constant: the tags of the arena. */
    uint16_t tiny_tag;
    uint16_t small_tag;
    bool common;
    struct arena *arena;

    /* When outgoing chunks are sent although they are few; see remote_send_old(). */
    uint64_t send_at;
    /* The last tick of the bins after which other arenas were looked at. */
    unsigned looked_tick;
    /*
     * In hardened mode: freed chunks that wait (NULL before the first), and the state of the random
     * choices.
     */
    struct quarantine *quarantine;
    uint64_t random;

    /*
     * Guarded by the pool's lock. `thread` is the thread of the cache, or NULL while it waits for
     * one and in a common cache. The thread holds `alive`, a robust mutex, which tells whether it
     * has ended without giving the cache back; see pool_obey().
     */
    struct cache *next_idle;
    struct thread *thread;
    pthread_mutex_t alive;
    /* Constant once the cache is in the arena's list. */
    struct cache *next;
    /*
     * False while the cache waits for a thread. Written with the arena's lock; whoever holds that
     * and reads false may change the stacks. The child of a fork reads it while it has one thread.
     * Relaxed.
     */
    _Atomic bool in_use;

    /*
     * How many chunks of other arenas were freed with this one while FT_MALLOC_STATS is set. The
     * thread writes it, any thread reads it; relaxed, because it is only a figure.
     */
    _Atomic uint64_t remote_frees;

    /* True if `outgoing` was ever used. */
    bool sends;
    /*
     * True of the heaps that there were when heap_map_removals had the value `foreign_since`. It is
     * in front of the stash, because free(NULL) looks at the first entry.
     */
    unsigned foreign_since;
    struct foreign foreign[FOREIGN];

    struct flips flips;
    struct large_stash stash;

    /* How many of the outgoing chunks below collect SMALL chunks. */
    unsigned collecting;
    /* Parcels without chunks, and their number. */
    struct parcel *parcels;
    unsigned parcel_count;
    struct outgoing outgoing[OUTGOING];
};

/*
 * The cache that a thread's fast pointer names while every call has to be slow. It has no chunk and
 * its arena owns no heap.
 */
extern const struct cache cache_none;
#define CACHE_NONE ((struct cache *)&cache_none)

/*
 * Return the size of a cache with all slots of its stacks, in bytes, and how much of it has to be
 * memory from the beginning.
 */
size_t cache_size(void);
size_t cache_least_size(void);

/*
 * Makes a place of that size a cache of the arena. Its first `ready` bytes are zero-filled memory;
 * when stacks are lengthened, more of it becomes memory. The arena's lock is held, or no other
 * thread knows the arena.
 */
void cache_attach(struct cache *cache, struct arena *arena, size_t ready);

/* Returns one more cache for an arena, or NULL if there is no memory. Takes the arena's lock. */
struct cache *cache_create(struct arena *arena);

/* Returns the cache that the arena was made with. */
static inline struct cache *cache_first(struct arena *arena)
{
    return (struct cache *)(void *)(arena + 1);
}

/*
 * Returns where the stack for a size of at most TINY_MAX is in a cache's stacks, by a shift and a
 * load on the fast path.
 */
static inline size_t tiny_stack_offset(size_t size)
{
    return tiny_stack_offsets[(size + CHUNK_ALIGN - 1) / CHUNK_ALIGN];
}

static inline struct stack *cache_tiny_stack(struct cache *cache, size_t size)
{
    return (struct stack *)(void *)((char *)cache->stacks.of + tiny_stack_offset(size));
}

/*
 * Everything below is called with the arena's lock held.
 */

static inline void cache_set_in_use(struct cache *cache, bool in_use)
{
    /* relaxed: see in_use */
    atomic_store_explicit(&cache->in_use, in_use, memory_order_relaxed);
}

/*
 * Shortens the stacks of caches that wait for a thread, and empties those of common caches. Called
 * by any thread.
 */
void cache_flush_idle(struct arena *arena);

/*
 * Prepares a cache whose thread ends for the next one, which probably needs stacks of the same
 * lengths and some chunks, soon. If none comes, a tick of another thread of the arena takes them by
 * the second function, or a visitor does if these are all asleep.
 */
void cache_thin(struct cache *cache);
void cache_flush_thinned(struct arena *arena);

/*
 * Everything below is called by the thread of the cache.
 */

/* Called first, whenever the thread has got the lock. */
void cache_use(struct cache *cache);

/*
 * Allocates a chunk of a class, or of a larger one if that spares fresh memory. Returns NULL if
 * there is no memory.
 */
void *cache_alloc(struct cache *cache, unsigned size_class, size_t requested, bool *clean);

/* Allocates a chunk of exactly this class, because its size is a multiple of an alignment. */
void *cache_alloc_aligned(struct cache *cache, unsigned size_class, size_t requested);

/* Takes back a chunk of the arena that was live, or that another thread had freed. */
static inline void cache_free(struct cache *cache, const struct chunk *chunk)
{
    chunk_mark(chunk, STATE_FREE);
    stack_free(&cache->stacks.of[chunk->size_class], pointer_to(chunk->start));
}

/* Frees a live chunk of the arena by its address. */
void cache_free_chunk(struct cache *cache, uintptr_t address);

/* Returns all chunks to their slabs. */
void cache_flush(struct cache *cache);

/*
 * Forgets all chunks, because the repair after a fork finds them, and the parcels, which another
 * thread may have been changing. For any cache of the arena.
 */
void cache_forget(struct cache *cache);

/* Last resort without memory: cache_flush() and arena_release(). */
size_t cache_release(struct cache *cache);

#endif

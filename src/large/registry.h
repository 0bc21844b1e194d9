/*
 * Internal to src/large: the descriptors of LARGE chunks, their hash by address, and the cache of
 * freed mappings. The caller of any function here holds the registry's lock, unless its comment
 * says otherwise.
 *
 * A descriptor itself says what it is. It is unused if its address is 0; it is in the cache if its
 * requested size is 0; else the chunk is live. So a walk over the descriptors can rebuild hash and
 * cache after a fork.
 */
#ifndef FT_LARGE_REGISTRY_H
#define FT_LARGE_REGISTRY_H

#include "large/large.h"
#include "os/os.h"

#include <stdatomic.h>

struct large {
    /* Written under the lock, after all other fields when a descriptor comes into use. */
    _Atomic uintptr_t address;
    /*
     * The requested size + 1. Written by the holder of the chunk; relaxed, because walkers accept
     * any value that it had.
     */
    _Atomic size_t requested;
    /*
     * Bytes of memory, and of address space from `address` on. For the holder only; while the
     * mapping is in the cache, under the lock.
     */
    size_t mapped;
    size_t reserved;
    /* What headroom_give() has to take back, or 0. Guarded like `mapped`. */
    size_t promised;
    /*
     * The requested size of a freed chunk, for reports. Written by the thread that freed it;
     * relaxed, like `requested`.
     */
    _Atomic size_t was;
    /* For a live chunk: what cache_lend() has noted. Under the lock. */
    size_t lent;
    /* Chain of the hash, or of unused descriptors. Under the lock, like the fields below. */
    struct large *chain;
    /*
     * The thread that owns the descriptor between the cache and the unmapping, or NULL: see
     * registry_take_out().
     */
    const void *taker;
    struct large *next, *prev;
    struct large *older, *newer;
    uint64_t freed_at;
    /* True if guard pages surround the mapping; `reserved` excludes them. Guarded like `mapped`. */
    bool guarded;
    /* True if it is among the vacated mappings. Under the lock. */
    bool vacated;
};

/* Returns the first byte of a mapping. */
static inline void *large_start(const struct large *large)
{
    /* Relaxed: written under the lock, or by the thread that holds the chunk or its descriptor. */
    return pointer_to(atomic_load_explicit(&large->address, memory_order_relaxed));
}

/* Returns the end of its memory. */
static inline char *large_end(const struct large *large)
{
    /* Relaxed: for the reason that large_start() gives. */
    return pointer_to(atomic_load_explicit(&large->address, memory_order_relaxed) + large->mapped);
}

static inline bool large_aligned(const struct large *large, size_t align)
{
    return ((uintptr_t)large_start(large) & (align - 1)) == 0;
}

/* The cache and the vacated mappings keep lists by size, eight to a doubling. */
enum { SIZE_BUCKETS = (64 - OS_PAGE_SHIFT) * 8 };

static inline unsigned size_bucket(size_t size)
{
    unsigned log2 = 63 - (unsigned)__builtin_clzl(size);

    return (log2 - OS_PAGE_SHIFT) * 8 + (unsigned)(size >> (log2 - 3) & 7);
}

/*
 * What the registry has. The caller of the functions below needs none of it; it is declared here
 * for readers outside of the process (debug/layout.h) and for snapshots (debug/dump.c).
 */
enum { REGISTRY_FIRST = 16, REGISTRY_BLOCK_SIZE = 64 << 10, REGISTRY_GONE = 128 };

struct large_block {
    struct large_block *next;
    unsigned count;
    struct large items[];
};

/* A chunk that was unmapped. */
struct large_gone {
    uintptr_t address;
    size_t requested;
};

/*
 * Size and chain heads are reached through one pointer, which a single store changes: see
 * large_after_fork().
 */
struct large_table {
    size_t size; /* a power of two */
    struct large **heads;
};

/* Under the registry's lock. */
struct large_registry {
    struct large_table *table;
    size_t used;
    struct large *unused;
    struct large_block *blocks;
    unsigned first_used; /* of large_registry_first */
    unsigned gone_next;
};

extern struct large_registry large_registry;
extern struct large_gone large_registry_gone[REGISTRY_GONE];
extern struct large large_registry_first[REGISTRY_FIRST];

/*
 * The registry's lock, a mutex. It is only held for moments. Unlike a pthread_rwlock_t, it can be
 * made new in the child of a fork whatever the surviving thread was doing with it, waiting or
 * holding.
 */
void registry_lock(void);
void registry_unlock(void);

/* Returns false if another thread holds the lock; for work that can be done later. */
bool registry_try_lock(void);

/*
 * Called in the child of a fork: makes the lock new. Returns true if a thread that does not exist
 * in the child was in the middle of a change.
 */
bool registry_lock_renew(void);

/*
 * Makes a descriptor, which is in no list any more, the caller's until it is dropped or cached. If
 * a signal handler forks meanwhile, the child continues to use the descriptor; registry_taken()
 * tells the repair to leave it alone.
 */
void registry_take_out(struct large *large);
bool registry_taken(const struct large *large);

/* Called in the child of a fork: registry_taken() is true of `hand`, too. */
void registry_leave_in_hand(const struct large *hand);

/*
 * Marks a live chunk as freed, and returns what `requested` was; returns 0 if it was free already.
 * If several threads try at once, with the lock or without it, one succeeds.
 */
size_t registry_mark_free(struct large *large);

/* Returns an unused descriptor, or NULL if there is no memory. */
struct large *registry_new(void);
void registry_drop(struct large *large);

void registry_insert(struct large *large, uintptr_t address);
void registry_remove(struct large *large);

struct large *registry_find(uintptr_t address);
void registry_each(void (*visit)(void *context, struct large *large), void *context);

/* Returns how many descriptors are in the hash, live or cached. */
size_t registry_count(void);

/* Returns how many chunks were entered since the process started. Needs no lock. */
uint64_t registry_entered(void);

/*
 * Like registry_each(), but visits at most REGISTRY_PIECE descriptors per call. The caller may
 * release the lock between calls. A chunk keeps its descriptor for life, and a descriptor never
 * moves, so chunks that live all the while are visited once. The first call is given a zeroed
 * place. Returns false after the last piece.
 */
enum { REGISTRY_PIECE = 64 };
struct registry_place {
    struct large_block *block; /* NULL: in the array of first descriptors */
    unsigned item;
    bool last;
};
bool registry_next(struct registry_place *place, void (*visit)(void *context, struct large *large),
                   void *context);

/* Rebuilds the hash from the descriptors. */
void registry_rebuild(void);

/* Remembers a chunk that is being unmapped, for reports. */
void registry_note_gone(uintptr_t address, size_t requested);

/*
 * Returns the size of a mapping for `needed` bytes of whole pages: rounded up to an eighth of a
 * doubling, so that a freed mapping serves later requests of about its size. The part that is never
 * touched costs only address space.
 */
static inline size_t large_mapping_size(size_t needed)
{
    enum { EXACT_BELOW = 128 << 10 };
    static const size_t exact_from = (size_t)1 << 40;

    if (needed < EXACT_BELOW || needed >= exact_from)
        return needed;
    return round_up(needed, (size_t)1 << (60 - __builtin_clzl(needed - 1)));
}

/*
 * Returns the size of a mapping for `size` bytes in hardened mode: as few whole pages as possible,
 * so that a guard follows at once. Without guards there is at least one byte more, for a canary.
 * Returns 0 if the size is too large.
 */
static inline size_t large_mapped_exact(size_t size, bool guarded)
{
    size_t needed = guarded && size > 0 ? size : size + 1;
    size_t mapped = round_up(needed, os_page_size());

    return mapped < size ? 0 : mapped;
}

/* The properties of a fresh mapping; the fields are those of struct large. */
struct large_place {
    size_t mapped, reserved, promised;
    bool guarded;
};

/*
 * Enters a fresh mapping as a chunk. Without memory for a descriptor, unmaps it, gives back what
 * was promised, and returns NULL. The caller does not hold the lock.
 */
void *large_enter(void *start, size_t size, const struct large_place *place);

/*
 * Takes the best fitting mapping of at least `size` and at most 2 * `size` bytes, at a multiple of
 * `align`, out of the cache; of up to 4 * `size` bytes while live chunks use most of what they
 * hold. Returns NULL if there is none; if a mapping of up to 2 * `size` bytes was unmapped lately,
 * the cache learns from it.
 */
struct large *cache_take(size_t size, size_t align);

/*
 * Takes the longest mapping of `size` / 2 to `size` bytes whose address space suffices for `size`,
 * as registry_take_out() does. It is not live yet: large_lengthen() makes it so.
 */
struct large *cache_take_short(size_t size, size_t align);

/*
 * Gives a mapping that cache_take_short() took `mapped` bytes, and makes it a live chunk of `size`
 * bytes. If the kernel refuses, puts it into the cache again, and returns false. The caller does
 * not hold the lock.
 */
bool large_lengthen(struct large *large, size_t mapped, size_t size);

/*
 * Takes a mapping out of the cache that has address space behind it and up to GROWN * `size` bytes:
 * a chunk that has grown once will probably do so again. While live chunks hold much memory that
 * they do not use, the mapping may have at most 2 * `size` bytes.
 */
enum { GROWN = 64 };
struct large *cache_take_growing(size_t size);

/* Returns false if cache_take_growing() would find nothing and learn nothing. Needs no lock. */
bool cache_may_have_grown(void);

/*
 * Notes that `bytes` bytes of the live chunk are unused room for its growth, because it was given a
 * mapping that has grown before.
 */
void cache_lend(struct large *large, size_t bytes);

/* Needs no lock. */
bool cache_is_empty(void);

/* Raises the number of bytes that the cache may hold. */
void cache_learn(size_t bytes);

/*
 * Adds `more` bytes, modulo 2^64, to the count of bytes in mappings of live chunks, for mappings
 * that do not come from the cache.
 */
void cache_count_live(size_t more);

/* Puts a freed chunk into the cache. */
void cache_put(struct large *large, uint64_t now);

/* Makes the next evictions give back `bytes` bytes more, whatever their age. */
void cache_owe(size_t bytes);

/*
 * Takes out mappings that are too old, exceed the bound, or are owed; with `all`, everything.
 * Returns them as a list linked by `next`.
 */
struct large *cache_evict(uint64_t now, bool all);

/*
 * Takes chunks out of the stashes of all threads (see stash.h). With `all`, takes all of them.
 * Otherwise, once a period has ended, takes up to `most` at a time of those that were not taken in
 * the period before. Returns `list` with these in front; they are marked as by registry_take_out().
 */
struct large *stash_collect(bool all, bool period, unsigned most, struct large *list);

/*
 * Returns false if no stash holds anything; what was put in just now may be missed. Needs no lock.
 */
bool stash_filled(void);

/*
 * Called in the child of a fork: empties the stashes, except for `hand`. The caller puts what they
 * held into the cache.
 */
void stash_reset(const struct large *hand);

/* Returns the bytes in all stashes at some moment. Needs no lock. */
size_t stash_bytes(void);

/*
 * Puts a chunk that was marked as freed without the lock into the cache. The caller does not hold
 * the lock. `*hand` holds the chunk until it is in the cache, and is NULL then.
 */
void large_free_marked(struct large *large, struct large **hand);

/*
 * Vacated mappings (vacated.c). vacated_may_cut() tells whether a mapping may be unmapped although
 * this may cut another one in two, and then counts the cut in the account of mappings;
 * vacated_not_cut() takes that back. vacated_possible() tells whether a mapping can be vacated
 * instead.
 */
bool vacated_may_cut(void);
void vacated_not_cut(void);
bool vacated_possible(void);

/* Returns true if there is any vacated mapping. Needs no lock. */
bool vacated_any(void);

/*
 * vacated_put() adds a mapping that has just been renewed. vacated_take() takes one out, as
 * cache_take() does; its memory is zero.
 */
void vacated_put(struct large *large);
struct large *vacated_take(size_t size, size_t align);

/*
 * Takes out vacated mappings that lie side by side, so that they can be unmapped together. Returns
 * a list linked by `next`, or NULL: there is none, or there are too many chunks beside them (and,
 * with `all`, the account of mappings is full). vacated_run_gone() says whether the kernel unmapped
 * the range.
 */
struct large *vacated_run(bool all, uintptr_t *start, size_t *size);
void vacated_run_gone(struct large *run, uintptr_t start, size_t size, bool gone);

#ifdef FT_MALLOC_PREFIXED
/* For tests: sets how many chunks count as few. */
void vacated_few(size_t chunks);
#endif

/*
 * Called in the child of a fork: forgets all vacated mappings. The caller adds each of them again.
 */
void vacated_reset(void);

/*
 * Unmap a mapping, or a list of evicted ones (give_back.c). The caller does not hold the lock. A
 * mapping that the kernel refuses to unmap waits in the cache again. large_unmap_list() returns the
 * bytes that were unmapped.
 */
bool large_unmap_range(void *start, size_t size, bool guarded);
size_t large_unmap_list(struct large *list);

/* Forgets what is cached. The caller adds each chunk again. */
void cache_reset(void);

#endif

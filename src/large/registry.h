/*
 * Internal to src/large: the descriptors of LARGE chunks, their hash by address, and the cache of
 * freed mappings. All functions here want the registry's lock held, if they do not say otherwise.
 *
 * Which of the two a descriptor is in follows from itself: address 0: unused; requested 0: in the
 * cache; else live. So a walk over the descriptors can build hash and cache anew after a fork.
 */
#ifndef FT_LARGE_REGISTRY_H
#define FT_LARGE_REGISTRY_H

#include "large/large.h"
#include "os/os.h"

#include <stdatomic.h>

struct large {
    /* Written with the lock, last of all when a descriptor comes into use. */
    _Atomic uintptr_t address;
    /*
     * The requested size + 1. The holder of the chunk writes it, relaxed: walkers take any value it
     * had.
     */
    _Atomic size_t requested;
    /*
     * Bytes of memory, and of address space from `address` on. Holder only; in the cache, with the
     * lock.
     */
    size_t mapped;
    size_t reserved;
    /* What headroom_give() takes back; 0: nothing. Like that. */
    size_t promised;
    /*
     * What `requested` was when it was freed: for reports. Written by who freed it, relaxed, like
     * `requested`.
     */
    _Atomic size_t was;
    /* Of a live chunk: see cache_lend(). With the lock. */
    size_t lent;
    /* Chain of the hash, or of unused descriptors. With the lock, like the rest. */
    struct large *chain;
    /*
     * The thread that has it, between the cache and its unmapping: see registry_take_out(). NULL:
     * none.
     */
    const void *taker;
    struct large *next, *prev;
    struct large *older, *newer;
    uint64_t freed_at;
    /* Between pages that nobody may touch, which are not counted in `reserved`. Like that. */
    bool guarded;
    /* Among the vacated mappings. With the lock. */
    bool vacated;
};

/*
 * The registry's lock, a mutex: it is held for moments only, and unlike a pthread_rwlock_t it can
 * be made new in the child of a fork whatever the surviving thread was doing with it, waiting or
 * holding.
 */
void registry_lock(void);
void registry_unlock(void);

/* False if somebody has it: for what can as well be done another time. */
bool registry_try_lock(void);

/*
 * In the child of a fork: true if a thread that is gone was in the middle of a change. The lock is
 * new.
 */
bool registry_lock_renew(void);

/*
 * A descriptor that is in no list any more is the caller's, until it is dropped or cached. If a
 * signal handler forks meanwhile, the child goes on with it, so the repair leaves it alone:
 * registry_taken() says so.
 */
void registry_take_out(struct large *large);
bool registry_taken(const struct large *large);

/* In the child of a fork: this one is taken, too. */
void registry_leave_in_hand(const struct large *hand);

/*
 * Marks a live chunk as freed, and returns what `requested` was; 0 if it was free already. Of
 * several that try at once, with the lock or without, one succeeds.
 */
size_t registry_mark_free(struct large *large);

/* An unused descriptor, or NULL: no memory. */
struct large *registry_new(void);
void registry_drop(struct large *large);

void registry_insert(struct large *large, uintptr_t address);
void registry_remove(struct large *large);

struct large *registry_find(uintptr_t address);
void registry_each(void (*visit)(void *context, struct large *large), void *context);

/* How many are in the hash: live, or in the cache. */
size_t registry_count(void);

/*
 * The same in pieces, of at most REGISTRY_PIECE descriptors, between which the lock may be given to
 * others: a chunk keeps its descriptor for life, and a descriptor its place, so those that live all
 * the while are visited once. Begins with a place that is zero; false: that was the last piece.
 */
enum { REGISTRY_PIECE = 64 };
struct registry_place {
    struct block *block; /* NULL: among the first */
    unsigned item;
    bool last;
};
bool registry_next(struct registry_place *place, void (*visit)(void *context, struct large *large),
                   void *context);

/* Builds the hash anew from the descriptors. */
void registry_rebuild(void);

/* What was unmapped lately, for reports. */
void registry_note_gone(uintptr_t address, size_t requested);

/*
 * The size of a mapping for so many bytes of whole pages: rounded up to an eighth of a doubling, so
 * that a freed one serves later requests of about its size. What is not touched costs address space
 * only.
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
 * The same with FT_MALLOC_HARDEN: whole pages, as few as will do, since a guard follows at once.
 * Without guards there is a byte more, for a canary. 0: too much.
 */
static inline size_t large_mapped_hardened(size_t size, bool guarded)
{
    size_t needed = guarded && size > 0 ? size : size + 1;
    size_t mapped = round_up(needed, os_page_size());

    return mapped < size ? 0 : mapped;
}

/* What a fresh mapping is: see struct large. */
struct large_place {
    size_t mapped, reserved, promised;
    bool guarded;
};

/*
 * Enters a fresh mapping as a chunk; without memory for a descriptor it goes back, with what was
 * promised, and NULL is returned. Without the lock.
 */
void *large_enter(void *start, size_t size, const struct large_place *place);

/*
 * Takes the best fitting mapping of at least `size` bytes and at most twice as many, at a multiple
 * of `align`, out of the cache; or returns NULL, and learns from it if such a mapping went back
 * lately.
 */
struct large *cache_take(size_t size, size_t align);

/*
 * Takes one of those that have address space behind them, of up to GROWN times as many bytes: what
 * has grown once will do so again. While live chunks hold much that they do not use, it may have
 * twice as many bytes only.
 */
enum { GROWN = 64 };
struct large *cache_take_growing(size_t size);

/* False if cache_take_growing() would find nothing and learn nothing. Without the lock. */
bool cache_may_have_grown(void);

/*
 * This many bytes of the live chunk are there for its growth, because it got a mapping that has
 * grown before.
 */
void cache_lend(struct large *large, size_t bytes);

/* Without the lock. */
bool cache_is_empty(void);

/* Raises the number of bytes that the cache may hold. */
void cache_learn(size_t bytes);

/*
 * So many bytes more are in mappings of live chunks that did not come from the cache; or less:
 * modulo 2^64.
 */
void cache_count_live(size_t more);

/* Puts a freed chunk in. */
void cache_put(struct large *large, uint64_t now);

/* The cache should give back so many bytes, whatever their age, at the next evictions. */
void cache_owe(size_t bytes);

/* Takes out what is too old, too much or owed, or all of it; a list by `next`. */
struct large *cache_evict(uint64_t now, bool all);

/*
 * Takes chunks out of the stashes of all threads (see stash.h): all of them; or, once a period has
 * ended, up to `most` at a time of those that were not taken in the one before. Returns the list
 * with these in front, taken out of the registry as by registry_take_out().
 */
struct large *stash_collect(bool all, bool period, unsigned most, struct large *list);

/*
 * False if no stash holds anything. It may be late for what is put in just now. Without the lock.
 */
bool stash_filled(void);

/*
 * In the child of a fork: empties the stashes, but for `hand`; the caller puts what was in them
 * into the cache.
 */
void stash_reset(const struct large *hand);

/* Bytes in all stashes, at some moment. Without the lock. */
size_t stash_bytes(void);

/*
 * Puts a chunk that was marked as freed without the lock into the cache. Without the lock. *hand
 * has it until then.
 */
void large_free_marked(struct large *large, struct large **hand);

/*
 * Vacated mappings (vacated.c). Whether a mapping may be unmapped though that may cut another in
 * two, which is then on the account; and takes that back. Whether a mapping can be vacated instead.
 */
bool vacated_may_cut(void);
void vacated_not_cut(void);
bool vacated_possible(void);

/* Whether there is any; without the lock. */
bool vacated_any(void);

/*
 * Puts a mapping in that has just been renewed; takes one out, which is zero, as cache_take() does.
 */
void vacated_put(struct large *large);
struct large *vacated_take(size_t size, size_t align);

/*
 * Takes some that lie side by side out, to be unmapped together: a list by `next`, or NULL: there
 * is none, or there are too many chunks beside them (with `all`: and the account is full). Then
 * says whether the kernel took the range.
 */
struct large *vacated_run(bool all, uintptr_t *start, size_t *size);
void vacated_run_gone(struct large *run, uintptr_t start, size_t size, bool gone);

#ifdef FT_MALLOC_PREFIXED
/* For tests: how many chunks are few. */
void vacated_few(size_t chunks);
#endif

/* In the child of a fork: forgets them, and each is put in anew by the caller. */
void vacated_reset(void);

/*
 * Gives a mapping, or a list of those that were evicted, back to the kernel, without the lock
 * (give_back.c). What the kernel refuses waits in the cache. Returns the bytes that went.
 */
bool large_unmap_range(void *start, size_t size, bool guarded);
size_t large_unmap_list(struct large *list);

/* Forgets what is cached; each chunk is put in anew by the caller. */
void cache_reset(void);

#endif

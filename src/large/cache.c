/*
 * The cache of freed mappings keeps lists by size, and one list by age. It is bounded in bytes and
 * in time (cache_bound.c). Mappings that the kernel refuses to unmap (the process is at its limit
 * of mappings) stay here beyond any bound until they are taken again, so that none is lost.
 */
#include "large/cache_bound.h"

#include "base/clock.h"
#include "os/os.h"

enum {
    /* How many chunks of a list are looked at: those of the first list may be too small. */
    LOOK = 8,
    /*
     * How many mappings are evicted at a time, so that no single free() pays for many, and so that
     * those that the kernel refuses are not all tried again and again.
     */
    EVICT = 4,
    /* Bytes evicted at a time, without the last mapping. The kernel needs time for each byte. */
    EVICT_BYTES = 8 << 20,
    /* How many times as large as a request a mapping may be whose rest is lent. */
    LENDS = 4,
};

/*
 * Changed under the registry's lock. It may also be read without it; relaxed, because it only tells
 * whether a look is worth it.
 */
OS_TOUCHED static _Atomic size_t bytes_cached;

/* Under the registry's lock. */
static struct {
    size_t owed;
    struct large *oldest, *newest;
    struct large *lists[SIZE_BUCKETS];
} cache;

static size_t cached_bytes(void)
{
    return atomic_load_explicit(&bytes_cached, memory_order_relaxed);
}

static void set_cached_bytes(size_t bytes)
{
    atomic_store_explicit(&bytes_cached, bytes, memory_order_relaxed);
}

static void unlink_large(struct large *large)
{
    struct large **list = &cache.lists[size_bucket(large->mapped)];

    if (large->prev != NULL)
        large->prev->next = large->next;
    else
        *list = large->next;
    if (large->next != NULL)
        large->next->prev = large->prev;
    if (large->older != NULL)
        large->older->newer = large->newer;
    else
        cache.oldest = large->newer;
    if (large->newer != NULL)
        large->newer->older = large->older;
    else
        cache.newest = large->older;
    set_cached_bytes(cached_bytes() - large->mapped);
}

/*
 * A chunk that has already become large should not have to move again soon: copying it costs more
 * than a mapping.
 */
static bool may_grow_on(const struct large *large, size_t size)
{
    static const size_t large_from = (size_t)1 << 20;
    enum { ROOM = 16 };

    return large->reserved > large->mapped && (size < large_from || large->reserved / ROOM >= size);
}

static struct large *take_best(size_t size, size_t most, size_t align, bool growing)
{
    struct large *best = NULL;

    if (most < size || size < OS_PAGE)
        return NULL;
    for (unsigned bucket = size_bucket(size); bucket <= size_bucket(most) && best == NULL;
         bucket++) {
        struct large *large = cache.lists[bucket];

        for (unsigned seen = 0; large != NULL && seen < LOOK; seen++, large = large->next)
            if (large->mapped >= size && large->mapped <= most &&
                (!growing || may_grow_on(large, size)) && large_aligned(large, align) &&
                (best == NULL || large->mapped < best->mapped))
                best = large;
    }
    if (best != NULL) {
        unlink_large(best);
        cache_count_live(best->mapped);
        bound_served();
    }
    return best;
}

/* Takes a mapping that is larger than usual, and notes that the rest is lent. */
static struct large *take_lent(size_t size, size_t align)
{
    size_t lends = bound_lends(false);
    size_t most = size * LENDS - size < lends ? size * LENDS : size + lends;
    struct large *large = most <= size * 2 ? NULL : take_best(size, most, align, false);

    if (large != NULL)
        cache_lend(large, large->mapped - size);
    return large;
}

/*
 * A mapping twice as large will do, too: what is too much of it was touched before and waits here
 * anyway, while a new mapping would have to be touched anew. One four times as large will do as
 * long as live chunks use most of what they hold.
 */
struct large *cache_take(size_t size, size_t align)
{
    struct large *large = take_best(size, size * 2, align, false);

    if (large == NULL)
        large = take_lent(size, align);
    if (large == NULL)
        bound_miss(size, size * 2, false, clock_now());
    return large;
}

/* Of a mapping that has less than half of the size, too little was touched to be worth the call. */
static bool may_lengthen(const struct large *large, size_t size, size_t align)
{
    return large->mapped < size && large->mapped >= size / 2 && large->reserved >= size &&
           large_aligned(large, align);
}

struct large *cache_take_short(size_t size, size_t align)
{
    struct large *best = NULL;

    if (cached_bytes() == 0 || size / 2 < OS_PAGE)
        return NULL;
    for (unsigned bucket = size_bucket(size) + 1;
         best == NULL && bucket-- > size_bucket(size / 2);) {
        struct large *large = cache.lists[bucket];

        for (unsigned seen = 0; large != NULL && seen < LOOK; seen++, large = large->next)
            if (may_lengthen(large, size, align) && (best == NULL || large->mapped > best->mapped))
                best = large;
    }
    if (best != NULL) {
        unlink_large(best);
        registry_take_out(best);
        bound_served();
    }
    return best;
}

bool cache_may_have_grown(void)
{
    return cached_bytes() != 0 || bound_lost_grown();
}

/*
 * Takes no mapping that is much too large while live chunks already hold much room that they may
 * never grow into.
 */
struct large *cache_take_growing(size_t size)
{
    size_t most = size * (bound_lends(true) > 0 ? GROWN : 2);
    struct large *large;

    if (!cache_may_have_grown())
        return NULL;
    large = take_best(size, most, 1, true);
    if (large != NULL)
        cache_lend(large, large->mapped - size);
    else
        bound_miss(size, most, true, clock_now());
    return large;
}

void cache_put(struct large *large, uint64_t now)
{
    struct large **list = &cache.lists[size_bucket(large->mapped)];

    large->freed_at = now;
    large->taker = NULL;
    large->prev = NULL;
    large->next = *list;
    if (*list != NULL)
        (*list)->prev = large;
    *list = large;
    large->newer = NULL;
    large->older = cache.newest;
    if (cache.newest != NULL)
        cache.newest->newer = large;
    else
        cache.oldest = large;
    cache.newest = large;
    set_cached_bytes(cached_bytes() + large->mapped);
}

void cache_owe(size_t bytes)
{
    cache.owed += bytes;
}

static bool is_due(const struct large *large, uint64_t now)
{
    if (bound_is_too_old(large->freed_at, now)) {
        bound_lower(large->mapped);
        return true;
    }
    if (cached_bytes() > bound_bytes()) {
        bound_note_lost(large, now);
        return true;
    }
    if (large->mapped > cache.owed)
        return false;
    cache.owed -= large->mapped;
    return true;
}

/* Takes one mapping out of the cache. Returns `list` with it in front. */
static struct large *move_to_list(struct large *large, struct large *list)
{
    unlink_large(large);
    registry_take_out(large);
    large->next = list;
    return large;
}

/* The newest mapping is not worth keeping if everything older would have to be evicted for it. */
static bool too_large(const struct large *large, uint64_t now)
{
    if (large->mapped <= bound_bytes())
        return false;
    bound_note_lost(large, now);
    return true;
}

struct large *cache_evict(uint64_t now, bool all)
{
    struct large *evicted = NULL;
    struct large *large;
    bool period = !all && bound_end_period(now);
    unsigned count = 0;
    size_t bytes = 0;

    evicted = stash_collect(all, period, EVICT, evicted);
    if (all)
        bound_forget_lost();
    large = cache.newest;
    if (large != NULL && !all && too_large(large, now))
        evicted = move_to_list(large, evicted);
    while ((large = cache.oldest) != NULL &&
           (all || (count++ < EVICT && bytes < EVICT_BYTES && is_due(large, now)))) {
        bytes += large->mapped;
        evicted = move_to_list(large, evicted);
    }
    if (large == NULL)
        cache.owed = 0;
    return evicted;
}

void cache_reset(void)
{
    for (unsigned bucket = 0; bucket < SIZE_BUCKETS; bucket++)
        cache.lists[bucket] = NULL;
    cache.oldest = cache.newest = NULL;
    cache.owed = 0;
    bound_reset();
    set_cached_bytes(0);
}

bool cache_is_empty(void)
{
    return cached_bytes() == 0;
}

size_t large_cached_bytes(void)
{
    return cached_bytes() + stash_bytes();
}

/*
 * The cache of freed mappings: lists by size, eight to a doubling, and one list by age. Bounded in bytes, by what was
 * live lately, and in time; what the kernel refuses to unmap (a process at its limit of mappings) stays here until it
 * is wanted again, beyond any bound: it is not lost.
 */
#include "large/registry.h"

#include "os/os.h"

enum {
    BUCKETS = (64 - OS_PAGE_SHIFT) * 8,
    CACHE_BYTES = 160 << 20,
    CACHE_BYTES_LEAST = 8 << 20,
    CACHE_CHUNK_BYTES = 32 << 20,
    /* How many chunks of a list are looked at: those of the first list may be too small. */
    LOOK = 8,
    /* How many go at a time: no free pays for many, and those that the kernel refuses are not tried again and again. */
    EVICT = 4,
};

/*
 * Ticks. What is not wanted again after this is not worth its memory: touching a MiB anew takes 0.2 ms, so at worst
 * two percent of the time go into it. In the build for tests five seconds, so that what they see does not depend on
 * how busy the machine is.
 */
#ifdef FT_MALLOC_PREFIXED
static const uint64_t cache_age = (uint64_t)50 * OS_TICKS_TENTH;
#else
static const uint64_t cache_age = OS_TICKS_TENTH / 8;
#endif

/* The registry's lock; `bytes` may also be read without, relaxed, by those who only want to know if it is worth it. */
static struct {
    _Atomic size_t bytes;
    size_t owed;
    /* Bytes in mappings of live chunks, and how many these were at most in this period and the one before. */
    size_t live, peak, peak_before;
    uint64_t period;
    struct large *oldest, *newest;
    struct large *lists[BUCKETS];
} cache;

static size_t cached(void)
{
    return atomic_load_explicit(&cache.bytes, memory_order_relaxed);
}

static void set_cached(size_t bytes)
{
    atomic_store_explicit(&cache.bytes, bytes, memory_order_relaxed);
}

static unsigned bucket_of(size_t size)
{
    unsigned log2 = 63 - (unsigned)__builtin_clzl(size);

    return (log2 - OS_PAGE_SHIFT) * 8 + (unsigned)(size >> (log2 - 3) & 7);
}

static void unlink_large(struct large *large)
{
    struct large **list = &cache.lists[bucket_of(large->mapped)];

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
    set_cached(cached() - large->mapped);
}

void cache_count_live(size_t more)
{
    cache.live += more;
    if (cache.live > cache.peak)
        cache.peak = cache.live;
}

static struct large *take(size_t size, size_t most, bool growing)
{
    struct large *best = NULL;

    if (most < size || size < OS_PAGE)
        return NULL;
    for (unsigned bucket = bucket_of(size); bucket <= bucket_of(most) && best == NULL; bucket++) {
        struct large *large = cache.lists[bucket];

        for (unsigned seen = 0; large != NULL && seen < LOOK; seen++, large = large->next)
            if (large->mapped >= size && large->mapped <= most &&
                (!growing || large->reserved > large->mapped) &&
                (best == NULL || large->mapped < best->mapped))
                best = large;
    }
    if (best != NULL) {
        unlink_large(best);
        cache_count_live(best->mapped);
    }
    return best;
}

struct large *cache_take(size_t size)
{
    /*
     * One twice as large will do, too: what is too much of it was touched before and waits here anyway, while a
     * new mapping has to be touched anew.
     */
    return take(size, size * 2, false);
}

struct large *cache_take_growing(size_t size)
{
    return cached() == 0 ? NULL : take(size, size * GROWN, true);
}

void cache_put(struct large *large, uint64_t now)
{
    struct large **list = &cache.lists[bucket_of(large->mapped)];

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
    set_cached(cached() + large->mapped);
}

void cache_owe(size_t bytes)
{
    cache.owed += bytes;
}

static void look_at_live(uint64_t now)
{
    if (now - cache.period <= cache_age)
        return;
    cache.peak_before = cache.peak;
    cache.peak = cache.live;
    cache.period = now;
}

/*
 * Live chunks and cache together may have what the live ones had lately, and half as much again: a program that frees
 * and allocates as much finds it all here, however much that is, and one that needs little keeps little.
 */
static size_t most_cached(void)
{
    size_t peak = cache.peak > cache.peak_before ? cache.peak : cache.peak_before;
    size_t most = peak - cache.live + peak / 2 + CACHE_BYTES_LEAST;

    return most < CACHE_BYTES ? most : CACHE_BYTES;
}

static bool due(const struct large *large, uint64_t now)
{
    if (cached() > most_cached() || now - large->freed_at > cache_age)
        return true;
    if (large->mapped > cache.owed)
        return false;
    cache.owed -= large->mapped;
    return true;
}

/* Returns the list with this one in front. */
static struct large *evict(struct large *large, struct large *list)
{
    unlink_large(large);
    registry_take_out(large);
    large->next = list;
    return large;
}

struct large *cache_evict(uint64_t now, bool all)
{
    struct large *evicted = NULL;
    struct large *large;
    unsigned count = 0;

    if (!all)
        look_at_live(now);
    /* The newest is never worth keeping if it is larger than any of these should be. */
    large = cache.newest;
    if (large != NULL && large->mapped > CACHE_CHUNK_BYTES)
        evicted = evict(large, evicted);
    while ((large = cache.oldest) != NULL && (all || (count++ < EVICT && due(large, now))))
        evicted = evict(large, evicted);
    if (large == NULL)
        cache.owed = 0;
    return evicted;
}

void cache_reset(void)
{
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
        cache.lists[bucket] = NULL;
    cache.oldest = cache.newest = NULL;
    cache.owed = 0;
    cache.live = cache.peak = cache.peak_before = 0;
    set_cached(0);
}

size_t large_cached_bytes(void)
{
    return cached();
}

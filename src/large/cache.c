/*
 * The cache of freed mappings keeps lists by size, and one list by age. It is bounded in bytes and
 * in time. The bound in bytes is learned: it begins low; each request that a mapping unmapped
 * lately would have served raises it; and mappings that no request took lower it. Mappings that the
 * kernel refuses to unmap (the process is at its limit of mappings) stay here beyond any bound
 * until they are taken again, so that none is lost.
 */
#include "large/registry.h"

#include "base/clock.h"
#include "os/os.h"

enum {
    CACHE_BYTES = 160 << 20,
    CACHE_BYTES_LEAST = 8 << 20,
    CACHE_CHUNK_BYTES = 32 << 20,
    /* How many bytes the cache may hold before it has learned anything. */
    LEARNED_LEAST = 2 << 20,
    /* How many of the mappings that were unmapped lately are remembered. */
    LOST = 64,
    /* Live chunks may hold this many bytes for growth, plus this part of all live bytes. */
    LENT_LEAST = 4 << 20,
    LENT_PART = 4,
    /* How many chunks of a list are looked at: those of the first list may be too small. */
    LOOK = 8,
    /*
     * How many mappings are evicted at a time, so that no single free() pays for many, and so that
     * those that the kernel refuses are not all tried again and again.
     */
    EVICT = 4,
    /* Bytes evicted at a time, without the last mapping. The kernel needs time for each byte. */
    EVICT_BYTES = 8 << 20,
};

/*
 * About a second: a mapping that no request took for so long is unmapped. In the build for tests it is
 * five seconds, so that what the tests see does not depend on how busy the machine is.
 */
#ifdef FT_MALLOC_PREFIXED
static const uint64_t cache_age = (uint64_t)50 * CLOCK_TENTH;
#else
static const uint64_t cache_age = (uint64_t)10 * CLOCK_TENTH;
#endif

/* A mapping that was unmapped because the cache was full. `mapped` is 0 in an unused entry. */
struct lost {
    size_t mapped;
    uint64_t at;
    bool grown;
};

/*
 * Under the registry's lock. `bytes` and `lost_grown` may also be read without it; relaxed, because
 * they only tell whether a look is worth it.
 */
static struct {
    _Atomic size_t bytes;
    size_t owed;
    /* What was learned, in addition to LEARNED_LEAST. */
    size_t learned;
    /* Requests that the cache served in this period. */
    size_t served;
    /*
     * The sum of `lent` of all live chunks: what they do not use of mappings that they took for
     * their growth.
     */
    size_t lent;
    struct lost lost[LOST];
    unsigned lost_next;
    _Atomic unsigned lost_grown;
    /* Bytes in mappings of live chunks, and their maximum in this period and in the one before. */
    size_t live, peak, peak_before;
    uint64_t period;
    struct large *oldest, *newest;
    struct large *lists[SIZE_BUCKETS];
} cache;

/* Clocks of different processors may differ a little: a time in the future is not old. */
static bool is_older(uint64_t then, uint64_t now, uint64_t age)
{
    return (int64_t)(now - then) > (int64_t)age;
}

static size_t cached_bytes(void)
{
    return atomic_load_explicit(&cache.bytes, memory_order_relaxed);
}

static void set_cached_bytes(size_t bytes)
{
    atomic_store_explicit(&cache.bytes, bytes, memory_order_relaxed);
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

void cache_count_live(size_t more)
{
    cache.live += more;
    if (cache.live > cache.peak)
        cache.peak = cache.live;
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
        cache.served++;
    }
    return best;
}

static unsigned lost_grown_count(void)
{
    return atomic_load_explicit(&cache.lost_grown, memory_order_relaxed);
}

static void set_lost(struct lost *lost, size_t mapped, uint64_t now, bool grown)
{
    unsigned count = lost_grown_count();

    count -= lost->mapped != 0 && lost->grown;
    count += mapped != 0 && grown;
    *lost = (struct lost){.mapped = mapped, .at = now, .grown = grown};
    atomic_store_explicit(&cache.lost_grown, count, memory_order_relaxed);
}

void cache_learn(size_t bytes)
{
    size_t most = CACHE_BYTES - cache.learned;

    cache.learned += bytes < most ? bytes : most;
}

static void unlearn(size_t bytes)
{
    cache.learned -= bytes < cache.learned ? bytes : cache.learned;
}

/*
 * Called when a request found nothing. If a mapping that was unmapped lately would have served it,
 * the cache should be able to hold so much more.
 */
static void learn_from_miss(size_t size, size_t most, bool growing, uint64_t now)
{
    for (struct lost *lost = cache.lost; lost < cache.lost + LOST; lost++)
        if (lost->mapped >= size && lost->mapped <= most && (lost->grown || !growing) &&
            lost->mapped != 0 && !is_older(lost->at, now, cache_age)) {
            cache_learn(lost->mapped);
            set_lost(lost, 0, 0, false);
            return;
        }
}

struct large *cache_take(size_t size, size_t align)
{
    /*
     * A mapping twice as large will do, too: what is too much of it was touched before and waits
     * here anyway, while a new mapping would have to be touched anew.
     */
    struct large *large = take_best(size, size * 2, align, false);

    if (large == NULL)
        learn_from_miss(size, size * 2, false, clock_now());
    return large;
}

bool cache_may_have_grown(void)
{
    return cached_bytes() != 0 || lost_grown_count() != 0;
}

/*
 * Takes no mapping that is much too large while live chunks already hold much room that they may
 * never grow into.
 */
struct large *cache_take_growing(size_t size)
{
    bool lends = cache.lent <= LENT_LEAST + cache.live / LENT_PART;
    size_t most = size * (lends ? GROWN : 2);
    struct large *large;

    if (!cache_may_have_grown())
        return NULL;
    large = take_best(size, most, 1, true);
    if (large != NULL)
        cache_lend(large, large->mapped - size);
    else
        learn_from_miss(size, most, true, clock_now());
    return large;
}

void cache_lend(struct large *large, size_t bytes)
{
    cache.lent += bytes - large->lent;
    large->lent = bytes;
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

/*
 * Ends a period that has lasted long enough, and returns true then. If the cache served no request
 * in it, what was learned is worth only half; after two periods without a look, nothing.
 */
static bool end_period(uint64_t now)
{
    if (!is_older(cache.period, now, cache_age))
        return false;
    if (is_older(cache.period, now, 2 * cache_age))
        cache.learned = 0;
    else if (cache.served == 0)
        cache.learned /= 2;
    cache.served = 0;
    cache.peak_before = cache.peak;
    cache.peak = cache.live;
    cache.period = now;
    return true;
}

/*
 * Returns the bound: what was learned, but together with the live chunks no more than 1.5 times
 * what was live lately, plus a small constant. A program that needs little keeps little.
 */
static size_t most_cached(void)
{
    size_t peak = cache.peak > cache.peak_before ? cache.peak : cache.peak_before;
    size_t most = peak - cache.live + peak / 2 + CACHE_BYTES_LEAST;
    size_t learned = LEARNED_LEAST + cache.learned;

    if (most > learned)
        most = learned;
    return most < CACHE_BYTES ? most : CACHE_BYTES;
}

static void note_lost(const struct large *large, uint64_t now)
{
    set_lost(&cache.lost[cache.lost_next++ % LOST], large->mapped, now,
             large->reserved > large->mapped);
}

static bool is_due(const struct large *large, uint64_t now)
{
    if (is_older(large->freed_at, now, cache_age)) {
        unlearn(large->mapped);
        return true;
    }
    if (cached_bytes() > most_cached()) {
        note_lost(large, now);
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

/*
 * The newest mapping is not worth keeping if everything older would have to be evicted for it, or
 * if it is larger than any cached mapping may be.
 */
static bool too_large(const struct large *large, uint64_t now)
{
    if (large->mapped > CACHE_CHUNK_BYTES)
        return true;
    if (large->mapped <= most_cached())
        return false;
    note_lost(large, now);
    return true;
}

static void forget_lost(void)
{
    for (unsigned n = 0; n < LOST; n++)
        set_lost(&cache.lost[n], 0, 0, false);
}

struct large *cache_evict(uint64_t now, bool all)
{
    struct large *evicted = NULL;
    struct large *large;
    bool period = !all && end_period(now);
    unsigned count = 0;
    size_t bytes = 0;

    evicted = stash_collect(all, period, EVICT, evicted);
    if (all)
        forget_lost();
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
    cache.owed = cache.learned = cache.served = cache.lent = 0;
    cache.live = cache.peak = cache.peak_before = 0;
    forget_lost();
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

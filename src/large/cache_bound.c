/*
 * What the bound is learned from. It begins low. Each request that a mapping unmapped lately would
 * have served raises it, and mappings that no request took lower it.
 */
#include "large/cache_bound.h"

#include "base/clock.h"

enum {
    CACHE_BYTES = 160 << 20,
    CACHE_BYTES_LEAST = 8 << 20,
    /*
     * Before it has learned anything, the cache may hold so many bytes, or this part of the live
     * bytes if that is more. With less, a program that replaces large buffers would pay for each of
     * them again until it has missed each size once. Bytes that were live earlier do not count, so
     * the cache keeps little when a program has freed everything.
     */
    LEARNED_LEAST = 2 << 20,
    LEARNED_PART = 4,
    /* How many times as many bytes as a request missed are learned: soon, no further one misses. */
    LEARN_TIMES = 8,
    /* How many of the mappings that were unmapped lately are remembered. */
    LOST = 64,
    /*
     * Live chunks may hold this part of all live bytes without using it, and if they grow, this
     * many bytes more.
     */
    LENT_LEAST = 4 << 20,
    LENT_PART = 4,
};

/*
 * About a second: a mapping that no request took for so long is unmapped. In the build for tests it
 * is five seconds, so that what the tests see does not depend on how busy the machine is.
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
 * Under the registry's lock. `lost_grown` may also be read without it; relaxed, because it only
 * tells whether a look is worth it.
 */
static struct {
    /* What was learned, in addition to what the cache may hold anyway. */
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
} bound;

/* Clocks of different processors may differ a little: a time in the future is not old. */
static bool is_older(uint64_t then, uint64_t now, uint64_t age)
{
    return (int64_t)(now - then) > (int64_t)age;
}

bool bound_is_too_old(uint64_t then, uint64_t now)
{
    return is_older(then, now, cache_age);
}

void cache_count_live(size_t more)
{
    bound.live += more;
    if (bound.live > bound.peak)
        bound.peak = bound.live;
}

void bound_served(void)
{
    bound.served++;
}

void cache_lend(struct large *large, size_t bytes)
{
    bound.lent += bytes - large->lent;
    large->lent = bytes;
}

size_t bound_lends(bool growing)
{
    size_t most = (growing ? LENT_LEAST : 0) + bound.live / LENT_PART;

    return bound.lent < most ? most - bound.lent : 0;
}

static unsigned lost_grown_count(void)
{
    return atomic_load_explicit(&bound.lost_grown, memory_order_relaxed);
}

bool bound_lost_grown(void)
{
    return lost_grown_count() != 0;
}

static void set_lost(struct lost *lost, size_t mapped, uint64_t now, bool grown)
{
    unsigned count = lost_grown_count();

    count -= lost->mapped != 0 && lost->grown;
    count += mapped != 0 && grown;
    *lost = (struct lost){.mapped = mapped, .at = now, .grown = grown};
    atomic_store_explicit(&bound.lost_grown, count, memory_order_relaxed);
}

void cache_learn(size_t bytes)
{
    size_t most = CACHE_BYTES - bound.learned;

    bound.learned += bytes < most ? bytes : most;
}

void bound_lower(size_t bytes)
{
    bound.learned -= bytes < bound.learned ? bytes : bound.learned;
}

void bound_miss(size_t size, size_t most, bool growing, uint64_t now)
{
    for (struct lost *lost = bound.lost; lost < bound.lost + LOST; lost++)
        if (lost->mapped >= size && lost->mapped <= most && (lost->grown || !growing) &&
            lost->mapped != 0 && !bound_is_too_old(lost->at, now)) {
            cache_learn(LEARN_TIMES * lost->mapped);
            set_lost(lost, 0, 0, false);
            return;
        }
}

void bound_note_lost(const struct large *large, uint64_t now)
{
    set_lost(&bound.lost[bound.lost_next++ % LOST], large->mapped, now,
             large->reserved > large->mapped);
}

void bound_forget_lost(void)
{
    for (unsigned n = 0; n < LOST; n++)
        set_lost(&bound.lost[n], 0, 0, false);
}

bool bound_end_period(uint64_t now)
{
    if (!bound_is_too_old(bound.period, now))
        return false;
    if (is_older(bound.period, now, 2 * cache_age))
        bound.learned = 0;
    else if (bound.served == 0)
        bound.learned /= 2;
    bound.served = 0;
    bound.peak_before = bound.peak;
    bound.peak = bound.live;
    bound.period = now;
    return true;
}

size_t bound_bytes(void)
{
    size_t peak = bound.peak > bound.peak_before ? bound.peak : bound.peak_before;
    size_t most = peak - bound.live + peak / 2 + CACHE_BYTES_LEAST;
    size_t part = bound.live / LEARNED_PART;
    size_t least = part > LEARNED_LEAST ? part : LEARNED_LEAST;

    if (most > least + bound.learned)
        most = least + bound.learned;
    return most < CACHE_BYTES ? most : CACHE_BYTES;
}

void bound_reset(void)
{
    bound.learned = bound.served = bound.lent = 0;
    bound.live = bound.peak = bound.peak_before = 0;
    bound_forget_lost();
}

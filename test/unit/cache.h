/*
 * Helpers of the tests of the cache of freed LARGE mappings.
 */
#ifndef FT_TEST_UNIT_CACHE_H
#define FT_TEST_UNIT_CACHE_H

#include "base/clock.h"
#include "unit/unit.h"

#include "large/large.h"
#include "large/registry.h"

static inline char *allocate(size_t size)
{
    bool clean;
    char *chunk = large_alloc(size, 1, &clean);

    assert_non_null(chunk);
    return chunk;
}

static inline void release(char *chunk)
{
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_FREED);
}

static inline bool cached(const char *chunk)
{
    struct large_info info;

    return large_find((uintptr_t)chunk, &info) && !info.live;
}

/* Pretends that requests have shown that so many bytes are worth keeping. */
static inline void learn(size_t bytes)
{
    registry_lock();
    /* Begins a period, so that this is not forgotten at once. The cache is empty. */
    assert_null(cache_evict(clock_now(), false));
    cache_learn(bytes);
    registry_unlock();
}

static inline int empty(void **state)
{
    (void)state;
    large_trim();
    learn(SIZE_MAX / 2);
    return large_cached_bytes() == 0 ? 0 : -1;
}

#endif

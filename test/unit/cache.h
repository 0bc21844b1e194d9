/*
 * What the tests of the cache of freed LARGE mappings share.
 */
#ifndef FT_TEST_UNIT_CACHE_H
#define FT_TEST_UNIT_CACHE_H

#include "unit/unit.h"

#include "large/large.h"

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

static inline int empty(void **state)
{
    (void)state;
    large_trim();
    return large_cached_bytes() == 0 ? 0 : -1;
}

#endif

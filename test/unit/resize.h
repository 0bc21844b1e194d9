/*
 * Helpers of the tests that resize LARGE chunks.
 */
#ifndef FT_TEST_UNIT_RESIZE_H
#define FT_TEST_UNIT_RESIZE_H

#include "unit/cache.h"
#include "unit/unit.h"

#include "large/large.h"
#include "large/registry.h"

#include <errno.h>
#include <sys/mman.h>

enum { MIB = 1 << 20 };

struct sizes {
    size_t requested, mapped, reserved;
};

static inline struct sizes descriptor(const char *chunk)
{
    struct large *large;
    struct sizes sizes;

    registry_lock();
    large = registry_find((uintptr_t)chunk);
    assert_non_null(large);
    sizes = (struct sizes){atomic_load(&large->requested) - 1, large->mapped, large->reserved};
    registry_unlock();
    return sizes;
}

static inline bool resize(char *chunk, size_t size)
{
    return large_resize((uintptr_t)chunk, size);
}

static inline void release_and_trim(char *chunk)
{
    release(chunk);
    large_trim();
}

static inline bool is_mapped(const char *address)
{
    unsigned char resident;

    return mincore((void *)(uintptr_t)address, 1, &resident) == 0 || errno != ENOMEM;
}

#endif

/*
 * Helpers of the tests of caches that wait for a thread.
 */
#ifndef FT_TEST_UNIT_POOL_H
#define FT_TEST_UNIT_POOL_H

#include "unit/unit.h"

#include "arena/pool.h"
#include "arena/thread.h"
#include "support/require.h"

#include <pthread.h>

static inline bool table_is_empty(const struct own_heaps *own)
{
    for (unsigned entry = 0; entry < OWN_HEAPS; entry++)
        if (own->of[entry] != (entry == 0 ? OWN_NONE : 0))
            return false;
    return true;
}

/*
 * What is in no thread's hands must keep no chunk from others, except for a few that the next
 * thread gets.
 */
static inline void require_few(const struct cache *cache)
{
    size_t bytes = 0;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        bytes += stack_count(&cache->stacks.of[size_class]) * size_classes[size_class].size;
    REQUIRE(bytes <= 64 << 10, "%zu bytes in stacks", bytes);
    for (unsigned place = 0; place < OUTGOING; place++)
        REQUIRE(cache->outgoing[place].parcel == NULL, "chunks that were not sent");
    REQUIRE(cache->parcels == NULL && cache->parcel_count == 0, "parcels");
    REQUIRE(table_is_empty(&cache->own_tiny) && table_is_empty(&cache->own_small), "own heaps");
}

static inline void run(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, body, argument) == 0, "no thread");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

#endif

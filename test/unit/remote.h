/*
 * Helpers of the tests of remote frees.
 */
#ifndef FT_TEST_UNIT_REMOTE_H
#define FT_TEST_UNIT_REMOTE_H

#include "unit/unit.h"

#include "arena/parcel.h"
#include "arena/remote.h"
#include "os/os.h"
#include "support/require.h"

/*
 * Returns an arena whose lock is held, as if its thread were in a slow call, so that nobody else
 * looks after its inbox.
 */
static inline struct arena *busy_arena(void)
{
    struct arena *arena = unit_arena();

    arena_lock(arena);
    return arena;
}

/* Frees a live chunk of another arena, as the thread of arena `self`. */
static inline void free_remotely(struct arena *self, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    REQUIRE(chunk.kind == STATE_LIVE, "%p is not live", pointer);
    remote_free(cache_first(self), &chunk);
}

/*
 * Takes all parcels that the depot and the cache have, and lets every further system call for
 * memory fail. The parcels are lost, so the caller is a child.
 */
static inline void use_up_parcels(struct cache *cache)
{
    os_fail_after(1, true);
    while (parcel_get(cache) != NULL)
        ;
}

#endif

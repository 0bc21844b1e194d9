/*
 * Helpers of the tests of visits: an arena with unused memory, whose threads seem to be idle.
 */
#ifndef FT_TEST_UNIT_VISIT_H
#define FT_TEST_UNIT_VISIT_H

#include "unit/remote.h"

#include "arena/visit.h"
#include "base/clock.h"

#include <stdlib.h>

enum { CHUNK = 30000, MANY = 128 };

/* Leaves slabs of the arena free and dirty, and returns how many bytes these are. */
static inline size_t leave_unused(struct arena *arena, unsigned count)
{
    void **chunks = calloc(count, sizeof chunks[0]);

    REQUIRE(chunks != NULL, "no memory");
    for (unsigned n = 0; n < count; n++)
        chunks[n] = unit_alloc(arena, CHUNK);
    for (unsigned n = 0; n < count; n++)
        unit_free(arena, chunks[n]);
    free(chunks);
    REQUIRE(unit_unused(arena) > (size_t)count * CHUNK / 2, "freed memory is given back at once");
    return unit_unused(arena);
}

/* Pretends that the arena's threads should have made a tick so long ago. */
static inline void idle_since(struct arena *arena, uint64_t time)
{
    atomic_store(&arena->bins.next_tick, clock_now() - time);
}

/* Pretends that they used the arena, too, since it was visited. */
static inline void used_before(struct arena *arena, uint64_t time)
{
    idle_since(arena, time);
    arena_stir(arena);
}

#endif

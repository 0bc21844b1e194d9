/*
 * A helper of the tests of remote frees.
 */
#ifndef FT_TEST_UNIT_REMOTE_H
#define FT_TEST_UNIT_REMOTE_H

#include "unit/unit.h"

#include "arena/remote.h"
#include "support/require.h"

/* Frees a live chunk of another arena, as the thread of arena `self`. */
static inline void free_remotely(struct arena *self, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    REQUIRE(chunk.kind == STATE_LIVE, "%p is not live", pointer);
    remote_free(self, &chunk);
}

#endif

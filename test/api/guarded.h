/*
 * What the tests of FT_MALLOC_GUARD share: how the mode begins, which chunks are guarded, and
 * contents by which a test knows its chunks.
 */
#ifndef FT_TEST_API_GUARDED_H
#define FT_TEST_API_GUARDED_H

#include "unit/unit.h"

#include "arena/thread.h"
#include "base/modes.h"
#include "bins/guard_pool.h"
#include "debug/guard.h"
#include "support/prefixed.h"
#include "support/require.h"

enum { SEED = 42 };

static inline void run(void (*body)(void *argument))
{
    assert_true(unit_child_succeeds(body, NULL));
}

/* Guards one in so many chunks. A test calls this before it allocates anything. */
static inline void begin(unsigned one_in)
{
    thread_runtime_init(NULL);
    REQUIRE(guard_begin(one_in, SEED), "no memory for the pool");
    atomic_store(&modes_on, MODE_GUARD);
}

static inline bool guarded(const void *pointer)
{
    return guard_slot_around(guard_pool_now(), (uintptr_t)pointer) != NULL;
}

static inline void fill(char *chunk, size_t size, unsigned value)
{
    for (size_t n = 0; n < size; n++)
        chunk[n] = (char)(value + n);
}

static inline bool filled(const char *chunk, size_t size, unsigned value)
{
    for (size_t n = 0; n < size; n++)
        if (chunk[n] != (char)(value + n))
            return false;
    return true;
}

static inline int count_guarded(const struct ft_malloc_chunk *chunk, void *count)
{
    *(unsigned *)count += guarded(chunk->pointer);
    return 0;
}

#endif

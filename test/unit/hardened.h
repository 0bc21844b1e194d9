/*
 * Helpers of the tests of hardened arenas: functions that run in a child with the option on,
 * because it cannot be taken back; and chunks that are allocated and freed.
 */
#ifndef FT_TEST_UNIT_HARDENED_H
#define FT_TEST_UNIT_HARDENED_H

#include "unit/unit.h"

#include "api/hardened.h"
#include "arena/remote.h"
#include "base/canary.h"
#include "base/options.h"
#include "support/require.h"

static inline void run(void (*body)(void *argument))
{
    options.harden = true;
    bool succeeded = unit_child_succeeds(body, NULL);
    options.harden = false;
    assert_true(succeeded);
}

static inline char *take(struct arena *arena, size_t size)
{
    char *chunk = hardened_take(cache_first(arena), hardened_class(size), size);

    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    return chunk;
}

static inline void give(struct arena *arena, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    REQUIRE(chunk.kind == STATE_LIVE, "%p is not live", pointer);
    hardened_give(cache_first(arena), &chunk, "free()");
}

/* Frees a live chunk of another arena. */
static inline void give_abroad(struct arena *arena, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    hardened_check(&chunk, "free()");
    canary_wipe(chunk.start, chunk.requested, chunk.usable);
    remote_free(cache_first(arena), &chunk);
}

static inline bool in_stack(const struct stack *stack, const void *chunk)
{
    for (void **slot = stack->slots; slot < stack->top; slot++)
        if (*slot == chunk)
            return true;
    return false;
}

#endif

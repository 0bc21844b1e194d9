/*
 * What the tests of the history share: how it begins, and calls that are noted in it.
 */
#ifndef FT_TEST_UNIT_NOTED_H
#define FT_TEST_UNIT_NOTED_H

#include "unit/unit.h"

#include "debug/history.h"
#include "support/require.h"

enum { DEPTH = 4 };

static inline void run(void (*body)(void *argument))
{
    assert_true(unit_child_succeeds(body, NULL));
}

static inline void note(enum event_kind kind, uintptr_t pointer, uintptr_t old, size_t size)
{
    const struct event event = {.kind = kind,
                                .pointer = pointer_to(pointer),
                                .old = pointer_to(old),
                                .size = size,
                                .frame = __builtin_frame_address(0),
                                .time = 1000 + size};

    history_note(&event);
}

static inline void begin(uint64_t calls, uint64_t depth)
{
    REQUIRE(history_begin(calls, depth), "refused");
}

#endif

/*
 * Helpers of the tests of heaps that are committed in steps.
 */
#ifndef FT_TEST_UNIT_STEPS_H
#define FT_TEST_UNIT_STEPS_H

#include "unit/space.h"

#include "bins/heap_steps.h"

static inline uintptr_t unit_start(const struct heap *heap, unsigned unit)
{
    return heap->base + (uintptr_t)unit * UNIT_SIZE;
}

/* The memory is one piece from the base on, and so is what is reserved behind it. */
static inline void check_memory(const struct heap *heap)
{
    uintptr_t end = heap->base + heap_committed(heap);

    REQUIRE((end - heap->base) % os_page_size() == 0, "a part of a page");
    REQUIRE(unit_protected_so(heap->base, end, "rw-p"), "the memory has holes");
    REQUIRE(end == end_of(heap) || unit_protected_so(end, end_of(heap), "---p"),
            "what nobody has used can be written to");
}

static inline unsigned committed_units(const struct heap *heap)
{
    return (unsigned)(heap_committed(heap) / UNIT_SIZE);
}

#endif

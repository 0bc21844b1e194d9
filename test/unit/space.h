/*
 * Helpers of the tests of where heaps are mapped.
 */
#ifndef FT_TEST_UNIT_SPACE_H
#define FT_TEST_UNIT_SPACE_H

#include "unit/unit.h"

#include "base/bits.h"
#include "bins/space.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/require.h"

#include <string.h>

static inline uintptr_t end_of(const struct heap *heap)
{
    return heap->base + (uintptr_t)heap_units(heap) * UNIT_SIZE;
}

/* All of the heap can be used, except the guards inside a hardened one. */
static inline void check_inside(const struct heap *heap)
{
    uintptr_t first = heap->base + (uintptr_t)heap_first_unit(heap) * UNIT_SIZE;

    REQUIRE(unit_protected_so(heap->base, first, "rw-p"), "a header with holes");
    for (unsigned unit = heap_first_unit(heap), guard; unit < heap_units(heap); unit = guard + 1) {
        guard = bit_next(heap->guards, unit, heap_units(heap), 0);
        REQUIRE(unit_protected_so(heap->base + (uintptr_t)unit * UNIT_SIZE,
                                  heap->base + (uintptr_t)guard * UNIT_SIZE, "rw-p"),
                "a heap with holes");
        REQUIRE(heap->guard_units == 0 || guard - unit < ((size_t)1 << 20) / UNIT_SIZE,
                "a MiB without a guard");
        if (guard < heap_units(heap))
            REQUIRE(unit_protected_so(heap->base + (uintptr_t)guard * UNIT_SIZE,
                                      heap->base + (uintptr_t)(guard + 1) * UNIT_SIZE, "---p"),
                    "no guard inside");
    }
}

static inline void check_guards(const struct heap_set *set)
{
    const size_t page = os_page_size();

    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        /* One of the heaps that have guards inside is enough, because each check is slow. */
        if (heap->guard_units == 0 || heap == set->heaps)
            check_inside(heap);
        REQUIRE(unit_protected_so(heap->base - page, heap->base, "---p"), "no guard below a heap");
        REQUIRE(unit_protected_so(end_of(heap), heap->base + heap->size - page, "---p"),
                "no guard behind a heap");
        REQUIRE(end_of(heap) + page <= heap->base + heap->size, "the guard is less than a page");
    }
}

/* The rest of the first mapping is under no limit and costs a single call. */
static inline void use_up_first_mapping(void)
{
    size_t committed = 0;

    while (space_first_heap(TINY_HEAP_SIZE, &committed) != 0 ||
           space_first_heap(SMALL_HEAP_SIZE, &committed) != 0)
        ;
}

#endif

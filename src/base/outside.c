/*
 * The range of chunks outside of the heaps.
 */
#include "base/outside.h"
#include "os/os.h"

OS_TOUCHED struct outside outside;

static void raise_to(_Atomic uintptr_t *bound, uintptr_t value)
{
    uintptr_t seen = atomic_load_explicit(bound, memory_order_relaxed); /* see struct outside */

    while (seen < value && !atomic_compare_exchange_weak_explicit(
                               bound, &seen, value, memory_order_relaxed, memory_order_relaxed))
        ;
}

void outside_add(uintptr_t start, size_t size)
{
    raise_to(&outside.low_complement, ~start);
    raise_to(&outside.high, start + size);
    outside_change();
}

/*
 * Chooses where the guards of a heap are.
 */
#include "bins/heap_guards.h"

#include "base/bits.h"
#include "base/secret.h"
#include "bins/heap_steps.h"

static_assert((2 * GUARD_BLOCK - GUARD_PLACES) * UNIT_SIZE < 1 << 20,
              "guards are less than a MiB apart");
static_assert(GUARD_BLOCK - GUARD_PLACES >= SLAB_UNITS_MAX,
              "the longest slab has room between two of them");
static_assert(GUARD_PLACES % SLAB_UNITS_MAX == 0,
              "and there it begins at a multiple of its own size");
static_assert((int)TINY_COMMITTED <= GUARD_BLOCK + GUARD_PLACES &&
                  (int)SMALL_COMMITTED <= GUARD_BLOCK + GUARD_PLACES,
              "the part that every heap has from the beginning ends before the first guard");

/* Written by any thread; relaxed, because it is a sum that orders nothing. */
static _Atomic unsigned guards_made;

/*
 * Counts as many guards as a heap may have, before they are made. Returns false if there would be
 * too many.
 */
static bool count_guards(unsigned guards)
{
    unsigned made =
        atomic_fetch_add_explicit(&guards_made, guards, memory_order_relaxed); /* relaxed: a sum */

    if (made + guards <= GUARDS_MAX)
        return true;
    atomic_fetch_sub_explicit(&guards_made, guards, memory_order_relaxed); /* relaxed: a sum */
    return false;
}

static void place_guards(struct heap *heap)
{
    uint64_t random = secret_word ^ heap->base;
    unsigned first = heap_first_unit(heap), units = heap_units(heap);

    /*
     * A block begins at a multiple of its size, so that the largest aligned slab has room in it, in
     * front of the guard.
     */
    for (unsigned block = (unsigned)round_up(first, GUARD_BLOCK); block + GUARD_PLACES < units;
         block += GUARD_BLOCK) {
        unsigned unit = block + GUARD_PLACES + (unsigned)(secret_random(&random) % GUARD_PLACES);

        if (unit < units) {
            bits_set(heap->guards, unit, 1);
            heap->guard_units++;
        }
    }
}

void heap_guard(struct heap *heap)
{
    unsigned first = heap_first_unit(heap), units = heap_units(heap);
    unsigned most = (units - first) / GUARD_BLOCK + 1;

    if (count_guards(most)) {
        place_guards(heap);
        atomic_fetch_sub_explicit(&guards_made, most - heap->guard_units,
                                  memory_order_relaxed); /* relaxed: a sum */
    }
    for (unsigned word = 0; word < UNIT_WORDS; word++)
        heap->reserved[word] &= ~heap->guards[word];
}

void heap_unguard(unsigned guards)
{
    atomic_fetch_sub_explicit(&guards_made, guards, memory_order_relaxed); /* relaxed: a sum */
}

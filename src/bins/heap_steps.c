/*
 * Commits the memory of heaps, and keeps the account of their mappings.
 */
#include "bins/heap_steps.h"

#include "bins/heap_guards.h"
#include "bins/heap_pages.h"
#include "os/os.h"

enum {
    /* Each step is as large as all before it together, within these bounds: 256 KiB and 2 MiB. */
    STEP_LEAST = 16,
    STEP_MOST = 128,
    LARGEST_PAGE = 64 << 10,
};

static_assert(TINY_COMMITTED % (LARGEST_PAGE / UNIT_SIZE) == 0 &&
                  SMALL_COMMITTED % (LARGEST_PAGE / UNIT_SIZE) == 0,
              "whole pages");
static_assert(SMALL_COMMITTED >=
                  (SMALL_FIRST_UNIT + SLAB_UNITS_MAX - 1) / SLAB_UNITS_MAX * SLAB_UNITS_MAX +
                      SLAB_UNITS_MAX,
              "room for the longest slab, at a multiple of its size");

size_t heap_first_part(const struct heap_set *set)
{
    /* Relaxed: only the owner, who asks, adds and removes heaps. */
    bool first = atomic_load_explicit(&set->heaps, memory_order_relaxed) == NULL;

    if (!first && !heap_has_guards())
        return set->small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE;
    return (size_t)(set->small ? SMALL_COMMITTED : TINY_COMMITTED) * UNIT_SIZE;
}

void heap_reserve_behind(struct heap *heap, size_t committed)
{
    unsigned end = (unsigned)(committed / UNIT_SIZE);

    bits_set(heap->reserved, end, heap_units(heap) - end);
}

size_t heap_committed(const struct heap *heap)
{
    unsigned end = heap_units(heap);

    while (bit_get(heap->reserved, end - 1) || bit_get(heap->guards, end - 1))
        end--;
    return (size_t)end * UNIT_SIZE;
}

unsigned heap_mappings(const struct heap *heap)
{
    return HEAP_MAPPINGS + heap_pages_mappings(heap);
}

/*
 * If the kernel refused memory before, it may do so again, and each refused step would be lost. So
 * it is asked for other memory first.
 */
static bool may_be_granted(size_t size)
{
    return os_memory_limit() == SIZE_MAX || os_has_room(size);
}

static bool commit(struct heap *heap, unsigned first, unsigned units)
{
    void *start = pointer_to(heap->base + (uintptr_t)first * UNIT_SIZE);
    size_t size = (size_t)units * UNIT_SIZE;
    bool granted;

    if (unlikely(!may_be_granted(size)))
        return false;
    granted = os_renew(start, size);
    /*
     * Only now, because a fork may come between: the child then commits units again that nobody
     * uses yet.
     */
    bits_clear(heap->reserved, first, units);
    if (granted)
        return heap_pages_account(heap, first * UNIT_PAGES, units * UNIT_PAGES, true);
    heap_lose(heap, first, units);
    return false;
}

/*
 * Returns the end of a step that begins at `at` and reaches `end` at least, if no unit that is not
 * reserved is between.
 */
static unsigned step_end(const struct heap *heap, unsigned at, unsigned end)
{
    unsigned page_units = os_page_size() > UNIT_SIZE ? (unsigned)(os_page_size() / UNIT_SIZE) : 1;
    unsigned step = at - heap_first_unit(heap);
    unsigned stop;

    step = step < STEP_LEAST || heap_has_guards() ? STEP_LEAST
           : step < STEP_MOST                     ? step
                                                  : STEP_MOST;
    stop = (unsigned)round_up(end - at > step ? end : at + step, page_units);
    if (stop > heap_units(heap))
        stop = heap_units(heap);
    return bit_next(heap->reserved, at, stop, ~UINT64_C(0));
}

bool heap_commit_reserved(struct heap *heap, unsigned first, unsigned units)
{
    /*
     * Begin where the memory ends, so that no gap divides the mapping. Guards divide it anyway, and
     * then what is in front of the run stays reserved.
     */
    unsigned from = heap_has_guards() ? first : heap_first_unit(heap), end = first + units;

    for (unsigned at = bit_next(heap->reserved, from, end, 0); at < end;) {
        unsigned stop = step_end(heap, at, end);

        if (!commit(heap, at, stop - at))
            return false;
        at = stop < end ? bit_next(heap->reserved, stop, end, 0) : end;
    }
    return true;
}

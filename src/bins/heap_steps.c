/*
 * Commits the memory of heaps, and keeps the account of their mappings.
 */
#include "bins/heap_steps.h"

#include "base/mappings.h"
#include "bins/heap_guards.h"
#include "bins/heap_pages.h"
#include "os/os.h"

enum {
    /* Each step is as large as all before it together, within these bounds: 128 KiB and 2 MiB. */
    STEP_LEAST = 8,
    STEP_MOST = 128,
    STEP_HARDENED = 16,
    LARGEST_PAGE = 64 << 10,
    /* The tag of the process's first arena. */
    FIRST_TAG = 1,
    /* How many bytes of states are memory at first, and where the states end, in both zones. */
    TINY_STATES = 64 << 10,
    SMALL_STATES = 16 << 10,
    STATES_END = 256 << 10,
    /* What it costs that a part of the states is not memory. */
    STATES_MAPPINGS = 2,
};

static_assert(TINY_COMMITTED % (LARGEST_PAGE / UNIT_SIZE) == 0 &&
                  SMALL_COMMITTED % (LARGEST_PAGE / UNIT_SIZE) == 0 &&
                  TINY_LATER % (LARGEST_PAGE / UNIT_SIZE) == 0 &&
                  SMALL_LATER % (LARGEST_PAGE / UNIT_SIZE) == 0,
              "whole pages");
static_assert(SMALL_COMMITTED >=
                  (SMALL_FIRST_UNIT + SLAB_UNITS_MAX - 1) / SLAB_UNITS_MAX * SLAB_UNITS_MAX +
                      SLAB_UNITS_MAX,
              "room for the longest slab, at a multiple of its size");

static bool is_first_arena(const struct heap_set *set)
{
    return (set->tag & ~TAG_SMALL) == FIRST_TAG;
}

size_t heap_first_part(const struct heap_set *set)
{
    /* Relaxed: only the owner, who asks, adds and removes heaps. */
    bool first = atomic_load_explicit(&set->heaps, memory_order_relaxed) == NULL;

    if (!first && !heap_has_guards())
        return set->small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE;
    if (!is_first_arena(set))
        return (size_t)(set->small ? SMALL_LATER : TINY_LATER) * UNIT_SIZE;
    return (size_t)(set->small ? SMALL_COMMITTED : TINY_COMMITTED) * UNIT_SIZE;
}

/*
 * Where the states end that wait for their units. A LARGE chunk may lie on the last page of the
 * heap's aligned range, which is behind the heap, and a thread that owns the heap reads the state
 * of any address in that range. So that state is memory from the beginning: what the kernel fails
 * to renew may be a hole.
 */
static size_t waiting_states_end(void)
{
    return STATES_END - os_page_size();
}

/* How many bytes of states a unit has. */
static size_t states_of_unit(const struct heap *heap)
{
    return heap->set->small ? UNIT_SIZE / SMALL_GRANULE * sizeof(uint32_t)
                            : UNIT_SIZE / CHUNK_ALIGN;
}

static bool has_all_states(const struct heap *heap)
{
    return heap->state_units >= heap_units(heap);
}

/*
 * Makes units lost for good, because their states may be a hole. A report of a wrong pointer reads
 * states, too, so the hole is filled if that is possible.
 */
static void lose_behind(struct heap *heap, unsigned units)
{
    unsigned end = heap_units(heap);
    size_t first = units * states_of_unit(heap);

    os_fill_hole(pointer_to(heap->base + first), waiting_states_end() - first);
    for (unsigned at = bit_next(heap->vacant, units, end, 0); at < end;) {
        unsigned stop = bit_next(heap->vacant, at, end, ~UINT64_C(0));

        bits_clear(heap->reserved, at, stop - at);
        heap_lose(heap, at, stop - at);
        at = bit_next(heap->vacant, stop, end, 0);
    }
}

void heap_reserve_behind(struct heap *heap, size_t committed)
{
    unsigned end = (unsigned)(committed / UNIT_SIZE);
    size_t states = round_up(heap->set->small ? SMALL_STATES : TINY_STATES, os_page_size());
    bool whole = end == heap_units(heap) || is_first_arena(heap->set) || heap_has_guards();

    bits_set(heap->reserved, end, heap_units(heap) - end);
    heap->state_units = whole ? heap_units(heap) : (unsigned)(states / states_of_unit(heap));
}

void heap_reserve_states(struct heap *heap)
{
    size_t first = heap->state_units * states_of_unit(heap);

    if (has_all_states(heap))
        return;
    if (os_make_readable(pointer_to(heap->base + first), waiting_states_end() - first))
        mappings_add(STATES_MAPPINGS);
    else
        lose_behind(heap, heap->state_units);
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
    return HEAP_MAPPINGS + (has_all_states(heap) ? 0 : STATES_MAPPINGS) + heap_pages_mappings(heap);
}

/*
 * If the kernel refused memory before, it may do so again, and each refused step would be lost. So
 * it is asked for other memory first.
 */
static bool may_be_granted(size_t size)
{
    return os_memory_limit() == SIZE_MAX || os_has_room(size);
}

static bool commit_states(struct heap *heap)
{
    size_t first = heap->state_units * states_of_unit(heap), size = waiting_states_end() - first;

    if (unlikely(!may_be_granted(size)))
        return false;
    if (!os_renew(pointer_to(heap->base + first), size)) {
        lose_behind(heap, heap->state_units);
        return false;
    }
    /* Only now: see commit(). */
    heap->state_units = heap_units(heap);
    mappings_give(STATES_MAPPINGS);
    return heap_pages_account(heap, (unsigned)(first / OS_PAGE), (unsigned)(size / OS_PAGE), true);
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

    step = heap_has_guards()   ? STEP_HARDENED
           : step < STEP_LEAST ? STEP_LEAST
           : step < STEP_MOST  ? step
                               : STEP_MOST;
    stop = (unsigned)round_up(end - at > step ? end : at + step, page_units);
    if (stop > heap_units(heap))
        stop = heap_units(heap);
    if (stop > heap->state_units && end <= heap->state_units)
        stop = heap->state_units;
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

        if (stop > heap->state_units && !commit_states(heap))
            return false;
        if (!commit(heap, at, stop - at))
            return false;
        at = stop < end ? bit_next(heap->reserved, stop, end, 0) : end;
    }
    return true;
}

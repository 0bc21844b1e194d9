/*
 * Gives back states that describe no chunk. Those of freed chunks tell a double free from a wrong
 * pointer, so they stay until memory is given back thoroughly: by malloc_trim(), or by a visitor of
 * an arena at rest.
 *
 * The last page of a heap's states never goes back. A LARGE chunk may lie on the last page of the
 * heap's aligned range, its state is read there, and a failed call would leave a hole: see
 * heap_steps.c. No check is needed for that: a guard takes the last units that this page describes,
 * so these are never all vacant.
 */
#include "bins/heap_states.h"

#include "base/bits.h"
#include "base/mappings.h"
#include "base/structure_lock.h"
#include "bins/heap_lists.h"
#include "bins/heap_purge.h"
#include "bins/heap_walk.h"
#include "os/os.h"

enum { STATES_PIECES = 64 };

static_assert(TINY_UNITS >> TINY_STATES_SHIFT == STATES_PIECES &&
                  SMALL_UNITS >> SMALL_STATES_SHIFT == STATES_PIECES,
              "a word has a bit for each piece of states");

/* Returns which pieces of states describe only guards, and vacant units without memory. */
static uint64_t idle_pieces(const struct heap *heap)
{
    unsigned units = 1U << heap_states_shift(heap);
    uint64_t idle[UNIT_WORDS], pieces = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        idle[word] = (heap->vacant[word] & ~heap->dirty[word]) | heap->guards[word];
    for (unsigned piece = 0; piece < STATES_PIECES; piece++) {
        unsigned first = piece * units;

        if (bit_next(idle, first, first + units, ~UINT64_C(0)) == first + units)
            pieces |= UINT64_C(1) << piece;
    }
    return pieces;
}

/* Returns the pieces that can go back: the kernel's page may have several, and all must be idle. */
static uint64_t due_pieces(const struct heap *heap)
{
    unsigned group = (unsigned)(os_page_size() / OS_PAGE);

    return bits_whole(idle_pieces(heap), group) & ~bits_whole(~heap->states_written, group);
}

/*
 * Fills what may be a hole now, because a report of a wrong pointer reads states. The units are
 * never used again.
 */
static void lose_states(struct heap *heap, unsigned first, unsigned pieces)
{
    unsigned shift = heap_states_shift(heap);

    os_fill_hole(pointer_to(heap->base + (uintptr_t)first * OS_PAGE), (size_t)pieces * OS_PAGE);
    for (unsigned unit = first << shift; unit < (first + pieces) << shift; unit++)
        if (bit_get(heap->vacant, unit))
            heap_lose(heap, unit, 1);
}

/* No walker is in the heap. */
static size_t purge_pieces(struct heap *heap, uint64_t due, unsigned *allowance)
{
    size_t bytes = 0;
    unsigned first = bit_next(&due, 0, STATES_PIECES, 0);

    while (*allowance > 0 && first < STATES_PIECES) {
        unsigned stop = bit_next(&due, first, STATES_PIECES, ~UINT64_C(0));

        if (os_renew(pointer_to(heap->base + (uintptr_t)first * OS_PAGE),
                     (size_t)(stop - first) * OS_PAGE))
            bytes += (size_t)(stop - first) * OS_PAGE;
        else
            lose_states(heap, first, stop - first);
        bits_clear(&heap->states_written, first, stop - first);
        *allowance = allowance_less(*allowance, HEAP_PURGE_LEAST);
        first = bit_next(&due, stop, STATES_PIECES, 0);
    }
    return bytes;
}

size_t heap_states_purge(struct heap *heap, unsigned *allowance)
{
    uint64_t due;
    size_t bytes = 0;

    /* In a heap that is older than the process, mappings would have to be counted. */
    if (heap->states_written == 0 || heap->generation != mappings_generation() ||
        awaits_repair(heap))
        return 0;
    due = due_pieces(heap);
    if (due == 0)
        return 0;
    /*
     * A walker may read states of a slab that was given up meanwhile, and must not find a hole. The
     * lock keeps others from coming.
     */
    structure_lock_write();
    if (!heap_pinned(heap))
        bytes = purge_pieces(heap, due, allowance);
    structure_unlock();
    return bytes;
}

/*
 * Gives the memory of free units back to the kernel, run by run.
 */
#include "bins/heap_purge.h"

#include "bins/heap_pages.h"
#include "os/os.h"

/*
 * To make way for fresh memory, shorter runs are given back, too: whoever takes fresh memory pays
 * for page faults anyway.
 */
enum { WAY_LEAST = 4 };

/* Purges a free run. If the kernel fails to renew it, it may be a hole and is never used again. */
static size_t purge_run(struct heap *heap, unsigned first, unsigned units)
{
    void *start = pointer_to(heap->base + (uintptr_t)first * UNIT_SIZE);
    unsigned kept = bits_count(heap->dirty, first, units);

    bits_clear(heap->aged, first, units);
    if (!heap_pages_account(heap, first * UNIT_PAGES, units * UNIT_PAGES, false))
        return 0;
    if (!os_renew(start, (size_t)units * UNIT_SIZE)) {
        heap_lose(heap, first, units);
        return 0;
    }
    bits_clear(heap->dirty, first, units);
    kept_change(&heap->set->kept, -kept, 0);
    return (size_t)units * UNIT_SIZE;
}

static unsigned page_units(void)
{
    return os_page_size() > UNIT_SIZE ? (unsigned)(os_page_size() / UNIT_SIZE) : 1;
}

/* Returns how many of so many units are on whole pages of the kernel, from the first one on. */
static unsigned whole_pages(unsigned units)
{
    return units / page_units() * page_units();
}

/*
 * Returns which units of a word of the maps can be purged. The kernel renews whole pages, and a
 * page may hold several units: so all units of the page must be free, at least one must be dirty,
 * and with `aged_only` each dirty one must have been free for a tick.
 */
static uint64_t due_units(const struct heap *heap, unsigned word, bool aged_only)
{
    uint64_t unwritten = ~heap->dirty[word];
    uint64_t may_go =
        heap->vacant[word] & (aged_only ? heap->aged[word] | unwritten : ~UINT64_C(0));

    return bits_whole(may_go, page_units()) & ~bits_whole(unwritten, page_units());
}

/*
 * Returns how many units of a due run may be purged now. It never leaves a rest that would be too
 * short to be purged.
 */
static unsigned piece_of(unsigned run, unsigned least, unsigned allowance)
{
    unsigned piece = whole_pages(allowance);

    if (allowance < HEAP_PURGE_LEAST)
        return 0;
    return run <= allowance || run - piece < least ? run : piece;
}

size_t heap_purge(struct heap *heap, bool aged_only, unsigned least, unsigned *allowance)
{
    uint64_t due[UNIT_WORDS];
    unsigned end = heap_units(heap);
    size_t bytes = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        due[word] = due_units(heap, word, aged_only);
    for (unsigned first = bit_next(due, 0, end, 0); first < end;) {
        unsigned stop = bit_next(due, first, end, ~UINT64_C(0));

        if (stop - first >= least) {
            unsigned piece = piece_of(stop - first, least, *allowance);

            if (piece > 0)
                bytes += purge_run(heap, first, piece);
            *allowance = piece < stop - first
                             ? 0
                             : allowance_less(*allowance,
                                              piece > HEAP_PURGE_LEAST ? piece : HEAP_PURGE_LEAST);
            if (*allowance == 0)
                return bytes;
        }
        first = bit_next(due, stop, end, 0);
    }
    return bytes;
}

/*
 * Returns the length of the run of set bits at `first`, or 0 if it is too short to be given back.
 */
static unsigned way_run(const uint64_t *due, unsigned first, unsigned end)
{
    unsigned run = bit_next(due, first, end, ~UINT64_C(0)) - first;

    return run >= WAY_LEAST ? run : 0;
}

static unsigned make_way(struct heap *heap, unsigned first, unsigned units)
{
    unsigned given = (unsigned)(purge_run(heap, first, units) / UNIT_SIZE);

    if (given > 0)
        bits_set(heap->made_way, first, units);
    return given;
}

/* Purges up to `most` kept units, or a few more. Of too many it leaves the lowest ones. */
static unsigned purge_highest(struct heap *heap, unsigned most)
{
    uint64_t due[UNIT_WORDS];
    unsigned end = heap_units(heap), left = 0, given = 0, first;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        due[word] = due_units(heap, word, false);
    for (first = 0; (first = bit_next(due, first, end, 0)) < end;
         first = bit_next(due, first, end, ~UINT64_C(0)))
        left += way_run(due, first, end);
    left = whole_pages(allowance_less(left, most));
    for (first = 0; (first = bit_next(due, first, end, 0)) < end;
         first = bit_next(due, first, end, ~UINT64_C(0))) {
        unsigned run = way_run(due, first, end);

        if (run > left) {
            given += make_way(heap, first + left, run - left);
            left = 0;
        } else {
            left -= run;
        }
    }
    return given;
}

unsigned heap_set_make_way(struct heap_set *set, unsigned units)
{
    unsigned given = 0;

    for (struct heap *heap = set->open; heap != NULL && given < units; heap = heap->next_open)
        given += purge_highest(heap, units - given);
    return given;
}

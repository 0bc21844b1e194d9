/*
 * Counts the mappings that renewed pages cost, and the pages that were given back and wanted again.
 */
#include "bins/heap_pages.h"

#include "base/bits.h"
#include "base/mappings.h"
#include "bins/slab_pages.h"

/* The kernel cuts the mapping around a renewed run in two, and the run is one more. */
enum { MAPPINGS_PER_RUN = 2 };

/* Written by any thread; relaxed, because they are figures that order nothing. */
static _Atomic uint64_t given_count, call_count, wanted_count;

struct slab_pages_counts slab_pages_counted(void)
{
    return (struct slab_pages_counts){
        .given = atomic_load_explicit(&given_count, memory_order_relaxed),
        .calls = atomic_load_explicit(&call_count, memory_order_relaxed),
        .wanted = atomic_load_explicit(&wanted_count, memory_order_relaxed),
    };
}

void heap_pages_count_given(struct heap_set *set, unsigned pages)
{
    set->pages.given += pages;
    atomic_fetch_add_explicit(&given_count, pages, memory_order_relaxed); /* relaxed: a figure */
    atomic_fetch_add_explicit(&call_count, 1, memory_order_relaxed);      /* relaxed: a figure */
}

void heap_pages_count_wanted(struct heap_set *set, unsigned pages)
{
    if (pages == 0)
        return;
    set->pages.wanted += pages;
    atomic_fetch_add_explicit(&wanted_count, pages, memory_order_relaxed); /* relaxed: a figure */
}

/* Returns how many runs of set bits there are from `first` to before `end`. */
static unsigned count_runs(const uint64_t *map, unsigned first, unsigned end)
{
    unsigned runs = 0;

    for (unsigned bit = bit_next(map, first, end, 0); bit < end; bit = bit_next(map, bit, end, 0)) {
        runs++;
        bit = bit_next(map, bit, end, ~UINT64_C(0));
    }
    return runs;
}

bool heap_pages_account(struct heap *heap, unsigned first, unsigned pages, bool needed)
{
    uint64_t *renewed = heap_page_map(heap, PAGES_RENEWED);
    unsigned end = heap_page_words(heap) * 64, joined;

    if (heap->generation == mappings_generation())
        return true;
    /* The new run joins all that it overlaps or touches, and may fill the gap between two. */
    joined = count_runs(renewed, first > 0 ? first - 1 : 0,
                        first + pages < end ? first + pages + 1 : end);
    if (joined == 0 && needed)
        mappings_add(MAPPINGS_PER_RUN);
    else if (joined == 0 && !mappings_take(MAPPINGS_PER_RUN))
        return false;
    if (joined > 1)
        mappings_give(MAPPINGS_PER_RUN * (joined - 1));
    bits_set(renewed, first, pages);
    return true;
}

unsigned heap_pages_mappings(const struct heap *heap)
{
    return heap->generation == mappings_generation()
               ? 0
               : MAPPINGS_PER_RUN *
                     count_runs(heap_page_map(heap, PAGES_RENEWED), 0, heap_page_words(heap) * 64);
}

void heap_pages_claimed(struct heap *heap, unsigned first, unsigned units)
{
    uint64_t *given = heap_page_map(heap, PAGES_GIVEN), *aged = heap_page_map(heap, PAGES_AGED);
    unsigned page = first * UNIT_PAGES, end = (first + units) * UNIT_PAGES, wanted = 0, next;

    for (; page < end; page = next) {
        unsigned word = page / 64;
        uint64_t mask = ~UINT64_C(0) << (page % 64);

        next = (word + 1) * 64;
        if (next > end)
            mask &= ~UINT64_C(0) >> (next - end);
        wanted += (unsigned)__builtin_popcountll(given[word] & mask);
        given[word] &= ~mask;
        aged[word] &= ~mask;
    }
    heap_pages_count_wanted(heap->set, wanted);
}

void heap_pages_forget(struct heap *heap)
{
    uint64_t *given = heap_page_map(heap, PAGES_GIVEN), *aged = heap_page_map(heap, PAGES_AGED);

    if (!heap->noted)
        return;
    for (unsigned word = 0; word < heap_page_words(heap); word++)
        given[word] = aged[word] = 0;
    heap->noted = false;
}

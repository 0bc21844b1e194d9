/*
 * Counts the mappings that renewed pages cost.
 */
#include "bins/heap_pages.h"

#include "base/bits.h"
#include "base/mappings.h"

#include <string.h>

/* The kernel cuts the mapping around a renewed run in two, and the run is one more. */
enum { MAPPINGS_PER_RUN = 2 };

static unsigned count_runs(const uint64_t *map, unsigned words)
{
    unsigned runs = 0;
    uint64_t before = 0;

    for (unsigned word = 0; word < words; word++) {
        runs += (unsigned)__builtin_popcountll(map[word] & ~(map[word] << 1 | before));
        before = map[word] >> 63;
    }
    return runs;
}

bool heap_pages_account(struct heap *heap, unsigned first, unsigned pages, bool needed)
{
    uint64_t after[SMALL_PAGE_WORDS], *renewed = heap_page_map(heap, PAGES_RENEWED);
    unsigned words = heap_page_words(heap);
    unsigned runs, runs_after;

    if (heap->generation == mappings_generation())
        return true;
    runs = count_runs(renewed, words);
    memcpy(after, renewed, words * sizeof after[0]);
    bits_set(after, first, pages);
    runs_after = count_runs(after, words);
    if (runs_after > runs && needed)
        mappings_add(MAPPINGS_PER_RUN * (runs_after - runs));
    else if (runs_after > runs && !mappings_take(MAPPINGS_PER_RUN * (runs_after - runs)))
        return false;
    if (runs_after < runs)
        mappings_give(MAPPINGS_PER_RUN * (runs - runs_after));
    memcpy(renewed, after, words * sizeof after[0]);
    return true;
}

unsigned heap_pages_mappings(const struct heap *heap)
{
    return heap->generation == mappings_generation()
               ? 0
               : MAPPINGS_PER_RUN *
                     count_runs(heap_page_map(heap, PAGES_RENEWED), heap_page_words(heap));
}

void heap_pages_forget(struct heap *heap)
{
    uint64_t *given = heap_page_map(heap, PAGES_GIVEN);

    /* Most heaps never gave a page back. Storing zeros would then put memory behind the map. */
    for (unsigned word = 0; word < heap_page_words(heap); word++)
        if (given[word] != 0)
            given[word] = 0;
}

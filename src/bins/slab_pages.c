/*
 * The rounds over the heaps of a set in which free pages are renewed.
 */
#include "bins/slab_pages.h"

#include "base/bits.h"
#include "base/clock.h"
#include "bins/bin_slabs.h"
#include "bins/heap_lists.h"
#include "bins/page_look.h"

enum {
    /*
     * What it costs to look for free pages in a piece of a heap, and to renew a run of any length:
     * as much as the kernel takes for this many units.
     */
    LOOK_UNITS = 16,
    RUN_UNITS = 8,
    /* Except for malloc_trim(), a run of fewer bytes is not worth a system call. */
    RUN_BYTES_MIN = 2 * OS_PAGE,
    /* A page is old if it was free in two rounds that are this far apart. */
    AGE = CLOCK_TENTH * 7,
    PATIENCE_MAX = 5,
    /* The policy learns from no fewer pages than this. */
    WANTED_MIN = 64,
    /* How many bytes must have been returned before another round looks for what can make way. */
    RETURNED_FOR_WAY = 4 << 20,
    /* How many pieces of heaps are looked at to make way once. */
    WAY_LOOKS = 4,
};

static bool renewed_wholly(unsigned unit, unsigned first, unsigned end)
{
    return unit * UNIT_PAGES >= first && (unit + 1) * UNIT_PAGES <= end;
}

/* Notes for the slabs and vacant units in a run that the run was renewed. */
static void note_renewed(struct heap *heap, unsigned first, unsigned end)
{
    for (unsigned unit = first / UNIT_PAGES; unit * UNIT_PAGES < end; unit++) {
        struct slab *slab = look_slab(heap, unit);

        if (slab != NULL) {
            slab->given = true;
        } else if (renewed_wholly(unit, first, end)) {
            kept_change(&heap->set->kept, -bits_count(heap->dirty, unit, 1), 0);
            bits_clear(heap->dirty, unit, 1);
        }
    }
}

/* Takes what is in a run out of use, because the run may be a hole now. */
static void note_lost(struct bins *bins, struct heap *heap, unsigned first, unsigned end)
{
    bits_set(heap_page_map(heap, PAGES_LOST), first, end - first);
    for (unsigned unit = first / UNIT_PAGES; unit * UNIT_PAGES < end; unit++) {
        struct slab *slab = look_slab(heap, unit);

        if (slab != NULL) {
            slab_pages_hide_lost(slab);
            bin_lost(&bins->of[slab->size_class], slab);
        } else if (bit_get(heap->vacant, unit)) {
            heap_lose(heap, unit, 1);
        }
    }
}

/*
 * Renews a run of free pages, from `first` to before `end`. Returns false, and renews nothing, if
 * that would cost the child of a fork more mappings than there are left.
 */
static bool renew_run(struct bins *bins, const struct look *look, unsigned first, unsigned end,
                      size_t *bytes)
{
    struct heap *heap = look->heap;
    unsigned due = 0;

    if (!heap_pages_account(heap, first, end - first, false))
        return false;
    if (!os_renew(pointer_to(heap->base + (uintptr_t)first * OS_PAGE),
                  (size_t)(end - first) * OS_PAGE)) {
        note_lost(bins, heap, first, end);
        return true;
    }
    heap->noted = true;
    for (unsigned page = first; page < end; page++)
        if (bit_get(look->due, page - look->from)) {
            bits_set(heap_page_map(heap, PAGES_GIVEN), page, 1);
            due++;
        }
    note_renewed(heap, first, end);
    heap_pages_count_given(heap->set, due);
    *bytes += (size_t)due * OS_PAGE;
    return true;
}

static unsigned rest_of(unsigned allowance, unsigned cost)
{
    return allowance > cost ? allowance - cost : 0;
}

/*
 * Returns the end of the run that begins at a due page. It continues over free pages that are not
 * due, if due ones follow: one call costs less than two. `most` units are the limit, rounded down
 * so that no page of the kernel is cut in two.
 */
static unsigned run_end(const struct look *look, unsigned first, unsigned most)
{
    unsigned stop = bit_next(look->free, first, LOOK_PAGES, ~UINT64_C(0));

    if (most < LOOK_PAGES && stop - first > most * UNIT_PAGES)
        stop = (first + most * UNIT_PAGES) & ~(LOOK_UNITS * UNIT_PAGES - 1u);
    while (stop > first && !bit_get(look->due, stop - 1))
        stop--;
    return stop;
}

/* Renews the due runs of a piece of a heap. Sets the allowance to 0 if it does not suffice. */
static size_t renew_piece(struct bins *bins, const struct look *look, size_t least,
                          unsigned *allowance)
{
    size_t bytes = 0;
    unsigned first = bit_next(look->due, 0, LOOK_PAGES, 0), stop;

    for (; first < LOOK_PAGES; first = bit_next(look->due, stop, LOOK_PAGES, 0)) {
        unsigned units;

        stop = run_end(look, first, *allowance / LOOK_UNITS * LOOK_UNITS);
        if (stop <= first) {
            *allowance = 0;
            return bytes;
        }
        if ((size_t)(stop - first) * OS_PAGE < least)
            continue;
        if (!renew_run(bins, look, look->from + first, look->from + stop, &bytes))
            return bytes;
        units = (stop - first) / UNIT_PAGES;
        *allowance = rest_of(*allowance, units > RUN_UNITS ? units : RUN_UNITS);
    }
    return bytes;
}

/* Lets a place stand for the next piece. */
static void place_advance(struct page_place *place)
{
    place->page += LOOK_PAGES;
    if (place->page >= heap_page_words(place->heap) * 64)
        *place = (struct page_place){.heap = place->heap->next};
}

static struct page_place place_first(const struct heap_set *set)
{
    /* Relaxed: the arena's lock orders it. */
    return (struct page_place){.heap = atomic_load_explicit(&set->heaps, memory_order_relaxed)};
}

/* Visits pieces that the round has not come to. Returns false if the allowance is used up. */
static bool continue_round(struct bins *bins, struct heap_set *set, unsigned *allowance,
                           size_t *bytes)
{
    struct page_place *place = &set->pages.age;

    while (place->heap != NULL) {
        struct look look = {.heap = place->heap,
                            .from = place->page,
                            .aged_only = !set->pages.trims,
                            .with_units = true};

        look_at_pages(&look);
        *allowance = rest_of(*allowance, LOOK_UNITS);
        *bytes += renew_piece(bins, &look, set->pages.trims ? OS_PAGE : RUN_BYTES_MIN, allowance);
        if (*allowance == 0)
            return false;
        if (look.aged_only)
            look_note(&look);
        place_advance(place);
    }
    set->pages.trims = false;
    return true;
}

static bool much_is_wanted(const struct page_rounds *pages)
{
    return pages->wanted >= WANTED_MIN && pages->wanted > pages->given / 4;
}

/* Learns from what was wanted again of what was given back. */
static void learn(struct page_rounds *pages)
{
    if (much_is_wanted(pages))
        pages->patience += pages->patience < PATIENCE_MAX;
    else if (pages->wanted <= pages->given / 16)
        pages->patience -= pages->patience > 0;
    pages->given /= 2;
    pages->wanted /= 2;
}

/* Begins a round for old pages if it is time for one. */
static void begin_if_due(struct heap_set *set, uint64_t now)
{
    struct page_rounds *pages = &set->pages;

    if (pages->began == 0)
        pages->began = now;
    /* It is due when the time has come, and when the clock has jumped back. */
    if (pages->age.heap != NULL || now - pages->began < (uint64_t)AGE << pages->patience)
        return;
    pages->began = now;
    learn(pages);
    /* The first round after chunks were returned notes free pages; the second gives them back. */
    if (pages->returned != pages->returned_age) {
        pages->returned_age = pages->returned;
        pages->rounds = 2;
    }
    if (pages->rounds == 0)
        return;
    pages->rounds--;
    pages->age = place_first(set);
}

static bool age_set(struct bins *bins, struct heap_set *set, uint64_t now)
{
    size_t bytes = 0;

    /* What is free in a heap is not known before the repair after a fork has reached it. */
    if (set->unknown.heap != NULL || set->unswept.heap != NULL)
        return true;
    begin_if_due(set, now);
    return continue_round(bins, set, &set->allowance, &bytes);
}

bool slab_pages_age(struct bins *bins, uint64_t now)
{
    bool tiny = age_set(bins, bins->tiny, now), small = age_set(bins, bins->small, now);

    return tiny && small;
}

static void begin_trim(struct heap_set *set)
{
    set->pages.trims = true;
    set->pages.age = place_first(set);
}

void slab_pages_begin(struct bins *bins)
{
    begin_trim(bins->tiny);
    begin_trim(bins->small);
}

bool slab_pages_step(struct bins *bins)
{
    size_t bytes = 0;
    bool tiny = continue_round(bins, bins->tiny, &bins->tiny->allowance, &bytes);
    bool small = continue_round(bins, bins->small, &bins->small->allowance, &bytes);

    return tiny && small;
}

size_t slab_pages_trim(struct bins *bins)
{
    unsigned all = HEAP_ALLOWANCE_ALL;
    size_t bytes = 0;

    slab_pages_begin(bins);
    continue_round(bins, bins->tiny, &all, &bytes);
    continue_round(bins, bins->small, &all, &bytes);
    return bytes;
}

/* Gives back pages of a set, about `wanted` bytes. Returns how many bytes went back. */
static size_t make_way_in(struct bins *bins, struct heap_set *set, size_t wanted)
{
    struct page_rounds *pages = &set->pages;
    size_t bytes = 0;

    /* A program may want the pages at once, long before the next round for old pages learns. */
    if (much_is_wanted(pages))
        learn(pages);
    if (pages->way.heap == NULL) {
        if (pages->returned - pages->returned_way < RETURNED_FOR_WAY)
            return 0;
        pages->returned_way = pages->returned;
        pages->way = place_first(set);
    }
    for (unsigned looks = 0; looks < WAY_LOOKS && pages->way.heap != NULL; looks++) {
        struct look look = {
            .heap = pages->way.heap, .from = pages->way.page, .aged_only = pages->patience > 0};

        look_at_pages(&look);
        bytes += renew_piece(bins, &look, RUN_BYTES_MIN, &set->allowance);
        if (set->allowance == 0 || bytes >= wanted)
            break;
        place_advance(&pages->way);
    }
    return bytes;
}

void slab_pages_make_way(struct bins *bins)
{
    struct heap_set *sets[] = {bins->small, bins->tiny};
    size_t wanted = bins->tiny->pages.fresh + bins->small->pages.fresh;

    bins->tiny->pages.fresh = bins->small->pages.fresh = 0;
    for (unsigned i = 0; i < 2; i++) {
        size_t bytes;

        if (sets[i]->unknown.heap != NULL || sets[i]->unswept.heap != NULL)
            continue;
        bytes = make_way_in(bins, sets[i], wanted);
        if (bytes >= wanted)
            return;
        wanted -= bytes;
    }
}

/*
 * Finds the free pages in a heap's slabs, and renews runs of them.
 */
#include "bins/slab_pages.h"

#include "base/bits.h"
#include "bins/bin_slabs.h"
#include "bins/heap_pages.h"
#include "os/os.h"

enum {
    /*
     * What it costs to look for free pages in a heap, and to renew a run of any length: as much as
     * the kernel takes for this many units.
     */
    LOOK_UNITS = 16,
    RUN_UNITS = 8,
};

/* Pages of a heap, a bit each. */
struct pages {
    /* No chunk on the page is out, and each unit of it has memory. */
    uint64_t free[SMALL_PAGE_WORDS];
    /* The page is free, and the kernel may have memory behind it. */
    uint64_t due[SMALL_PAGE_WORDS];
};

/* Written by any thread; relaxed, because they are figures for the statistics. */
static _Atomic uint64_t given_count, call_count, wanted_count;

struct slab_pages_counts slab_pages_counted(void)
{
    return (struct slab_pages_counts){
        .given = atomic_load_explicit(&given_count, memory_order_relaxed),
        .calls = atomic_load_explicit(&call_count, memory_order_relaxed),
        .wanted = atomic_load_explicit(&wanted_count, memory_order_relaxed),
    };
}

static unsigned first_page(const struct slab *slab)
{
    return slab->first_unit * UNIT_PAGES;
}

static unsigned page_count(const struct slab *slab)
{
    return size_classes[slab->size_class].units * UNIT_PAGES;
}

/* The chunks, from `first` to before `end`, that have a part on the page of this number. */
struct row {
    unsigned first, end;
};

static struct row chunks_on(const struct slab *slab, unsigned page)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    unsigned first = page * OS_PAGE / shape->size;
    unsigned end = (page * OS_PAGE + OS_PAGE - 1) / shape->size + 1;

    return (struct row){.first = first, .end = end < shape->chunks ? end : shape->chunks};
}

/* Returns true if no chunk on the page is out. The page may lie behind the last chunk. */
static bool all_vacant(const struct slab *slab, struct row row)
{
    return row.first >= row.end ||
           bit_next(slab->vacant, row.first, row.end, ~UINT64_C(0)) == row.end;
}

static void look_at_slab(const struct slab *slab, const uint64_t *given, struct pages *pages)
{
    unsigned first = first_page(slab), count = page_count(slab);

    if (slab->free == 0)
        return;
    for (unsigned page = 0; page < count; page++) {
        struct row row = chunks_on(slab, page);

        if (!all_vacant(slab, row))
            continue;
        bits_set(pages->free, first + page, 1);
        if (!bit_get(given, first + page) && !(slab->clean && row.first >= slab->fresh))
            bits_set(pages->due, first + page, 1);
    }
}

/*
 * Returns the slab that a unit belongs to. Returns NULL if the unit is in no slab, because it is a
 * guard or was lost. The unit must not be vacant.
 */
static struct slab *slab_of_unit(const struct heap *heap, unsigned unit)
{
    uintptr_t address = heap->base + (uintptr_t)unit * UNIT_SIZE;
    struct slab *slab = heap->set->small ? small_slab(address) : tiny_slab(address);

    /* Relaxed: written with the arena's lock, which is held. */
    if (slab == NULL || (atomic_load_explicit(&slab->identity, memory_order_relaxed) & 1) == 0)
        return NULL;
    return slab;
}

/* Vacant units go back in heap_return.c. They only matter here if they share a page with slabs. */
static void look_at_vacant_unit(const struct heap *heap, unsigned unit, struct pages *pages)
{
    if (os_page_size() <= UNIT_SIZE || bit_get(heap->reserved, unit))
        return;
    bits_set(pages->free, unit * UNIT_PAGES, UNIT_PAGES);
    if (bit_get(heap->dirty, unit))
        bits_set(pages->due, unit * UNIT_PAGES, UNIT_PAGES);
}

/* Keeps only whole pages of the kernel. Such a page is due if any part of it is. */
static void keep_whole_pages(struct pages *pages, unsigned words)
{
    unsigned group = (unsigned)(os_page_size() / OS_PAGE);

    for (unsigned word = 0; word < words; word++) {
        uint64_t whole = bits_whole(pages->free[word], group);

        pages->due[word] = whole & ~bits_whole(~pages->due[word], group);
        pages->free[word] = whole;
    }
}

static void look_at_heap(const struct heap *heap, struct pages *pages)
{
    const uint64_t *given = heap_page_map(heap, PAGES_GIVEN);
    unsigned words = heap_page_words(heap);

    for (unsigned word = 0; word < words; word++)
        pages->free[word] = pages->due[word] = 0;
    for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap);) {
        const struct slab *slab = NULL;

        if (bit_get(heap->vacant, unit))
            look_at_vacant_unit(heap, unit, pages);
        else
            slab = slab_of_unit(heap, unit);
        if (slab != NULL)
            look_at_slab(slab, given, pages);
        unit += slab == NULL ? 1 : size_classes[slab->size_class].units;
    }
    keep_whole_pages(pages, words);
}

/*
 * Calls `visit` for each slab that has a part in the run, and for each vacant unit of the run, with
 * NULL.
 */
static void visit_run(struct bins *bins, struct heap *heap, unsigned first, unsigned count,
                      void (*visit)(struct bins *bins, struct heap *heap, unsigned unit,
                                    struct slab *slab))
{
    unsigned end = (first + count + UNIT_PAGES - 1) / UNIT_PAGES;

    for (unsigned unit = first / UNIT_PAGES; unit < end;) {
        struct slab *slab = bit_get(heap->vacant, unit) ? NULL : slab_of_unit(heap, unit);
        unsigned next =
            slab == NULL ? unit + 1 : slab->first_unit + size_classes[slab->size_class].units;

        visit(bins, heap, unit, slab);
        unit = next;
    }
}

static void note_renewed(struct bins *bins, struct heap *heap, unsigned unit, struct slab *slab)
{
    (void)bins;
    if (slab != NULL) {
        slab->given = true;
        return;
    }
    bits_clear(heap->dirty, unit, 1);
    bits_clear(heap_page_map(heap, PAGES_GIVEN), unit * UNIT_PAGES, UNIT_PAGES);
}

static void note_lost(struct bins *bins, struct heap *heap, unsigned unit, struct slab *slab)
{
    if (slab == NULL) {
        heap_lose(heap, unit, 1);
        return;
    }
    slab_pages_hide_lost(slab);
    bin_lost(&bins->of[slab->size_class], slab);
}

/*
 * Renews a run of free pages. Returns false, and renews nothing, if that would cost the child of a
 * fork more mappings than there are left.
 */
static bool renew_run(struct bins *bins, struct heap *heap, const struct pages *pages,
                      unsigned first, unsigned count, size_t *bytes)
{
    uint64_t *given = heap_page_map(heap, PAGES_GIVEN);
    unsigned due = 0;

    if (!heap_pages_account(heap, first, count, false))
        return false;
    if (!os_renew(pointer_to(heap->base + (uintptr_t)first * OS_PAGE), (size_t)count * OS_PAGE)) {
        bits_set(heap_page_map(heap, PAGES_LOST), first, count);
        visit_run(bins, heap, first, count, note_lost);
        return true;
    }
    for (unsigned page = first; page < first + count; page++)
        if (bit_get(pages->due, page)) {
            bits_set(given, page, 1);
            due++;
        }
    visit_run(bins, heap, first, count, note_renewed);
    atomic_fetch_add_explicit(&given_count, due, memory_order_relaxed);
    atomic_fetch_add_explicit(&call_count, 1, memory_order_relaxed);
    *bytes += (size_t)due * OS_PAGE;
    return true;
}

static unsigned rest_of(unsigned allowance, unsigned cost)
{
    return allowance > cost ? allowance - cost : 0;
}

/*
 * Returns the end of the run that begins at a due page. It continues over free pages that are not
 * due, if due ones follow: one call costs less than two.
 */
static unsigned run_end(const struct pages *pages, unsigned first, unsigned end)
{
    unsigned stop = bit_next(pages->free, first, end, ~UINT64_C(0));

    while (!bit_get(pages->due, stop - 1))
        stop--;
    return stop;
}

/* Renews the due pages of a heap. Sets the allowance to 0 if it does not suffice for all. */
static size_t purge_heap(struct bins *bins, struct heap *heap, unsigned *allowance)
{
    struct pages pages;
    unsigned end = heap_page_words(heap) * 64;
    size_t bytes = 0;

    look_at_heap(heap, &pages);
    *allowance = rest_of(*allowance, LOOK_UNITS);
    for (unsigned first = bit_next(pages.due, 0, end, 0); first < end;) {
        unsigned stop = run_end(&pages, first, end);
        /* A page of the kernel has at most LOOK_UNITS units, so it is never cut in two. */
        unsigned most = *allowance / LOOK_UNITS * LOOK_UNITS, units;

        if (most < end && stop - first > most * UNIT_PAGES)
            stop = (first + most * UNIT_PAGES) & ~(LOOK_UNITS * UNIT_PAGES - 1u);
        if (stop <= first) {
            *allowance = 0;
            return bytes;
        }
        if (!renew_run(bins, heap, &pages, first, stop - first, &bytes))
            return bytes;
        units = (stop - first) / UNIT_PAGES;
        *allowance = rest_of(*allowance, units > RUN_UNITS ? units : RUN_UNITS);
        first = bit_next(pages.due, stop, end, 0);
    }
    return bytes;
}

/* Visits the heaps that the round has not come to. Returns false if the allowance is used up. */
static bool continue_round(struct bins *bins, struct heap_set *set, unsigned *allowance,
                           size_t *bytes)
{
    while (set->pages_next != NULL) {
        struct heap *heap = set->pages_next;

        *bytes += purge_heap(bins, heap, allowance);
        if (*allowance == 0)
            return false;
        set->pages_next = heap->next;
    }
    return true;
}

void slab_pages_begin(struct bins *bins)
{
    /* Relaxed: the arena's lock orders it. */
    bins->tiny->pages_next = atomic_load_explicit(&bins->tiny->heaps, memory_order_relaxed);
    bins->small->pages_next = atomic_load_explicit(&bins->small->heaps, memory_order_relaxed);
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

void slab_pages_taken(struct slab *slab, void *const *chunks, unsigned count)
{
    const struct heap *heap = slab_heap(slab);
    uint64_t *given = heap_page_map(heap, PAGES_GIVEN);
    unsigned wanted = 0;

    for (unsigned i = 0; i < count; i++) {
        uintptr_t offset = (uintptr_t)chunks[i] - heap->base;
        unsigned first = (unsigned)(offset / OS_PAGE);
        unsigned last = (unsigned)((offset + size_classes[slab->size_class].size - 1) / OS_PAGE);

        for (unsigned page = first; page <= last; page++)
            if (bit_get(given, page)) {
                bits_clear(given, page, 1);
                wanted++;
            }
    }
    if (wanted > 0)
        atomic_fetch_add_explicit(&wanted_count, wanted, memory_order_relaxed);
}

void slab_pages_forget(struct slab *slab)
{
    bits_clear(heap_page_map(slab_heap(slab), PAGES_GIVEN), first_page(slab), page_count(slab));
    slab->given = false;
}

void slab_pages_hide_lost(struct slab *slab)
{
    const uint64_t *lost = heap_page_map(slab_heap(slab), PAGES_LOST);
    unsigned end = first_page(slab) + page_count(slab);

    for (unsigned page = bit_next(lost, first_page(slab), end, 0); page < end;
         page = bit_next(lost, page + 1, end, 0)) {
        struct row row = chunks_on(slab, page - first_page(slab));

        for (unsigned index = row.first; index < row.end; index++)
            if (bit_get(slab->vacant, index)) {
                bits_clear(slab->vacant, index, 1);
                slab->free--;
            }
    }
}

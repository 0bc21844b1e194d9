/*
 * Finds the free pages in a heap.
 */
#include "bins/page_look.h"

#include "base/bits.h"

static unsigned first_page(const struct slab *slab)
{
    return slab->first_unit * UNIT_PAGES;
}

static unsigned end_page(const struct slab *slab)
{
    return first_page(slab) + size_classes[slab->size_class].units * UNIT_PAGES;
}

/* The chunks, from `first` to before `end`, that have a part on a page. */
struct row {
    unsigned first, end;
};

/* `page` is the number of the page in the slab. */
static struct row chunks_on(const struct slab *slab, unsigned page)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    unsigned first = chunk_index(shape, page * OS_PAGE);
    /* Chunks begin at multiples of CHUNK_ALIGN. A remainder would make chunk_index() inexact. */
    unsigned end = chunk_index(shape, page * OS_PAGE + OS_PAGE - CHUNK_ALIGN) + 1;

    return (struct row){.first = first, .end = end < shape->chunks ? end : shape->chunks};
}

/* Returns true if no chunk on the page is out. The page may begin behind the last chunk. */
static bool all_vacant(const struct slab *slab, struct row row)
{
    return row.first >= row.end ||
           bit_next(slab->vacant, row.first, row.end, ~UINT64_C(0)) == row.end;
}

struct slab *look_slab(const struct heap *heap, unsigned unit)
{
    uintptr_t address = heap->base + (uintptr_t)unit * UNIT_SIZE;
    struct slab *slab;

    if (bit_get(heap->vacant, unit))
        return NULL;
    slab = heap->set->small ? small_slab(address) : tiny_slab(address);
    /* Relaxed: written with the arena's lock, which is held. */
    if (slab == NULL || (atomic_load_explicit(&slab->identity, memory_order_relaxed) & 1) == 0)
        return NULL;
    return slab;
}

/*
 * Notes a free page. `memory` tells whether the kernel may have memory behind it, and `rested`
 * whether it stayed free since the last look if it was free then.
 */
static void note_free(struct look *look, unsigned page, bool memory, bool rested)
{
    unsigned bit = page - look->from;
    bool waits = memory && look->aged_only &&
                 !(rested && bit_get(heap_page_map(look->heap, PAGES_AGED), page));

    if (memory)
        bits_set(look->aged, bit, 1);
    if (memory && !waits)
        bits_set(look->due, bit, 1);
    if (!waits)
        bits_set(look->free, bit, 1);
}

static void look_at_slab(struct look *look, const struct slab *slab)
{
    const uint64_t *given = heap_page_map(look->heap, PAGES_GIVEN);
    unsigned first = first_page(slab), end = end_page(slab);
    unsigned page = first > look->from ? first : look->from;

    if (slab->free == 0)
        return;
    end = end < look->from + LOOK_PAGES ? end : look->from + LOOK_PAGES;
    for (; page < end; page++) {
        struct row row = chunks_on(slab, page - first);

        if (all_vacant(slab, row))
            note_free(look, page,
                      !bit_get(given, page) && !(slab->clean && row.first >= slab->fresh),
                      !slab->taken);
    }
}

static void look_at_vacant_unit(struct look *look, unsigned unit)
{
    const uint64_t *given = heap_page_map(look->heap, PAGES_GIVEN);
    bool dirty = bit_get(look->heap->dirty, unit);

    if (bit_get(look->heap->reserved, unit) || (dirty && !look->with_units))
        return;
    for (unsigned page = unit * UNIT_PAGES; page < (unit + 1) * UNIT_PAGES; page++)
        note_free(look, page, dirty && !bit_get(given, page), true);
}

/* Keeps only whole pages of the kernel. Such a page is due if any part of it is. */
static void keep_whole_pages(struct look *look)
{
    unsigned group = (unsigned)(os_page_size() / OS_PAGE);

    for (unsigned word = 0; word < LOOK_WORDS; word++) {
        uint64_t whole = bits_whole(look->free[word], group);

        look->aged[word] &= bits_whole(look->free[word] | look->aged[word], group);
        look->due[word] = whole & ~bits_whole(~look->due[word], group);
        look->free[word] = whole;
    }
}

static unsigned end_unit(const struct look *look)
{
    unsigned end = (look->from + LOOK_PAGES) / UNIT_PAGES;

    return end < heap_units(look->heap) ? end : heap_units(look->heap);
}

static unsigned begin_unit(const struct look *look)
{
    unsigned begin = look->from / UNIT_PAGES;

    return begin > heap_first_unit(look->heap) ? begin : heap_first_unit(look->heap);
}

void look_at_pages(struct look *look)
{
    const struct heap *heap = look->heap;

    for (unsigned word = 0; word < LOOK_WORDS; word++)
        look->free[word] = look->due[word] = look->aged[word] = 0;
    for (unsigned unit = begin_unit(look), end = end_unit(look); unit < end;) {
        const struct slab *slab = look_slab(heap, unit);

        if (slab != NULL)
            look_at_slab(look, slab);
        else if (bit_get(heap->vacant, unit))
            look_at_vacant_unit(look, unit);
        unit = slab == NULL ? unit + 1 : end_page(slab) / UNIT_PAGES;
    }
    keep_whole_pages(look);
}

void look_note(const struct look *look)
{
    struct heap *heap = look->heap;
    uint64_t *aged = heap_page_map(heap, PAGES_AGED) + look->from / 64;
    const uint64_t *given = heap_page_map(heap, PAGES_GIVEN) + look->from / 64;
    unsigned words = heap_page_words(heap) < LOOK_WORDS ? heap_page_words(heap) : LOOK_WORDS;

    /* Storing a zero over zeros would put memory behind the map. */
    for (unsigned word = 0; word < words; word++)
        if (aged[word] != (look->aged[word] & ~given[word])) {
            heap->noted = true;
            aged[word] = look->aged[word] & ~given[word];
        }
    for (unsigned unit = begin_unit(look), end = end_unit(look); unit < end;) {
        struct slab *slab = look_slab(heap, unit);
        unsigned next = slab == NULL ? unit + 1 : end_page(slab) / UNIT_PAGES;

        /* The other pieces that a slab reaches into need to know. */
        if (slab != NULL && slab->taken && next <= end)
            slab->taken = false;
        unit = next;
    }
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
    heap_pages_count_wanted(heap->set, wanted);
}

void slab_pages_hide_lost(struct slab *slab)
{
    const uint64_t *lost = heap_page_map(slab_heap(slab), PAGES_LOST);
    unsigned end = end_page(slab);

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

/*
 * Reading a heap as the library's own walkers do: the identities of the slabs, their states, the
 * identities again. A slab counts only if its identity has not changed in between; the generation
 * in it makes that certain. The same holds for the heap and its number.
 */
#include "view_private.h"

#include <stdlib.h>
#include <string.h>

/* States of slabs that are no further apart are read in one piece. */
enum { GAP = 4096, BITMAPS = 6 };

static size_t header_size(const struct view *view, const struct layout_zone *zone)
{
    return (size_t)zone->first_unit * view->layout.unit_size;
}

bool heap_copy_begin(struct heap_copy *copy, struct view *view)
{
    size_t tiny = header_size(view, &view->layout.tiny);
    size_t small = header_size(view, &view->layout.small);
    unsigned chunks = 0;

    for (unsigned i = 0; i < view->layout.class_count; i++)
        chunks = view->classes[i].chunks > chunks ? view->classes[i].chunks : chunks;
    *copy = (struct heap_copy){.view = view, .slabs.item_size = sizeof(struct slab_copy)};
    /* Twice: the second part is for what is read again, to be compared. */
    copy->header = calloc(2, tiny > small ? tiny : small);
    copy->kinds = malloc(chunks + 1);
    copy->bitmaps = calloc((size_t)BITMAPS * view->layout.heap_bitmap_words + 1, sizeof(uint64_t));
    return copy->header != NULL && copy->kinds != NULL && copy->bitmaps != NULL;
}

void heap_copy_end(struct heap_copy *copy)
{
    free(copy->header);
    free(copy->kinds);
    free(copy->bitmaps);
    array_end(&copy->slabs);
}

static bool read_part(struct heap_copy *copy, uint64_t from, uint64_t to, unsigned char *out)
{
    return from >= to ||
           (to <= copy->header_size && source_read(copy->view->source, copy->heap.base + from,
                                                   out + from, (size_t)(to - from)));
}

static void copy_bitmaps(struct heap_copy *copy, const unsigned char *record)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;
    const uint32_t from[BITMAPS] = {layout->heap_vacant,   layout->heap_dirty,
                                    layout->heap_aged,     layout->heap_lost,
                                    layout->heap_reserved, layout->heap_guards};
    const uint64_t **to[BITMAPS] = {&copy->heap.vacant, &copy->heap.dirty,    &copy->heap.aged,
                                    &copy->heap.lost,   &copy->heap.reserved, &copy->heap.guards};
    uint64_t *at = copy->bitmaps;

    for (unsigned i = 0; i < BITMAPS; i++) {
        memcpy(at, record + from[i], layout->heap_bitmap_words * sizeof(uint64_t));
        *to[i] = at;
        at += layout->heap_bitmap_words;
    }
    copy->heap.bitmap_words = layout->heap_bitmap_words;
}

/* Fills copy->heap from the heap's record. Returns false if that is none. */
static bool take_record(struct heap_copy *copy, const struct mapped_heap *at)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;
    const unsigned char *record = copy->header + copy->zone->header;
    uint32_t units = get32(record, layout->heap_units);

    if (get64(record, layout->heap_base) != at->base || units <= copy->zone->first_unit ||
        units > copy->zone->heap_size / layout->unit_size)
        return false;
    copy->heap.units = units;
    copy->heap.end = at->base + (uint64_t)units * layout->unit_size;
    copy->heap.size = get64(record, layout->heap_reserved_size);
    copy->heap.number = get64(record, layout->heap_number);
    copy_bitmaps(copy, record);
    return true;
}

/* The records of slabs that may be in use: where in the heap they begin and end. */
static void records_of(const struct heap_copy *copy, uint64_t *from, uint64_t *to)
{
    const struct layout_zone *zone = copy->zone;
    uint32_t first = 0, end = zone->slab_count;

    if (zone->numbers_end == 0) {
        first = zone->first_unit;
        end = copy->heap.units < end ? copy->heap.units : end;
    } else {
        const unsigned char *numbers = copy->header + zone->numbers_end;

        end = 0;
        for (uint32_t unit = zone->first_unit; unit < copy->heap.units; unit++) {
            uint16_t number = get16(numbers - 2 * (unit + 1), 0);

            end = number > end && number <= zone->slab_count ? number : end;
        }
    }
    *from = zone->slabs + (uint64_t)first * zone->slab_stride;
    *to = zone->slabs + (uint64_t)end * zone->slab_stride;
}

/* The record of the slab that begins at the unit, or 0. */
static uint32_t record_of(const struct heap_copy *copy, uint32_t unit)
{
    const struct layout_zone *zone = copy->zone;
    uint32_t number = unit;

    if (zone->numbers_end != 0) {
        number = get16(copy->header + zone->numbers_end - 2 * (unit + 1), 0);
        if (number == 0)
            return 0;
        number--;
    }
    return number < zone->slab_count ? zone->slabs + number * zone->slab_stride : 0;
}

/* Lists the slabs. Returns false if there is no memory. */
static bool list_slabs(struct heap_copy *copy)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;

    copy->slabs.count = 0;
    for (uint32_t unit = copy->zone->first_unit; unit < copy->heap.units;) {
        uint32_t record = record_of(copy, unit), at = unit++;
        uint64_t identity = record == 0 ? 0 : get64(copy->header + record, layout->slab_identity);
        unsigned class = identity >> layout->slab_class_shift & layout->slab_class_mask;
        struct slab_copy *slab;

        if ((identity & 1) == 0 || class >= layout->class_count ||
            (identity >> layout->slab_unit_shift & layout->slab_unit_mask) != at ||
            (class < layout->tiny_classes) != (copy->heap.zone == ZONE_TINY) ||
            copy->view->classes[class].units > copy->heap.units - at)
            continue;
        slab = array_add(&copy->slabs);
        if (slab == NULL)
            return false;
        *slab = (struct slab_copy){
            .unit = at, .record = record, .identity = identity, .size_class = class};
        unit = at + copy->view->classes[class].units;
    }
    return true;
}

/* The states of the units of a slab: where in the heap they begin and end. */
static void states_of(const struct heap_copy *copy, const struct slab_copy *slab, uint64_t *from,
                      uint64_t *to)
{
    uint64_t per_unit =
        (uint64_t)copy->view->layout.unit_size / copy->zone->granule * copy->zone->state_size;

    *from = slab->unit * per_unit;
    *to = *from + copy->view->classes[slab->size_class].units * per_unit;
}

/* Reads the states of some slabs in one piece; or, if something between them is no memory, each. */
static void read_states_of(struct heap_copy *copy, struct slab_copy *first, size_t count)
{
    uint64_t from, to, unused;

    states_of(copy, first, &from, &to);
    states_of(copy, first + count - 1, &unused, &to);
    if (read_part(copy, from, to, copy->header))
        return;
    for (size_t i = 0; i < count; i++) {
        states_of(copy, first + i, &from, &to);
        if (!read_part(copy, from, to, copy->header))
            first[i].identity = 0;
    }
}

static void read_states(struct heap_copy *copy)
{
    struct slab_copy *slabs = (struct slab_copy *)(void *)copy->slabs.items;
    size_t first = 0;

    for (size_t i = 0; i < copy->slabs.count; i++) {
        uint64_t from, to, next = UINT64_MAX, unused;

        states_of(copy, &slabs[i], &from, &to);
        if (i + 1 < copy->slabs.count)
            states_of(copy, &slabs[i + 1], &next, &unused);
        if (next - to <= GAP)
            continue;
        read_states_of(copy, &slabs[first], i + 1 - first);
        first = i + 1;
    }
}

/* Drops the slabs that are not the same any more. Returns false if it is another heap. */
static bool keep_same(struct heap_copy *copy, uint64_t from, uint64_t to)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;
    struct slab_copy *slabs = (struct slab_copy *)(void *)copy->slabs.items;
    unsigned char *again = copy->header + copy->header_size;
    uint32_t record = copy->zone->header;
    size_t kept = 0;

    if (source_kind(copy->view->source) != SOURCE_LIVE)
        memcpy(again, copy->header, copy->header_size);
    else if (!read_part(copy, from, to, again) ||
             !read_part(copy, record, record + layout->heap_bytes, again))
        return false;
    if (get64(again + record, layout->heap_base) != copy->heap.base ||
        get64(again + record, layout->heap_number) != copy->heap.number)
        return false;
    for (size_t i = 0; i < copy->slabs.count; i++)
        if (get64(again + slabs[i].record, layout->slab_identity) == slabs[i].identity)
            slabs[kept++] = slabs[i];
    copy->slabs.count = kept;
    return true;
}

static bool read_heap(struct heap_copy *copy, const struct mapped_heap *at)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;
    const struct layout_zone *zone = copy->zone;
    uint64_t from, to;

    if (!read_part(copy, zone->header, zone->header + layout->heap_bytes, copy->header) ||
        !take_record(copy, at))
        return false;
    if (zone->numbers_end != 0 &&
        !read_part(copy, zone->numbers_end - 2 * (uint64_t)copy->heap.units, zone->numbers_end,
                   copy->header))
        return false;
    records_of(copy, &from, &to);
    if (!read_part(copy, from, to, copy->header) || !list_slabs(copy))
        return false;
    read_states(copy);
    return keep_same(copy, from, to);
}

/*
 * Returns whether something is wrong if a heap could not be read. If it was unmapped meanwhile,
 * nothing in it was live throughout; the same holds if the writer of a snapshot did not meet it.
 */
static bool seems_there(const struct heap_copy *copy, const struct mapped_heap *at)
{
    struct view *view = copy->view;
    uint64_t word;

    switch (source_kind(view->source)) {
    case SOURCE_LIVE:
        return (uint16_t)view_map_entry(view, at->base) == at->tag;
    case SOURCE_SNAPSHOT:
        return read64(view, at->base + copy->zone->header, &word);
    default:
        return true;
    }
}

bool heap_copy_read(struct heap_copy *copy, const struct mapped_heap *at)
{
    struct view *view = copy->view;

    copy->slabs.count = 0;
    copy->heap = (struct view_heap){.base = at->base, .zone = tag_zone(view, at->tag)};
    copy->zone = layout_zone(view, copy->heap.zone);
    copy->header_size = header_size(view, copy->zone);
    copy->heap.first_unit = copy->zone->first_unit;
    copy->heap.arena = at->tag & ~view->layout.map_tag_small;
    if (read_heap(copy, at))
        return true;
    view->unread += seems_there(copy, at);
    return false;
}

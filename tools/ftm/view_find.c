/*
 * What is at an address: the answers of arena/lookup.h inside, from the same records.
 */
#include "view_private.h"

#include <stdlib.h>

/* The heap among whose units the address is. Returns false if there is none. */
static bool heap_around(struct view *view, uint64_t address, struct mapped_heap *heap)
{
    const struct ft_malloc_layout *layout = &view->layout;
    uint32_t entry = view_map_entry(view, address);
    uint64_t unit = (address & ((UINT64_C(1) << layout->map_shift) - 1)) / layout->unit_size;

    heap->tag = (uint16_t)entry;
    if (heap->tag == 0 || unit >= entry >> layout->map_units_shift)
        return false;
    heap->base = address & ~(uint64_t)(layout_zone(view, tag_zone(view, heap->tag))->heap_size - 1);
    return true;
}

static const struct slab_copy *slab_around(const struct heap_copy *copy, uint64_t address)
{
    const struct slab_copy *slabs = (const struct slab_copy *)(const void *)copy->slabs.items;
    uint64_t unit = (address - copy->heap.base) / copy->view->layout.unit_size;

    for (size_t i = 0; i < copy->slabs.count; i++)
        if (unit >= slabs[i].unit &&
            unit - slabs[i].unit < copy->view->classes[slabs[i].size_class].units)
            return &slabs[i];
    return NULL;
}

/* Describes the chunk that is `index` chunks behind the beginning of its slab. */
static unsigned describe(const struct heap_copy *copy, const struct slab_copy *slab, uint64_t index,
                         struct view_chunk *chunk)
{
    const struct view *view = copy->view;
    unsigned size = view->classes[slab->size_class].size;
    uint64_t slab_start = copy->heap.base + (uint64_t)slab->unit * view->layout.unit_size;
    uint32_t state = heap_copy_state(copy, slab_start + index * size);

    chunk->start = slab_start + index * size;
    chunk->usable = size;
    chunk->requested = view_state_requested(view, copy->heap.zone, state, size);
    chunk->size_class = slab->size_class;
    chunk->state = view_state_kind(copy->zone, state);
    return chunk->state;
}

static enum view_verdict find_in_slab(const struct heap_copy *copy, const struct slab_copy *slab,
                                      uint64_t address, struct view_chunk *chunk)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;
    const struct view_class *class = &copy->view->classes[slab->size_class];
    uint64_t offset =
        address - copy->heap.base - (uint64_t)slab->unit * copy->view->layout.unit_size;
    unsigned state;

    if (offset / class->size >= class->chunks)
        return VIEW_NONE;
    state = describe(copy, slab, offset / class->size, chunk);
    if (state == layout->state_none)
        return VIEW_NONE;
    if (address != chunk->start)
        return state == layout->state_live ? VIEW_INTERIOR : VIEW_NONE;
    return state == layout->state_live ? VIEW_LIVE : VIEW_FREED;
}

/* The class of the freed chunk that began at the address and whose slab is gone. */
static unsigned class_gone(const struct heap_copy *copy, uint64_t address, uint32_t state)
{
    const struct layout_zone *zone = copy->zone;
    uint64_t unit = address / copy->view->layout.unit_size;
    uint8_t class = 0;

    if (zone->unit_classes_count == 0)
        return state >> zone->class_shift & zone->class_mask;
    if (!source_read(copy->view->source,
                     copy->heap.base + zone->unit_classes + unit % zone->unit_classes_count, &class,
                     1))
        return VIEW_NO_CLASS;
    return (uint8_t)(class - zone->class_mark);
}

/* Finds a chunk that was freed and whose slab is gone, if nothing else began there since. */
static enum view_verdict find_gone(const struct heap_copy *copy, uint64_t address,
                                   struct view_chunk *chunk)
{
    const struct layout_zone *zone = copy->zone;
    const struct ft_malloc_layout *layout = &copy->view->layout;
    uint64_t at = (address - copy->heap.base) / zone->granule * zone->state_size;
    uint32_t state = 0, place = (uint32_t)(address % zone->granule / layout->chunk_align);
    unsigned class;

    if (address % layout->chunk_align != 0 ||
        address < copy->heap.base + (uint64_t)zone->first_unit * layout->unit_size ||
        !source_read(copy->view->source, copy->heap.base + at, &state, zone->state_size) ||
        view_state_kind(zone, state) != layout->state_free ||
        (zone->place_mask != 0 && (state >> zone->place_shift & zone->place_mask) != place))
        return VIEW_NONE;
    class = class_gone(copy, address, state);
    if (class >= (zone->place_mask == 0 ? layout->tiny_classes : layout->class_count))
        return VIEW_NONE;
    chunk->start = address;
    chunk->usable = copy->view->classes[class].size;
    chunk->requested =
        view_state_requested(copy->view, copy->heap.zone, state, (unsigned)chunk->usable);
    chunk->size_class = class;
    chunk->state = layout->state_free;
    return VIEW_FREED;
}

/* Returns VIEW_FOREIGN if the address is in no heap. */
static enum view_verdict find_in_heaps(struct view *view, uint64_t address,
                                       struct view_chunk *chunk)
{
    enum view_verdict verdict = VIEW_FOREIGN;
    const struct slab_copy *slab;
    struct mapped_heap heap;
    struct heap_copy copy;

    if (!heap_around(view, address, &heap))
        return VIEW_FOREIGN;
    if (heap_copy_begin(&copy, view) && heap_copy_read(&copy, &heap)) {
        *chunk = (struct view_chunk){.place = heap.base,
                                     .zone = copy.heap.zone,
                                     .arena = copy.heap.arena,
                                     .size_class = VIEW_NO_CLASS};
        slab = slab_around(&copy, address);
        verdict = slab == NULL ? VIEW_NONE : find_in_slab(&copy, slab, address, chunk);
        if (verdict == VIEW_NONE)
            verdict = find_gone(&copy, address, chunk);
    }
    heap_copy_end(&copy);
    return verdict;
}

static void describe_large(const struct view *view, const struct view_large *large,
                           struct view_chunk *chunk)
{
    const struct ft_malloc_layout *layout = &view->layout;

    *chunk = (struct view_chunk){.start = large->start,
                                 .requested = large->requested,
                                 .usable = large->mapped,
                                 .place = large->start,
                                 .zone = ZONE_LARGE,
                                 .size_class = VIEW_NO_CLASS,
                                 .state = large->live ? layout->state_live : layout->state_free};
}

static enum view_verdict find_large(struct view *view, uint64_t address, struct view_chunk *chunk)
{
    struct array list = {.items = NULL};
    enum view_verdict verdict = VIEW_FOREIGN;
    const struct view_large *large;

    if (view_list_large(view, &list) != 0)
        list.count = 0;
    large = (const struct view_large *)(const void *)list.items;
    for (size_t i = 0; i < list.count; i++) {
        uint64_t offset = address - large[i].start;

        if (address < large[i].start || offset >= large[i].mapped ||
            (offset != 0 && !large[i].live))
            continue;
        describe_large(view, &large[i], chunk);
        verdict = offset != 0 ? VIEW_INTERIOR : large[i].live ? VIEW_LIVE : VIEW_FREED;
    }
    array_end(&list);
    return verdict;
}

static enum view_verdict find_empty(struct view *view, uint64_t address, struct view_chunk *chunk)
{
    uint64_t align = view->layout.chunk_align;
    struct array list = {.items = NULL};
    enum view_verdict verdict = VIEW_FOREIGN;
    const struct view_region *region;

    if (view_list_regions(view, &list) != 0)
        list.count = 0;
    region = (const struct view_region *)(const void *)list.items;
    for (size_t i = 0; i < list.count; i++) {
        uint64_t place = (address - region[i].base) / align;
        bool live;

        if (address < region[i].base || place >= region[i].places)
            continue;
        live = view_bit(view, region[i].live, place);
        *chunk =
            (struct view_chunk){.start = region[i].base + place * align,
                                .place = region[i].base,
                                .zone = ZONE_TINY,
                                .size_class = VIEW_NO_CLASS,
                                .state = live ? view->layout.state_live : view->layout.state_free};
        if (address != chunk->start)
            verdict = live ? VIEW_INTERIOR : VIEW_NONE;
        else
            verdict = live                                   ? VIEW_LIVE
                      : view_bit(view, region[i].was, place) ? VIEW_FREED
                                                             : VIEW_NONE;
    }
    array_end(&list);
    return verdict;
}

/* Looks among the LARGE chunks that were unmapped last, the latest first. */
static enum view_verdict find_large_gone(struct view *view, uint64_t address,
                                         struct view_chunk *chunk)
{
    const struct ft_malloc_layout *layout = &view->layout;
    uint32_t bytes = layout->gone_bytes, next = 0;
    unsigned char *ring = calloc(layout->gone_count + 1, bytes);
    enum view_verdict verdict = VIEW_FOREIGN;

    if (ring != NULL && address != 0 &&
        source_read(view->source, root_of(layout->large_gone_next), &next, sizeof next) &&
        source_read(view->source, root_of(layout->large_gone), ring,
                    (size_t)layout->gone_count * bytes))
        for (uint32_t back = 1; back <= layout->gone_count && verdict == VIEW_FOREIGN; back++) {
            const unsigned char *gone = ring + (size_t)((next - back) % layout->gone_count) * bytes;

            if (get64(gone, layout->gone_address) != address)
                continue;
            *chunk = (struct view_chunk){.start = address,
                                         .requested = get64(gone, layout->gone_requested),
                                         .place = address,
                                         .zone = ZONE_LARGE,
                                         .size_class = VIEW_NO_CLASS,
                                         .state = layout->state_free};
            verdict = VIEW_FREED;
        }
    free(ring);
    return verdict;
}

enum view_verdict view_find(struct view *view, uint64_t address, struct view_chunk *chunk)
{
    struct view_chunk other = {.place = 0};
    enum view_verdict in_heap, verdict;

    *chunk = other;
    view->unread = 0;
    in_heap = find_in_heaps(view, address, chunk);
    if (in_heap == VIEW_LIVE || in_heap == VIEW_INTERIOR)
        return in_heap;
    /* Also inside of a heap, where the kernel left a hole when it failed to renew a range. */
    verdict = find_large(view, address, &other);
    if (verdict == VIEW_FOREIGN && in_heap != VIEW_FOREIGN)
        return in_heap;
    if (verdict == VIEW_FOREIGN)
        verdict = view_find_guarded(view, address, &other);
    if (verdict == VIEW_FOREIGN)
        verdict = find_empty(view, address, &other);
    if (verdict == VIEW_FOREIGN)
        verdict = find_large_gone(view, address, &other);
    if (verdict != VIEW_FOREIGN)
        *chunk = other;
    return verdict;
}

bool view_slab_at(struct view *view, uint64_t address,
                  void (*visit)(void *context, const struct view_slab *slab), void *context)
{
    const struct slab_copy *slab = NULL;
    struct view_slab described;
    struct mapped_heap heap;
    struct heap_copy copy;

    if (!heap_around(view, address, &heap))
        return false;
    if (heap_copy_begin(&copy, view) && heap_copy_read(&copy, &heap))
        slab = slab_around(&copy, address);
    if (slab != NULL) {
        heap_copy_slab(&copy, slab, &described);
        visit(context, &described);
    }
    heap_copy_end(&copy);
    return slab != NULL;
}

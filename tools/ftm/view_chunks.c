/*
 * All live chunks in the order of addresses: heaps, regions of empty chunks, LARGE mappings and
 * guarded chunks are merged. Each heap is read when its turn comes.
 */
#include "progress.h"
#include "view_private.h"

#include <stdlib.h>

/* Where chunks are: a heap, a region, or one chunk alone, LARGE or guarded. */
struct place {
    uint64_t base;
    enum { PLACE_HEAP, PLACE_REGION, PLACE_ALONE } kind;
    size_t index;
};

struct walk {
    struct view *view;
    struct array heaps, regions, alone, places;
    struct heap_copy copy;
    int (*visit)(void *context, const struct view_chunk *chunk);
    void *context;
    uint64_t end; /* of the place that was visited last */
};

static const struct mapped_heap *heap_at(const struct walk *walk, size_t index)
{
    return (const struct mapped_heap *)(const void *)walk->heaps.items + index;
}

static const struct view_region *region_at(const struct walk *walk, size_t index)
{
    return (const struct view_region *)(const void *)walk->regions.items + index;
}

static const struct view_chunk *alone_at(const struct walk *walk, size_t index)
{
    return (const struct view_chunk *)(const void *)walk->alone.items + index;
}

static void add_place(struct walk *walk, uint64_t base, int kind, size_t index)
{
    struct place *place = array_add(&walk->places);

    if (place != NULL)
        *place = (struct place){.base = base, .kind = kind, .index = index};
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;

    return (a->base > b->base) - (a->base < b->base);
}

/* Lists the chunks that have a place of their own. */
static int list_alone(struct walk *walk)
{
    struct array list = {.items = NULL};
    int result = view_list_large(walk->view, &list);
    const struct view_large *large = (const struct view_large *)(const void *)list.items;

    walk->alone.item_size = sizeof(struct view_chunk);
    for (size_t i = 0; i < list.count && result == 0; i++) {
        struct view_chunk *chunk = large[i].live ? array_add(&walk->alone) : NULL;

        if (chunk != NULL)
            *chunk = (struct view_chunk){.start = large[i].start,
                                         .requested = large[i].requested,
                                         .usable = large[i].mapped,
                                         .place = large[i].start,
                                         .zone = ZONE_LARGE,
                                         .size_class = VIEW_NO_CLASS,
                                         .state = walk->view->layout.state_live};
    }
    array_end(&list);
    return result == 0 ? view_list_guarded(walk->view, &walk->alone) : result;
}

static int list_places(struct walk *walk)
{
    if (list_alone(walk) != 0 || view_list_regions(walk->view, &walk->regions) != 0 ||
        view_list_heaps(walk->view, &walk->heaps) != 0)
        return VIEW_ERROR;
    walk->places.item_size = sizeof(struct place);
    for (size_t i = 0; i < walk->heaps.count; i++)
        add_place(walk, heap_at(walk, i)->base, PLACE_HEAP, i);
    for (size_t i = 0; i < walk->regions.count; i++)
        add_place(walk, region_at(walk, i)->base, PLACE_REGION, i);
    for (size_t i = 0; i < walk->alone.count; i++)
        add_place(walk, alone_at(walk, i)->start, PLACE_ALONE, i);
    if (walk->places.failed)
        return view_no_memory();
    if (walk->places.count > 0)
        qsort(walk->places.items, walk->places.count, sizeof(struct place), compare_places);
    return 0;
}

static int visit_heap(struct walk *walk, const struct mapped_heap *heap)
{
    if (!heap_copy_read(&walk->copy, heap))
        return 0;
    walk->end = walk->copy.heap.end;
    return heap_copy_each_chunk(&walk->copy, walk->visit, walk->context);
}

static int visit_alone(struct walk *walk, const struct view_chunk *chunk)
{
    walk->end = chunk->start + (chunk->requested > 0 ? chunk->requested : 1);
    return walk->visit(walk->context, chunk);
}

static int visit_region(struct walk *walk, const struct view_region *region)
{
    walk->end = region->base + region->places * walk->view->layout.chunk_align;
    return view_each_empty(walk->view, region, walk->visit, walk->context);
}

/*
 * Places that were read one after the other may overlap. A chunk that is live all the while never
 * begins inside of another place, so of two places that overlap the lower one is visited.
 */
static int visit_places(struct walk *walk)
{
    const struct place *places = (const struct place *)(const void *)walk->places.items;
    struct progress progress;
    int result = 0;

    progress_begin(&progress, "reading the heap", walk->places.count);
    for (size_t i = 0; i < walk->places.count && result == 0; i++) {
        progress_step(&progress, i);
        if (places[i].base < walk->end)
            continue;
        if (places[i].kind == PLACE_HEAP)
            result = visit_heap(walk, heap_at(walk, places[i].index));
        else if (places[i].kind == PLACE_REGION)
            result = visit_region(walk, region_at(walk, places[i].index));
        else
            result = visit_alone(walk, alone_at(walk, places[i].index));
    }
    progress_end(&progress);
    return result;
}

int view_each_chunk(struct view *view, int (*visit)(void *context, const struct view_chunk *chunk),
                    void *context)
{
    struct walk walk = {.view = view, .visit = visit, .context = context};
    int result;

    view->unread = 0;
    if (heap_copy_begin(&walk.copy, view)) {
        result = list_places(&walk);
        if (result == 0)
            result = visit_places(&walk);
    } else {
        result = view_no_memory();
    }
    heap_copy_end(&walk.copy);
    array_end(&walk.heaps);
    array_end(&walk.regions);
    array_end(&walk.alone);
    array_end(&walk.places);
    return result;
}

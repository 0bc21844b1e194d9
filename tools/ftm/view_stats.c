/*
 * The sums of ft_malloc_stats(), and the arenas.
 */
#include "view_private.h"

#include <stdlib.h>
#include <string.h>

struct sums {
    struct view_stats *stats;
    struct view *view;
};

static int add_heap(void *context, const struct view_heap *heap)
{
    const struct sums *sums = context;

    sums->stats->zone[heap->zone].heaps++;
    sums->stats->zone[heap->zone].mapped += heap->end - heap->base;
    return 0;
}

static int add_slab(void *context, const struct view_slab *slab)
{
    const struct sums *sums = context;
    struct view_stats *stats = sums->stats;
    enum zone zone = slab->heap->zone;

    stats->zone[zone].chunks += slab->live;
    stats->zone[zone].requested += slab->requested;
    stats->zone[zone].usable += (uint64_t)slab->live * slab->chunk_size;
    stats->zone[zone].slabs += (uint64_t)slab->units * sums->view->layout.unit_size;
    stats->zone[zone].vacant += slab->chunks - slab->live;
    return 0;
}

static int add_large(void *context, const struct view_large *large)
{
    struct view_stats *stats = ((const struct sums *)context)->stats;

    if (!large->live) {
        stats->cached += large->vacated ? 0 : large->mapped;
        return 0;
    }
    stats->zone[ZONE_LARGE].heaps++;
    stats->zone[ZONE_LARGE].chunks++;
    stats->zone[ZONE_LARGE].requested += large->requested;
    stats->zone[ZONE_LARGE].usable += large->mapped;
    stats->zone[ZONE_LARGE].slabs += large->mapped;
    stats->zone[ZONE_LARGE].mapped += large->mapped;
    return 0;
}

static int add_empty(void *context, const struct view_chunk *chunk)
{
    (void)chunk;
    ((const struct sums *)context)->stats->zone[ZONE_TINY].chunks++;
    return 0;
}

static int add_regions(struct view *view, struct sums *sums)
{
    struct array regions = {.items = NULL};
    int result = view_list_regions(view, &regions);

    for (size_t i = 0; i < regions.count && result == 0; i++)
        result = view_each_empty(view, (const struct view_region *)(const void *)regions.items + i,
                                 add_empty, sums);
    array_end(&regions);
    return result;
}

static int add_guarded(struct view *view, struct sums *sums)
{
    struct array list = {.item_size = sizeof(struct view_chunk)};
    int result = view_list_guarded(view, &list);
    const struct view_chunk *chunk = (const struct view_chunk *)(const void *)list.items;

    for (size_t i = 0; i < list.count; i++) {
        enum zone zone = chunk[i].zone;

        sums->stats->zone[zone].chunks++;
        sums->stats->zone[zone].requested += chunk[i].requested;
        sums->stats->zone[zone].usable += chunk[i].usable;
        sums->stats->zone[zone].slabs += chunk[i].usable;
        sums->stats->zone[zone].mapped += chunk[i].usable;
    }
    array_end(&list);
    return result;
}

static int count_arena(void *context, const struct view_arena *arena)
{
    (void)arena;
    ((const struct sums *)context)->stats->arenas++;
    return 0;
}

bool view_stats(struct view *view, struct view_stats *stats)
{
    struct sums sums = {.stats = stats, .view = view};
    size_t unread;
    bool fine;

    *stats = (struct view_stats){.arenas = 0};
    fine = view_each_slab(view, add_heap, add_slab, &sums) == 0;
    unread = view->unread;
    fine = fine && view_each_large(view, add_large, &sums) == 0;
    unread += view->unread;
    fine = fine && view_each_arena(view, count_arena, &sums) == 0;
    view->unread += unread;
    return fine && add_regions(view, &sums) == 0 && add_guarded(view, &sums) == 0;
}

static void count_caches(struct view *view, uint64_t cache, unsigned char *record,
                         struct view_arena *arena)
{
    const struct ft_malloc_layout *layout = &view->layout;
    struct list_walk walk = {.steps = 0};

    while (cache != 0 && list_goes_on(&walk, cache)) {
        if (!source_read(view->source, cache, record, layout->cache_bytes)) {
            view->unread++;
            return;
        }
        arena->caches++;
        arena->caches_in_use += record[layout->cache_in_use] != 0;
        cache = get64(record, layout->cache_next);
    }
}

int view_each_arena(struct view *view, int (*visit)(void *context, const struct view_arena *arena),
                    void *context)
{
    const struct ft_malloc_layout *layout = &view->layout;
    unsigned char *record = malloc((size_t)layout->arena_bytes + layout->cache_bytes);
    struct list_walk walk = {.steps = 0};
    uint64_t at = 0;
    int result = 0;

    view->unread = 0;
    if (record == NULL)
        return view_no_memory();
    if (!read64(view, root_of(layout->arenas), &at))
        view->unread++;
    while (at != 0 && result == 0 && list_goes_on(&walk, at)) {
        struct view_arena arena = {.address = at};

        if (!source_read(view->source, at, record, layout->arena_bytes)) {
            view->unread++;
            break;
        }
        arena.id = get32(record, layout->arena_id);
        arena.inbox_bytes = get64(record, layout->arena_inbox_bytes);
        count_caches(view, get64(record, layout->arena_caches), record + layout->arena_bytes,
                     &arena);
        at = get64(record, layout->arena_next);
        result = visit(context, &arena);
    }
    free(record);
    return result;
}

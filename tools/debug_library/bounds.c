/*
 * Finds the tables of libft_malloc.so.
 */
#include "bounds.h"

#include "debug/layout.h"

#pragma weak ft_malloc_bounds
#pragma weak ft_malloc_layout

static struct heap_map no_map;
static const struct outside nowhere, everywhere = {UINTPTR_MAX, UINTPTR_MAX};

static struct ft_malloc_extent know_nothing(const void *pointer)
{
    (void)pointer;
    return (struct ft_malloc_extent){NULL, 0};
}

struct bounds_tables bounds_tables = {.map = &no_map, .outside = &nowhere, .ask = know_nothing};

size_t bounds_room(const void *pointer)
{
    struct ft_malloc_extent extent;
    size_t offset, room = bounds_room_or(pointer, 0);

    /* Nothing, or not known. */
    if (room != 0)
        return room;
    extent = bounds_tables.ask(pointer);
    offset = (uintptr_t)pointer - (uintptr_t)extent.start;
    if (extent.start == NULL)
        return SIZE_MAX;
    return offset < extent.size ? extent.size - offset : 0;
}

static bool zone_is_known(const struct layout_zone *zone, bool small)
{
    return zone->heap_size == (small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE) &&
           zone->granule == (small ? SMALL_GRANULE : CHUNK_ALIGN) &&
           zone->state_size == (small ? sizeof(uint32_t) : sizeof(uint8_t)) &&
           zone->kind_shift == (small ? SMALL_KIND_SHIFT : TINY_KIND_SHIFT) &&
           zone->slack_mask == (small ? SMALL_SLACK_MAX : TINY_SLACK_MAX) &&
           zone->first_unit == (small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) &&
           zone->numbers_end == (small ? SMALL_NUMBERS_END : 0) &&
           zone->slabs == (small ? SMALL_SLABS_OFFSET : TINY_SLABS_OFFSET) &&
           zone->slab_stride == (small ? SMALL_SLAB_STRIDE : TINY_SLAB_STRIDE);
}

/* Whether heaps and the heap map are made as this library was compiled for. */
static bool is_known(const struct ft_malloc_layout *layout)
{
    return layout->version == LAYOUT_VERSION &&
           layout->size >= offsetof(struct ft_malloc_layout, outside) + sizeof layout->outside &&
           zone_is_known(&layout->tiny, false) && zone_is_known(&layout->small, true) &&
           layout->unit_size == UNIT_SIZE && layout->state_live == STATE_LIVE &&
           layout->class_count == SIZE_CLASSES && layout->tiny_classes == TINY_CLASSES &&
           layout->slab_identity == offsetof(struct slab, identity) &&
           layout->map_shift == HEAP_SHIFT && layout->map_units_shift == MAP_UNITS_SHIFT &&
           layout->map_tag_small == TAG_SMALL &&
           layout->map_empty == offsetof(struct heap_map, empty) &&
           layout->map_root == offsetof(struct heap_map, root) &&
           layout->map_root_count == MAP_ROOT_SIZE && layout->map_leaf_count == MAP_LEAF_SIZE;
}

bool bounds_begin(void)
{
    const struct ft_malloc_layout *layout = &ft_malloc_layout;

    if (ft_malloc_bounds == NULL)
        return false;
    bounds_tables.ask = ft_malloc_bounds;
    bounds_tables.outside = &everywhere;
    if (layout == NULL || !is_known(layout))
        return true;
    for (unsigned n = 0; n < SIZE_CLASSES; n++) {
        const struct size_class *shape =
            (const void *)((const char *)layout->size_classes + n * layout->class_stride);

        bounds_tables.of[n].size = shape->size;
        bounds_tables.of[n].inverse = shape->inverse;
    }
    bounds_tables.hardened = *(const bool *)layout->hardened;
    bounds_tables.outside = layout->outside;
    bounds_tables.map = layout->heap_map;
    return true;
}

/*
 * Opening a view: finding the layout, and checking that everything in it makes sense. The other
 * parts rely on these checks.
 */
#include "view_private.h"

#include "command.h"
#include "layout_find.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 16 << 20, RECORD_MAX = 1 << 20, CLASSES_MAX = 256 };

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Whether `bytes` bytes at the offset are in a record of this size. */
static bool inside(uint32_t offset, uint64_t bytes, uint32_t record)
{
    return record <= RECORD_MAX && offset <= record && bytes <= record - offset;
}

static bool zone_is_sound(const struct ft_malloc_layout *layout, const struct layout_zone *zone)
{
    uint64_t header = (uint64_t)zone->first_unit * layout->unit_size;
    uint64_t numbers = zone->numbers_end == 0 ? 0 : zone->heap_size / layout->unit_size * 2;

    return power_of_two(zone->heap_size) && zone->heap_size >> layout->map_shift != 0 &&
           zone->first_unit > 0 && header <= HEADER_MAX && header < zone->heap_size &&
           zone->header <= header && layout->heap_bytes <= header - zone->header &&
           zone->slabs <= header && zone->slab_stride > 0 && zone->slab_stride <= RECORD_MAX &&
           zone->slab_count <= (header - zone->slabs) / zone->slab_stride &&
           numbers <= zone->numbers_end && zone->numbers_end <= header &&
           (zone->unit_classes_count == 0 || power_of_two(zone->unit_classes_count)) &&
           zone->unit_classes <= header && zone->unit_classes_count <= header &&
           power_of_two(zone->granule) && zone->granule <= layout->unit_size &&
           (zone->state_size == 1 || zone->state_size == 4) &&
           (uint64_t)zone->heap_size / zone->granule * zone->state_size <= header &&
           zone->slabs % 8 == 0 && zone->slab_stride % 8 == 0 && layout->slab_vacant % 8 == 0 &&
           zone->kind_shift < 32 && zone->place_shift < 32 && zone->class_shift < 32 &&
           inside(layout->slab_identity, 8, zone->slab_stride);
}

static bool heap_is_sound(const struct ft_malloc_layout *layout)
{
    const uint32_t bitmaps[] = {layout->heap_vacant, layout->heap_dirty,    layout->heap_aged,
                                layout->heap_lost,   layout->heap_reserved, layout->heap_guards};
    uint64_t bytes = (uint64_t)layout->heap_bitmap_words * sizeof(uint64_t);
    bool sound = inside(layout->heap_arena, 8, layout->heap_bytes) &&
                 inside(layout->heap_base, 8, layout->heap_bytes) &&
                 inside(layout->heap_reserved_size, 8, layout->heap_bytes) &&
                 inside(layout->heap_units, 4, layout->heap_bytes) &&
                 inside(layout->heap_number, 8, layout->heap_bytes) &&
                 bytes * 8 >= layout->small.heap_size / layout->unit_size;

    for (unsigned i = 0; i < sizeof bitmaps / sizeof bitmaps[0]; i++)
        sound = sound && inside(bitmaps[i], bytes, layout->heap_bytes);
    return sound;
}

static bool large_is_sound(const struct ft_malloc_layout *layout)
{
    return layout->large_bytes > 0 && inside(layout->large_address, 8, layout->large_bytes) &&
           inside(layout->large_requested, 8, layout->large_bytes) &&
           inside(layout->large_mapped, 8, layout->large_bytes) &&
           inside(layout->large_reserved, 8, layout->large_bytes) &&
           inside(layout->large_was, 8, layout->large_bytes) &&
           inside(layout->large_guarded, 1, layout->large_bytes) &&
           inside(layout->large_vacated, 1, layout->large_bytes) &&
           inside(layout->large_block_next, 8, layout->large_block_items) &&
           inside(layout->large_block_count, 4, layout->large_block_items) &&
           inside(layout->large_block_items, layout->large_bytes, layout->large_block_bytes) &&
           layout->gone_count <= RECORD_MAX / 16 && layout->gone_bytes <= 64 &&
           inside(layout->gone_address, 8, layout->gone_bytes) &&
           inside(layout->gone_requested, 8, layout->gone_bytes);
}

static bool rest_is_sound(const struct ft_malloc_layout *layout)
{
    return layout->map_root_count <= 1 << 20 && layout->map_leaf_count <= 1 << 16 &&
           layout->map_leaf_count > 0 && layout->map_units_shift < 32 &&
           inside(layout->arena_next, 8, layout->arena_bytes) &&
           inside(layout->arena_id, 4, layout->arena_bytes) &&
           inside(layout->arena_caches, 8, layout->arena_bytes) &&
           inside(layout->arena_inbox_bytes, 8, layout->arena_bytes) &&
           inside(layout->cache_next, 8, layout->cache_bytes) &&
           inside(layout->cache_in_use, 1, layout->cache_bytes) &&
           inside(layout->region_base, 8, layout->region_bytes) &&
           inside(layout->region_places, 8, layout->region_bytes) &&
           inside(layout->region_next, 8, layout->region_bytes) &&
           inside(layout->region_was, 8, layout->region_bytes) &&
           layout->region_live <= layout->region_bytes && layout->slab_class_shift < 64 &&
           layout->slab_unit_shift < 64;
}

static bool layout_is_sound(const struct ft_malloc_layout *layout)
{
    return power_of_two(layout->unit_size) && layout->unit_size >= 4096 &&
           layout->unit_size <= 1 << 20 && power_of_two(layout->chunk_align) &&
           layout->map_shift >= 16 && layout->map_shift < 32 &&
           layout->class_count <= CLASSES_MAX && layout->tiny_classes <= layout->class_count &&
           inside(layout->class_size, 4, layout->class_stride) &&
           inside(layout->class_chunks, 2, layout->class_stride) &&
           inside(layout->class_units, 2, layout->class_stride) && layout->class_stride <= 64 &&
           zone_is_sound(layout, &layout->tiny) && zone_is_sound(layout, &layout->small) &&
           heap_is_sound(layout) && large_is_sound(layout) && rest_is_sound(layout);
}

/* Reads what this version of ftm knows of the layout. Says what is wrong. */
static bool read_layout(struct view *view)
{
    enum { BASE_END = offsetof(struct ft_malloc_layout, base_end) };
    const char *name = source_name(view->source);
    struct ft_malloc_layout *layout = &view->layout;
    uint32_t size;

    if (!source_read(view->source, view->layout_address, layout, BASE_END) ||
        memcmp(layout->magic, LAYOUT_MAGIC, LAYOUT_MAGIC_SIZE) != 0) {
        say("%s: the description of the library's records (ft_malloc_layout) is not readable",
            name);
        return false;
    }
    if (layout->version != LAYOUT_VERSION) {
        say("%s: its libft_malloc (%.15s) describes its records in version %u; this ftm reads "
            "version %u",
            name, layout->library, layout->version, (unsigned)LAYOUT_VERSION);
        return false;
    }
    size = layout->size < sizeof *layout ? layout->size : (uint32_t)sizeof *layout;
    if (layout->size < BASE_END || !source_read(view->source, view->layout_address, layout, size) ||
        !layout_is_sound(layout)) {
        say("%s: the description of the library's records (ft_malloc_layout) is broken", name);
        return false;
    }
    return true;
}

static bool class_is_sound(const struct view *view, unsigned number)
{
    const struct ft_malloc_layout *layout = &view->layout;
    const struct view_class *class = &view->classes[number];
    const struct layout_zone *zone = number < layout->tiny_classes ? &layout->tiny : &layout->small;
    uint32_t words = (class->chunks + 63) / 64;

    return class->size > 0 && class->size % layout->chunk_align == 0 && class->chunks > 0 &&
           class->units > 0 &&
           (uint64_t) class->chunks * class->size <= (uint64_t) class->units * layout->unit_size &&
           inside(layout->slab_vacant, words * sizeof(uint64_t), zone->slab_stride);
}

/* Reads the table of classes, which is in read-only data. */
static bool read_classes(struct view *view)
{
    const struct ft_malloc_layout *layout = &view->layout;
    size_t size = (size_t)layout->class_count * layout->class_stride;
    unsigned char *table = malloc(size + 1);
    bool sound = true;

    view->classes = calloc(layout->class_count + 1, sizeof *view->classes);
    if (table == NULL || view->classes == NULL) {
        free(table);
        view_no_memory();
        return false;
    }
    if (!source_read(view->source, root_of(layout->size_classes), table, size)) {
        say("%s: it lacks the library's constants; keep the library's file where it was, or set "
            "bit 2 of coredump_filter",
            source_name(view->source));
        free(table);
        return false;
    }
    for (unsigned i = 0; i < layout->class_count && sound; i++) {
        const unsigned char *class = table + (size_t)i * layout->class_stride;

        view->classes[i] = (struct view_class){.size = get32(class, layout->class_size),
                                               .chunks = get16(class, layout->class_chunks),
                                               .units = get16(class, layout->class_units)};
        sound = class_is_sound(view, i);
    }
    free(table);
    if (!sound)
        say("%s: the library's table of size classes is broken", source_name(view->source));
    return sound;
}

static bool open_view(struct view *view)
{
    const char *name = source_name(view->source);
    uint8_t hardened = 0;

    view->layout_address = layout_find(view->source, false);
    if (view->layout_address == 0) {
        say(source_kind(view->source) == SOURCE_LIVE
                ? "process %s does not run on libft_malloc, or on a version without "
                  "ft_malloc_layout"
                : "%s: there is no libft_malloc in it, or one without ft_malloc_layout",
            name);
        return false;
    }
    if (!read_layout(view) || !read_classes(view))
        return false;
    if (!source_read(view->source, root_of(view->layout.hardened), &hardened, 1)) {
        say("%s: the library's options are not readable", name);
        return false;
    }
    view->hardened = hardened != 0;
    return true;
}

struct view *view_open(struct source *source)
{
    struct view *view = calloc(1, sizeof *view);

    if (view == NULL) {
        view_no_memory();
        return NULL;
    }
    view->source = source;
    if (open_view(view))
        return view;
    view_close(view);
    return NULL;
}

void view_close(struct view *view)
{
    if (view == NULL)
        return;
    free(view->classes);
    free(view);
}

struct source *view_source(struct view *view)
{
    return view->source;
}

const struct ft_malloc_layout *view_layout(const struct view *view)
{
    return &view->layout;
}

uint64_t view_layout_address(const struct view *view)
{
    return view->layout_address;
}

bool view_hardened(const struct view *view)
{
    return view->hardened;
}

unsigned view_class_size(const struct view *view, unsigned size_class)
{
    return size_class < view->layout.class_count ? view->classes[size_class].size : 0;
}

size_t view_unread(const struct view *view)
{
    return view->unread;
}

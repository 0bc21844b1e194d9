/*
 * The description itself. It contains addresses, so it is among the data that the dynamic linker
 * makes read-only after it has filled them in; a core file therefore has it, too.
 */
#include "debug/layout.h"

#include "ft_malloc.h"

#include "arena/cache.h"
#include "bins/empty.h"
#include "bins/slab.h"
#include "large/registry.h"

#include <stddef.h>

static_assert(sizeof LAYOUT_MAGIC - 1 == LAYOUT_MAGIC_SIZE, "the magic bytes fill their member");
static_assert(sizeof FT_MALLOC_VERSION <= sizeof ft_malloc_layout.library, "the version fits");
static_assert(sizeof(((struct heap *)NULL)->vacant) == UNIT_WORDS * sizeof(uint64_t),
              "bit maps are as long as the layout says");

__attribute__((used)) const struct ft_malloc_layout ft_malloc_layout = {
    .magic = LAYOUT_MAGIC,
    .self = &ft_malloc_layout,
    .version = LAYOUT_VERSION,
    .size = sizeof ft_malloc_layout,
    .library = FT_MALLOC_VERSION,

    .tiny =
        {
            .heap_size = TINY_HEAP_SIZE,
            .header = TINY_HEADER_OFFSET,
            .first_unit = TINY_FIRST_UNIT,
            .slabs = TINY_SLABS_OFFSET,
            .slab_stride = TINY_SLAB_STRIDE,
            .slab_count = TINY_UNITS,
            .granule = CHUNK_ALIGN,
            .state_size = sizeof(uint8_t),
            TINY_STATE_BITS,
        },
    .small =
        {
            .heap_size = SMALL_HEAP_SIZE,
            .header = SMALL_HEADER_OFFSET,
            .first_unit = SMALL_FIRST_UNIT,
            .slabs = SMALL_SLABS_OFFSET,
            .slab_stride = SMALL_SLAB_STRIDE,
            .slab_count = SMALL_SLABS,
            .numbers_end = SMALL_NUMBERS_END,
            .granule = SMALL_GRANULE,
            .state_size = sizeof(uint32_t),
            SMALL_STATE_BITS,
        },
    .chunk_align = CHUNK_ALIGN,
    .unit_size = UNIT_SIZE,
    .state_none = STATE_NONE,
    .state_live = STATE_LIVE,
    .state_free = STATE_FREE,
    .state_remote = STATE_REMOTE,
    .hardened = &options.harden,

    .size_classes = size_classes,
    .class_count = SIZE_CLASSES,
    .tiny_classes = TINY_CLASSES,
    .class_stride = sizeof(struct size_class),
    .class_size = offsetof(struct size_class, size),
    .class_chunks = offsetof(struct size_class, chunks),
    .class_units = offsetof(struct size_class, units),

    .heap_map = &heap_map,
    .map_empty = offsetof(struct heap_map, empty),
    .map_root = offsetof(struct heap_map, root),
    .map_root_count = MAP_ROOT_SIZE,
    .map_leaf_count = MAP_LEAF_SIZE,
    .map_shift = HEAP_SHIFT,
    .map_units_shift = MAP_UNITS_SHIFT,
    .map_tag_small = TAG_SMALL,

    .heap_bytes = sizeof(struct heap),
    .heap_arena = offsetof(struct heap, arena),
    .heap_base = offsetof(struct heap, base),
    .heap_reserved_size = offsetof(struct heap, size),
    .heap_units = offsetof(struct heap, units),
    .heap_number = offsetof(struct heap, number),
    .heap_bitmap_words = UNIT_WORDS,
    .heap_vacant = offsetof(struct heap, vacant),
    .heap_dirty = offsetof(struct heap, dirty),
    .heap_aged = offsetof(struct heap, aged),
    .heap_lost = offsetof(struct heap, lost),
    .heap_reserved = offsetof(struct heap, reserved),
    .heap_guards = offsetof(struct heap, guards),

    .slab_identity = offsetof(struct slab, identity),
    SLAB_IDENTITY_BITS,
    .slab_vacant = offsetof(struct slab, vacant),

    .arenas = &arena_list,
    .arena_bytes = sizeof(struct arena),
    .arena_next = offsetof(struct arena, next),
    .arena_id = offsetof(struct arena, id),
    .arena_caches = offsetof(struct arena, caches),
    .arena_inbox_bytes = offsetof(struct arena, inbox_bytes),
    .cache_bytes = sizeof(struct cache),
    .cache_next = offsetof(struct cache, next),
    .cache_in_use = offsetof(struct cache, in_use),
    .cache_remote_frees = offsetof(struct cache, remote_frees),

    .large_first = large_registry_first,
    .large_first_used = &large_registry.first_used,
    .large_blocks = &large_registry.blocks,
    .large_block_next = offsetof(struct large_block, next),
    .large_block_count = offsetof(struct large_block, count),
    .large_block_items = offsetof(struct large_block, items),
    .large_block_bytes = REGISTRY_BLOCK_SIZE,
    .large_bytes = sizeof(struct large),
    .large_address = offsetof(struct large, address),
    .large_requested = offsetof(struct large, requested),
    .large_mapped = offsetof(struct large, mapped),
    .large_reserved = offsetof(struct large, reserved),
    .large_was = offsetof(struct large, was),
    .large_guarded = offsetof(struct large, guarded),
    .large_vacated = offsetof(struct large, vacated),
    .large_freed_at = offsetof(struct large, freed_at),
    .large_gone = large_registry.gone,
    .large_gone_next = &large_registry.gone_next,
    .gone_count = REGISTRY_GONE,
    .gone_bytes = sizeof(struct large_gone),
    .gone_address = offsetof(struct large_gone, address),
    .gone_requested = offsetof(struct large_gone, requested),

    .empty_regions = &empty_regions,
    .region_bytes = sizeof(struct empty_region),
    .region_base = offsetof(struct empty_region, base),
    .region_places = offsetof(struct empty_region, places),
    .region_next = offsetof(struct empty_region, next),
    .region_was = offsetof(struct empty_region, was),
    .region_live = offsetof(struct empty_region, live),

    .base_end = offsetof(struct ft_malloc_layout, base_end),
};

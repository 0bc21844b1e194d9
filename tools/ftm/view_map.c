/*
 * The heap map tells of all heaps without a list that could be cut while it is followed.
 */
#include "view_private.h"

#include <stdlib.h>

/* Where the leaf for a root entry is, or 0 if it is the empty one. */
static uint64_t leaf_of(const struct view *view, uint64_t distance)
{
    return distance == 0 ? 0 : root_of(view->layout.heap_map) + view->layout.map_empty + distance;
}

uint32_t view_map_entry(struct view *view, uint64_t address)
{
    const struct ft_malloc_layout *layout = &view->layout;
    uint64_t number = address >> layout->map_shift, distance, leaf;
    uint64_t root = root_of(layout->heap_map) + layout->map_root;
    uint32_t entry;

    if (number / layout->map_leaf_count >= layout->map_root_count ||
        !read64(view, root + number / layout->map_leaf_count * sizeof distance, &distance))
        return 0;
    leaf = leaf_of(view, distance);
    if (leaf == 0 ||
        !source_read(view->source, leaf + number % layout->map_leaf_count * sizeof entry, &entry,
                     sizeof entry))
        return 0;
    return entry;
}

/* Adds the heaps of a leaf, whose first entry stands for this address. */
static void add_heaps(struct view *view, uint64_t address, const uint32_t *entries,
                      struct array *heaps)
{
    for (uint32_t i = 0; i < view->layout.map_leaf_count; i++) {
        uint64_t base = address + ((uint64_t)i << view->layout.map_shift);
        uint16_t tag = (uint16_t)entries[i];
        struct mapped_heap *heap;

        if (tag == 0 || (base & (layout_zone(view, tag_zone(view, tag))->heap_size - 1)) != 0)
            continue;
        heap = array_add(heaps);
        if (heap != NULL)
            *heap = (struct mapped_heap){.base = base, .tag = tag};
    }
}

static int list_leaves(struct view *view, const uint64_t *root, struct array *heaps)
{
    const struct ft_malloc_layout *layout = &view->layout;
    size_t size = layout->map_leaf_count * sizeof(uint32_t);
    uint32_t *entries = malloc(size);

    for (uint64_t i = 0; i < layout->map_root_count && entries != NULL; i++) {
        uint64_t leaf = leaf_of(view, root[i]);
        uint64_t address = i * layout->map_leaf_count << layout->map_shift;

        if (leaf == 0)
            continue;
        if (source_read(view->source, leaf, entries, size))
            add_heaps(view, address, entries, heaps);
        else
            view->unread++;
    }
    free(entries);
    return entries == NULL || heaps->failed ? view_no_memory() : 0;
}

int view_list_heaps(struct view *view, struct array *heaps)
{
    const struct ft_malloc_layout *layout = &view->layout;
    size_t size = layout->map_root_count * sizeof(uint64_t);
    uint64_t *root = malloc(size + 1);
    int result = 0;

    heaps->item_size = sizeof(struct mapped_heap);
    if (root == NULL)
        return view_no_memory();
    if (source_read(view->source, root_of(layout->heap_map) + layout->map_root, root, size))
        result = list_leaves(view, root, heaps);
    else
        view->unread++;
    free(root);
    return result;
}

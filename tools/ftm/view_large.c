/*
 * LARGE mappings, and chunks of 0 bytes.
 */
#include "view_private.h"

#include <stdlib.h>
#include <string.h>

/* Adds a mapping that the descriptor describes, or nothing if it is unused. */
static void add_large(const struct view *view, const unsigned char *record, struct array *list)
{
    const struct ft_malloc_layout *layout = &view->layout;
    uint64_t requested = get64(record, layout->large_requested);
    uint64_t address = get64(record, layout->large_address);
    struct view_large *large = address == 0 ? NULL : array_add(list);

    if (large != NULL)
        *large = (struct view_large){
            .start = address,
            .requested = requested != 0 ? requested - 1 : get64(record, layout->large_was),
            .mapped = get64(record, layout->large_mapped),
            .reserved = get64(record, layout->large_reserved),
            .live = requested != 0,
            .guarded = record[layout->large_guarded] != 0,
            .vacated = record[layout->large_vacated] != 0,
        };
}

/*
 * Reads descriptors twice, so that none counts that was part of one chunk in one member and part of
 * another one in the next: it counts if it belonged to the same address and had the same size both
 * times. One that is busy is asked again.
 */
static bool settle(struct view *view, uint64_t address, unsigned char *items, size_t count,
                   unsigned char *again)
{
    enum { TRIES = 8 };
    const struct ft_malloc_layout *layout = &view->layout;
    uint32_t bytes = layout->large_bytes;

    if (!source_read(view->source, address, again, count * bytes))
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned char *one = items + i * bytes, *other = again + i * bytes;

        for (unsigned tries = 0;
             tries < TRIES &&
             (get64(one, layout->large_address) != get64(other, layout->large_address) ||
              get64(one, layout->large_requested) != get64(other, layout->large_requested));
             tries++) {
            memcpy(one, other, bytes);
            if (!source_read(view->source, address + i * bytes, other, bytes))
                return false;
        }
    }
    return true;
}

/* Adds the mappings of an array of descriptors. */
static void add_items(struct view *view, uint64_t address, size_t count, struct array *list)
{
    uint32_t bytes = view->layout.large_bytes;
    unsigned char *items = calloc(2 * count + 1, bytes);
    unsigned char *again = items == NULL ? NULL : items + count * bytes;

    if (items == NULL)
        list->failed = true;
    else if (!source_read(view->source, address, items, count * bytes) ||
             (source_kind(view->source) == SOURCE_LIVE &&
              !settle(view, address, items, count, again)))
        view->unread++;
    else
        for (size_t i = 0; i < count; i++)
            add_large(view, items + i * bytes, list);
    free(items);
}

static int compare_large(const void *left, const void *right)
{
    const struct view_large *a = left, *b = right;

    return (a->start > b->start) - (a->start < b->start);
}

static void add_block(struct view *view, uint64_t block, struct array *list, uint64_t *next)
{
    const struct ft_malloc_layout *layout = &view->layout;
    uint32_t count,
        most = (layout->large_block_bytes - layout->large_block_items) / layout->large_bytes;

    if (!read64(view, block + layout->large_block_next, next) ||
        !source_read(view->source, block + layout->large_block_count, &count, sizeof count)) {
        view->unread++;
        *next = 0;
        return;
    }
    add_items(view, block + layout->large_block_items, count < most ? count : most, list);
}

int view_list_large(struct view *view, struct array *large)
{
    enum { FIRST_MAX = 4096 };
    const struct ft_malloc_layout *layout = &view->layout;
    struct list_walk walk = {.steps = 0};
    uint32_t used;
    uint64_t block, next;

    large->item_size = sizeof(struct view_large);
    if (!source_read(view->source, root_of(layout->large_first_used), &used, sizeof used) ||
        used > FIRST_MAX || !read64(view, root_of(layout->large_blocks), &block)) {
        view->unread++;
        return 0;
    }
    add_items(view, root_of(layout->large_first), used, large);
    for (; block != 0 && !large->failed && list_goes_on(&walk, block); block = next)
        add_block(view, block, large, &next);
    if (large->failed)
        return view_no_memory();
    if (large->count > 0)
        qsort(large->items, large->count, sizeof(struct view_large), compare_large);
    return 0;
}

int view_each_large(struct view *view, int (*visit)(void *context, const struct view_large *large),
                    void *context)
{
    struct array list = {.items = NULL};
    int result;

    view->unread = 0;
    result = view_list_large(view, &list);
    for (size_t i = 0; i < list.count && result == 0; i++)
        result = visit(context, (const struct view_large *)(const void *)list.items + i);
    array_end(&list);
    return result;
}

int view_list_regions(struct view *view, struct array *regions)
{
    const struct ft_malloc_layout *layout = &view->layout;
    unsigned char *record = malloc(layout->region_bytes + 1);
    struct list_walk walk = {.steps = 0};
    uint64_t at = 0;

    regions->item_size = sizeof(struct view_region);
    if (record == NULL)
        return view_no_memory();
    if (!read64(view, root_of(layout->empty_regions), &at))
        view->unread++;
    while (at != 0 && list_goes_on(&walk, at)) {
        struct view_region *region = array_add(regions);

        if (region == NULL || !source_read(view->source, at, record, layout->region_bytes)) {
            view->unread++;
            regions->count -= region != NULL;
            break;
        }
        *region = (struct view_region){.base = get64(record, layout->region_base),
                                       .places = get64(record, layout->region_places),
                                       .live = at + layout->region_live,
                                       .was = get64(record, layout->region_was)};
        at = get64(record, layout->region_next);
    }
    free(record);
    return regions->failed ? view_no_memory() : 0;
}

bool view_bit(struct view *view, uint64_t bits, uint64_t place)
{
    uint64_t word;

    return read64(view, bits + place / 64 * sizeof word, &word) && (word >> (place % 64) & 1) != 0;
}

/* Visits the places of a word of the bit map, of which the first is at `start`. */
static int each_bit(const struct view *view, uint64_t word, struct view_chunk *chunk,
                    uint64_t start, int (*visit)(void *context, const struct view_chunk *chunk),
                    void *context)
{
    int result = 0;

    for (; word != 0 && result == 0; word &= word - 1) {
        chunk->start = start + (uint64_t)__builtin_ctzll(word) * view->layout.chunk_align;
        result = visit(context, chunk);
    }
    return result;
}

int view_each_empty(struct view *view, const struct view_region *region,
                    int (*visit)(void *context, const struct view_chunk *chunk), void *context)
{
    enum { WORDS = 1024 };
    uint64_t words[WORDS], all = region->places / 64;
    struct view_chunk chunk = {.place = region->base,
                               .zone = ZONE_TINY,
                               .size_class = VIEW_NO_CLASS,
                               .state = view->layout.state_live};
    int result = 0;

    for (uint64_t first = 0; first < all && result == 0; first += WORDS) {
        uint64_t count = all - first < WORDS ? all - first : WORDS;

        if (!source_read(view->source, region->live + first * sizeof words[0], words,
                         count * sizeof words[0])) {
            view->unread++;
            break;
        }
        for (uint64_t i = 0; i < count && result == 0; i++)
            result = each_bit(view, words[i], &chunk,
                              region->base + (first + i) * 64 * view->layout.chunk_align, visit,
                              context);
    }
    return result;
}

/*
 * Free entries of the table of live chunks: debug/live_table.h.
 */
#include "snapshot_unused.h"

#include "sites_reading.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

struct search {
    struct ranges *blocks;
    uint64_t entry_bytes;
};

static void add_block(void *context, uint64_t address, uint64_t entries)
{
    const struct search *search = context;

    ranges_add(search->blocks, address, entries * search->entry_bytes);
}

static int compare(const void *left, const void *right)
{
    const struct range *a = left, *b = right;

    return (a->start > b->start) - (a->start < b->start);
}

void snapshot_unused_find(struct view *view, struct ranges *blocks)
{
    struct search search = {blocks, view_layout(view)->live_bytes};
    size_t kept = 0;

    live_each_block(view_source(view), view_layout(view), add_block, &search);
    if (blocks->count > 0)
        qsort(blocks->list, blocks->count, sizeof blocks->list[0], compare);
    /* Blocks that overlap are those of a broken source. */
    for (size_t i = 0; i < blocks->count; i++)
        if (kept == 0 || blocks->list[i].start >= blocks->list[kept - 1].end)
            blocks->list[kept++] = blocks->list[i];
    blocks->count = kept;
}

/* Entries that are only in part in the copy stay as they are. */
static void clear_block(const struct ft_malloc_layout *layout, const struct range *block,
                        uint64_t address, char *copy, size_t size)
{
    uint64_t bytes = layout->live_bytes, end = address + size;
    uint64_t skipped = address > block->start ? (address - block->start + bytes - 1) / bytes : 0;

    end = end < block->end ? end : block->end;
    for (uint64_t at = block->start + skipped * bytes; at < end && end - at >= bytes; at += bytes)
        if (word_at(copy + (at - address), layout->live_address) == 0)
            memset(copy + (at - address), 0, bytes);
}

void snapshot_unused_clear(struct view *view, const struct ranges *blocks, uint64_t address,
                           char *copy, size_t size)
{
    for (size_t i = 0; i < blocks->count; i++)
        if (blocks->list[i].start < address + size && blocks->list[i].end > address)
            clear_block(view_layout(view), &blocks->list[i], address, copy, size);
}

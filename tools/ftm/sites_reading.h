/*
 * Between the files that read the tables of a source: the root and the sites (sites_read.c), the
 * blocks that they are in (sites_blocks.c), and the live chunks (sites_live.c).
 */
#ifndef FTM_SITES_READING_H
#define FTM_SITES_READING_H

#include "source.h"
#include "view.h"

#include <string.h>

struct sites;

/* Larger numbers in a layout are taken for errors. */
enum { DEPTH_MAX = 4096, SHIFT_MAX = 20, BLOCKS_MAX = 1 << 20, ITEM_MAX = 4096 };

/* A table in blocks: items of one size, numbered. */
struct blocks {
    char **blocks; /* NULL: there is none, or it cannot be read */
    size_t count;
    unsigned shift; /* a block has 1 << shift items */
    size_t item_bytes;
};

struct reading {
    struct view *view;
    struct source *source;
    const struct ft_malloc_layout *layout;
    char *table;
    size_t table_size;
    struct blocks sites, nodes;
    struct sites *out;
    uint64_t now, began, peak_number;
    bool clock_known; /* else `now` is the last time that the tables tell */
    size_t bytes;     /* of all blocks that were read */
    uint64_t entries; /* of live chunks that were read */
};

static inline uint64_t word_at(const char *record, uint32_t offset)
{
    uint64_t word;

    memcpy(&word, record + offset, sizeof(word));
    return word;
}

static inline uint32_t half_at(const char *record, uint32_t offset)
{
    uint32_t half;

    memcpy(&half, record + offset, sizeof(half));
    return half;
}

static inline uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

/* Whether the offsets of the layout can be followed at all, in either table. */
bool sites_layout_is_sane(const struct ft_malloc_layout *layout);
bool live_layout_is_sane(const struct ft_malloc_layout *layout);

/* Reads the blocks that hold the numbers below `numbers`. Their pointers are in the table. */
void blocks_read(struct reading *reading, struct blocks *blocks, uint32_t pointers,
                 uint32_t numbers);
void blocks_free(struct blocks *blocks);

/* The item with that number, or NULL. */
const char *blocks_at(const struct blocks *blocks, uint32_t number);

/* Calls `visit` for each block of the table of live chunks; a broken source may name any memory. */
void live_each_block(struct source *source, const struct ft_malloc_layout *layout,
                     void (*visit)(void *context, uint64_t address, uint64_t entries),
                     void *context);

/* Reads all live chunks into reading->out, and what the time is, as far as they tell. */
void live_read(struct reading *reading);

#endif

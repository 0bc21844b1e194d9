/*
 * Finds the chunk around an address in constant time. For each 16 bytes of address space that hold
 * chunks there is a bit that says whether one starts there, and with each 64 bits a count of the
 * chunks in front of them. So the number of bits up to an address is the number of its chunk.
 */
#ifndef FTM_CHUNK_INDEX_H
#define FTM_CHUNK_INDEX_H

#include "mark.h"

enum {
    CHUNK_INDEX_ADDRESS_BITS = 48,
    CHUNK_INDEX_WINDOW_SHIFT = 20,
    CHUNK_INDEX_TABLE_BITS = (CHUNK_INDEX_ADDRESS_BITS - CHUNK_INDEX_WINDOW_SHIFT) / 2,
    CHUNK_INDEX_TABLE = 1 << CHUNK_INDEX_TABLE_BITS,
    CHUNK_INDEX_CELL_SHIFT = 10, /* 64 bits of 16 bytes */
    CHUNK_INDEX_CELLS = 1 << (CHUNK_INDEX_WINDOW_SHIFT - CHUNK_INDEX_CELL_SHIFT),
    CHUNK_INDEX_NONE = -1
};

struct chunk_index_cell {
    uint64_t starts;
    uint64_t before; /* chunks that start in front of the cell */
};

/*
 * Address space is cut into windows of 1 MiB; those in which a chunk starts have cells. Chunks that
 * reach into a later window are also in a list of their own, which is searched for addresses in
 * windows without cells, so that a huge chunk costs no more than a small one.
 */
struct chunk_index {
    const struct mark_chunk *chunks;
    uint64_t low, span; /* from the first chunk's start to the last one's end */
    struct chunk_index_cell **tables[CHUNK_INDEX_TABLE];
    size_t *crossing;
    size_t crossings, crossing_room;
    /* Cells, all in one piece, and how many are used. */
    struct chunk_index_cell *cells;
    size_t cell_room, cell_count;
};

/* The chunks are sorted and do not overlap. Returns NULL without memory. */
struct chunk_index *chunk_index_make(const struct mark_chunk *chunks, size_t count);
void chunk_index_free(struct chunk_index *index);

/* What chunk_index_find() does for windows without cells. */
int64_t chunk_index_find_crossing(const struct chunk_index *index, uint64_t address);

/* Returns whether the address is near chunks. Most words of memory are not: this is quick. */
static inline bool chunk_index_may(const struct chunk_index *index, uint64_t address)
{
    return address - index->low <= index->span;
}

static inline struct chunk_index_cell *chunk_index_cell(const struct chunk_index *index,
                                                        uint64_t address)
{
    uint64_t window = address >> CHUNK_INDEX_WINDOW_SHIFT;
    struct chunk_index_cell **table = index->tables[window >> CHUNK_INDEX_TABLE_BITS];
    struct chunk_index_cell *cells = table == NULL ? NULL : table[window & (CHUNK_INDEX_TABLE - 1)];

    return cells == NULL ? NULL
                         : cells + (address >> CHUNK_INDEX_CELL_SHIFT & (CHUNK_INDEX_CELLS - 1));
}

/* Without the instruction, which not all processors have, and so without a call. */
static inline unsigned chunk_index_bits(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

/*
 * Returns the number of the last chunk that starts at or before the address, or CHUNK_INDEX_NONE,
 * and stores whether it starts there. The caller compares with the chunk's end. The address is one
 * of which chunk_index_may() is true.
 */
static inline int64_t chunk_index_find(const struct chunk_index *index, uint64_t address,
                                       bool *start)
{
    const struct chunk_index_cell *cell = chunk_index_cell(index, address);
    uint64_t up_to;

    *start = false;
    if (cell == NULL)
        return chunk_index_find_crossing(index, address);
    up_to = cell->starts << (63 - (address >> 4 & 63));
    *start = up_to >> 63 != 0 && address % 16 == 0;
    return (int64_t)(cell->before + chunk_index_bits(up_to)) - 1;
}

#endif

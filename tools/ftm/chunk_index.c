/*
 * Making the index.
 */
#include "chunk_index.h"

#include "pool.h"

#include <stdlib.h>

enum { TABLE = CHUNK_INDEX_TABLE, CELLS = CHUNK_INDEX_CELLS };

static uint64_t window_of(uint64_t address)
{
    return address >> CHUNK_INDEX_WINDOW_SHIFT;
}

/* Returns the cells of a window that had none. */
static struct chunk_index_cell *cells_make(struct chunk_index *index, uint64_t address)
{
    struct chunk_index_cell ***table = &index->tables[window_of(address) >> CHUNK_INDEX_TABLE_BITS];
    struct chunk_index_cell *cells = index->cells + index->cell_count;

    if (*table == NULL)
        *table = calloc(TABLE, sizeof **table);
    if (*table == NULL)
        return NULL;
    index->cell_count += CELLS;
    (*table)[window_of(address) & (TABLE - 1)] = cells;
    return cells;
}

static bool add_crossing(struct chunk_index *index, size_t number)
{
    if (index->crossings == index->crossing_room) {
        size_t room = index->crossing_room * 2 + 64;
        size_t *larger = realloc(index->crossing, room * sizeof *larger);

        if (larger == NULL)
            return false;
        index->crossing = larger;
        index->crossing_room = room;
    }
    index->crossing[index->crossings++] = number;
    return true;
}

static unsigned cell_number(uint64_t address)
{
    return address >> CHUNK_INDEX_CELL_SHIFT & (CELLS - 1);
}

/* Enters the chunks from `number` on that start in the same window. Returns the next one, or 0. */
static size_t add_window(struct chunk_index *index, size_t number, size_t count)
{
    const struct mark_chunk *chunks = index->chunks;
    uint64_t window = window_of(chunks[number].start);
    struct chunk_index_cell *cells = cells_make(index, chunks[number].start);

    if (cells == NULL)
        return 0;
    for (unsigned i = 0; i < CELLS; i++) {
        cells[i].before = number;
        for (; number < count && window_of(chunks[number].start) == window &&
               cell_number(chunks[number].start) == i;
             number++)
            cells[i].starts |= UINT64_C(1) << (chunks[number].start >> 4 & 63);
    }
    if (window_of(chunks[number - 1].start + chunks[number - 1].size) != window &&
        !add_crossing(index, number - 1))
        return 0;
    return number;
}

static size_t windows(const struct mark_chunk *chunks, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += i == 0 || window_of(chunks[i].start) != window_of(chunks[i - 1].start);
    return found;
}

static bool fill(struct chunk_index *index, size_t count)
{
    index->cell_room = windows(index->chunks, count) * CELLS;
    index->cells = pool_map(index->cell_room * sizeof *index->cells);
    if (index->cells == NULL)
        return false;
    for (size_t number = 0; number < count;) {
        number = add_window(index, number, count);
        if (number == 0)
            return false;
    }
    return true;
}

struct chunk_index *chunk_index_make(const struct mark_chunk *chunks, size_t count)
{
    struct chunk_index *index = calloc(1, sizeof *index);

    if (index == NULL)
        return NULL;
    index->chunks = chunks;
    /* Without chunks, chunk_index_may() is true of one address, and the search finds nothing. */
    if (count == 0)
        return index;
    index->low = chunks[0].start;
    /* A chunk of no bytes has an address, too. */
    index->span = chunks[count - 1].start + chunks[count - 1].size - index->low;
    if (!fill(index, count)) {
        chunk_index_free(index);
        return NULL;
    }
    return index;
}

void chunk_index_free(struct chunk_index *index)
{
    if (index == NULL)
        return;
    for (unsigned i = 0; i < TABLE; i++)
        free(index->tables[i]);
    pool_unmap(index->cells, index->cell_room * sizeof *index->cells);
    free(index->crossing);
    free(index);
}

int64_t chunk_index_find_crossing(const struct chunk_index *index, uint64_t address)
{
    size_t low = 0, high = index->crossings;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->chunks[index->crossing[middle]].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? CHUNK_INDEX_NONE : (int64_t)index->crossing[low - 1];
}

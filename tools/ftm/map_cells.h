/*
 * A heap as cells, one for each unit or page: a letter, and a colour on a terminal.
 */
#ifndef FTM_MAP_CELLS_H
#define FTM_MAP_CELLS_H

#include "map.h"
#include "out.h"

struct cell {
    char glyph; /* ' ': nothing is there */
    uint8_t color;
};

unsigned cells_count(const struct map *map, const struct map_heap *heap,
                     const struct map_options *options);
struct cell cell_at(const struct map *map, const struct map_heap *heap,
                    const struct map_options *options, unsigned number);

/* What the letters mean, as lines. */
void cells_legend(struct out *out, const struct map *map, const struct map_options *options);

/* Prints a cell; cell_end() ends the line. */
void cell_print(struct out *out, struct cell cell, bool color);
void cell_end(struct out *out, bool color);

#endif

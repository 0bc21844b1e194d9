/*
 * The pieces of memory that a snapshot has.
 */
#ifndef FTM_PIECES_H
#define FTM_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of memory. */
struct piece {
    uint64_t start, end;
    uint64_t offset; /* in the file, unless it is zeros */
    bool zeros;
};

/* Returns the first of the sorted pieces that ends behind the address, or `count`. */
size_t pieces_behind(const struct piece *pieces, size_t count, uint64_t address);

/*
 * Sorts pieces. What two of them have, the one with the lower start keeps, or the first in the
 * file. Returns how many are left.
 */
size_t pieces_order(struct piece *pieces, size_t count);

#endif

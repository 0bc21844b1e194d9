/*
 * Pieces without overlaps.
 */
#include "pieces.h"

#include <stdlib.h>

size_t pieces_behind(const struct piece *pieces, size_t count, uint64_t address)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;

        if (pieces[middle].end > address)
            count = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

size_t pieces_order(struct piece *pieces, size_t count)
{
    size_t kept = 0;
    uint64_t end = 0;

    if (count > 0)
        qsort(pieces, count, sizeof *pieces, compare_pieces);
    for (size_t i = 0; i < count; i++) {
        struct piece piece = pieces[i];

        if (piece.start < end && piece.end > end) {
            piece.offset += end - piece.start;
            piece.start = end;
        }
        if (piece.start >= end && piece.start < piece.end) {
            end = piece.end;
            pieces[kept++] = piece;
        }
    }
    return kept;
}

/*
 * Copies what a heap's header says, for snapshots. Other threads go on meanwhile.
 */
#ifndef FT_BINS_HEAP_COPY_H
#define FT_BINS_HEAP_COPY_H

#include "bins/slab.h"

/* Returns the bytes of the header of a heap of the zone, with its states and slabs. */
static inline size_t heap_header_size(bool small)
{
    return (size_t)(small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) * UNIT_SIZE;
}

/*
 * Copies the header of a heap, which is pinned, to `out`, which has heap_header_size() bytes. A
 * slab that began or ended meanwhile has identity 0 in the copy; what the copy says of all others
 * is true of them.
 */
void heap_copy_header(const struct heap *heap, char *out);

#endif

/*
 * Memory that the library has, and in which a reader finds nothing: entries of the table of live
 * chunks that are free, with what the last chunk left there. As zeros they take no room in a file.
 */
#ifndef FTM_SNAPSHOT_UNUSED_H
#define FTM_SNAPSHOT_UNUSED_H

#include "ranges.h"

struct view;

/* Adds the blocks of the table, sorted. They are not joined, because entries do not go across. */
void snapshot_unused_find(struct view *view, struct ranges *blocks);

/* Clears free entries in a copy of `size` bytes of the memory at the address. */
void snapshot_unused_clear(struct view *view, const struct ranges *blocks, uint64_t address,
                           char *copy, size_t size);

#endif

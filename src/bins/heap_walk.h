/*
 * Walking over the heaps of a set, by any thread, while their owner goes on. The structure lock is
 * held for the step from one heap to the next, and no longer: the heap that the walker is in is
 * pinned, which keeps it from being unmapped. New heaps come in front, so those that are there all
 * the while are visited once.
 */
#ifndef FT_BINS_HEAP_WALK_H
#define FT_BINS_HEAP_WALK_H

#include "bins/heap.h"

/*
 * The heap after `heap`, or the first one for NULL; NULL at the end. The one that is returned is
 * pinned, until the next call for it. Takes the structure lock for reading; the caller holds none.
 */
struct heap *heap_walk(struct heap_set *set, struct heap *heap);

/* Whether a walker is in the heap. Structure lock, for writing. */
bool heap_pinned(const struct heap *heap);

#endif

/*
 * Internal to src/bins: takes chunks from the slabs of a bin, and returns them. With the arena's
 * lock.
 */
#ifndef FT_BINS_BIN_SLABS_H
#define FT_BINS_BIN_SLABS_H

#include "bins/bin.h"

/* Bins may keep so many units of long empty slabs together; an arena then makes none anew. */
enum { SPARE_ROOM = (4 << 20) / UNIT_SIZE };

static inline struct bins *bins_of(struct bin *bin)
{
    return (struct bins *)(void *)(bin - bin->size_class);
}

static inline struct heap_set *bin_heaps(struct bin *bin)
{
    return bin->size_class < TINY_CLASSES ? bins_of(bin)->tiny : bins_of(bin)->small;
}

/* Returns true if a slab has a vacant chunk that was handed out before. */
bool bin_has_used(struct bin *bin);

/* Returns true if a slab has any vacant chunk. */
static inline bool bin_has_vacant(const struct bin *bin)
{
    return bin->spare != NULL || bin->partial != NULL ||
           (bin->current != NULL && bin->current->free > 0);
}

/* Makes a slab with vacant chunks current and returns it. Returns NULL if there is no memory. */
struct slab *bin_next_current(struct bin *bin);

/*
 * Takes up to `most` chunks of a SMALL class that were handed out before. Returns how many it took.
 */
unsigned bin_take_used(struct bin *bin, void **out, unsigned most);

/* Moves a slab to its new place after some of its vacant chunks were lost. */
void bin_lost(struct bin *bin, struct slab *slab);

/* Returns the spare slabs, and the current one if it is empty, to their heaps. */
void bin_release_empty(struct bin *bin);

#endif

/*
 * A bin: an arena's state for one size class. In front, a bounded stack of free chunks (the chunk freed last
 * is warm); behind it the slabs: the current one, from which the stack is filled, a ring of partial ones, and
 * an empty one in reserve. Full slabs are in no list. Owner only, all of it.
 *
 *   malloc: stack -> current slab -> the fullest of a few partial slabs -> spare slab -> a new slab
 *   free:   stack; when that is full, the half of it that lay there longest goes to the slabs
 */
#ifndef FT_BINS_BIN_H
#define FT_BINS_BIN_H

#include "bins/slab.h"

struct bin {
    /* The stack of free chunks: slots[0 .. count). */
    void **slots;
    uint32_t count;
    uint32_t limit;
    uint32_t size;
    /* A longer stack, taken into use when the first one overflows, or has been filled a few times. */
    uint16_t limit_max;
    uint8_t class;
    uint8_t refills;
    void **slots_max;
    struct slab *current;
    struct slab *partial;
    struct slab *spare;
    struct heap_set *heaps;
};

static_assert(sizeof(struct bin) == 64, "one cache line");

/* Where the bin of a TINY size stands in an array of bins, by the size in units of CHUNK_ALIGN, rounded up. */
extern const uint16_t tiny_bin_offsets[TINY_MAX / CHUNK_ALIGN + 1];

/* How many slots all bins of an arena need, for their first and for their longer stacks. */
size_t bins_slots(void);

/* Sets up the bins of an arena over `slots`, bins_slots() of them, zero-filled. */
void bins_init(struct bin *bins, void **slots, struct heap_set *tiny, struct heap_set *small);

/* For the repair after fork: nothing is cached and no slab is known. */
void bin_reset(struct bin *bin);

/* Fills the empty stack with at least one chunk. False: no memory. */
bool bin_refill(struct bin *bin);

/* One chunk straight from a slab, for an empty stack; sets *clean if its memory is zero. NULL: no memory. */
void *bin_take_one(struct bin *bin, bool *clean);

/* Makes room in a full stack. */
void bin_spill(struct bin *bin);

/* Takes back a chunk whose state says so already. */
static inline void bin_free(struct bin *bin, void *chunk)
{
    if (unlikely(bin->count == bin->limit))
        bin_spill(bin);
    bin->slots[bin->count++] = chunk;
}

/* Enters a slab that a rebuild found, wherever its number of vacant chunks puts it. */
void bin_adopt(struct bin *bin, struct slab *slab);

/* Gives the stack's chunks to their slabs and all empty slabs to their heaps. */
void bin_flush(struct bin *bin);

#endif

/*
 * Internal to src/bins: which pages of a heap are free, and hooks by which slabs tell what happens
 * to their pages. A page is free if every chunk that has a part on it is vacant in its slab. Chunks
 * in stacks, in the quarantine, or on their way from another thread are not vacant. A kernel's page
 * that is larger than a unit may cover several slabs and vacant units; it is free if it is free in
 * each of these slabs. With the arena's lock held.
 */
#ifndef FT_BINS_PAGE_LOOK_H
#define FT_BINS_PAGE_LOOK_H

#include "bins/heap_pages.h"

/* A heap is looked at in pieces of this many pages: 4 MiB. */
enum { LOOK_WORDS = 16, LOOK_PAGES = LOOK_WORDS * 64 };

struct look {
    /* What to look at: the heap, and the first page of the piece, a multiple of LOOK_PAGES. */
    struct heap *heap;
    unsigned from;
    /*
     * Whether only pages count that were AGED already and stayed free, and whether the dirty pages
     * of vacant units count, too.
     */
    bool aged_only, with_units;
    /* What was found, a bit for each page of the piece. Renewing these pages destroys nothing. */
    uint64_t free[LOOK_WORDS];
    /* Free pages that the kernel may have memory behind. */
    uint64_t due[LOOK_WORDS];
    /* Pages that are due now, or will be at the next look if they stay free until then. */
    uint64_t aged[LOOK_WORDS];
};

void look_at_pages(struct look *look);

/* Notes that the piece was looked at: what is free now is AGED at the next look. */
void look_note(const struct look *look);

/*
 * Returns the slab that a unit belongs to. Returns NULL if the unit is in no slab, because it is
 * vacant or a guard, or was lost.
 */
struct slab *look_slab(const struct heap *heap, unsigned unit);

/* Called for a slab that has slab->given set, when chunks were taken out of it. */
void slab_pages_taken(struct slab *slab, void *const *chunks, unsigned count);

/* Takes the vacant chunks on lost pages out of use for ever. */
void slab_pages_hide_lost(struct slab *slab);

#endif

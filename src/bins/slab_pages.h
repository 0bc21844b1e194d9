/*
 * Gives back pages inside slabs that stay in use. A page is free if every chunk that has a part on
 * it is vacant in its slab. Chunks in stacks, in the quarantine, or on their way from another
 * thread are not vacant. A kernel's page that is larger than a unit may cover several slabs and
 * vacant units; it is free if it is free in each of these slabs.
 *
 * With the arena's lock held, except for the counts.
 */
#ifndef FT_BINS_SLAB_PAGES_H
#define FT_BINS_SLAB_PAGES_H

#include "bins/bin.h"

/* Gives back the free pages in all slabs. Returns the bytes. */
size_t slab_pages_trim(struct bins *bins);

/*
 * Give back the free pages a piece at a time, as far as the allowance of each set permits:
 * slab_pages_begin() starts a round over all heaps, and slab_pages_step() continues it. It returns
 * false if there is more to do, for another call.
 */
void slab_pages_begin(struct bins *bins);
bool slab_pages_step(struct bins *bins);

/*
 * Called for a slab that has slab->given set, when chunks were taken out of it, and when it is
 * destroyed.
 */
void slab_pages_taken(struct slab *slab, void *const *chunks, unsigned count);
void slab_pages_forget(struct slab *slab);

/* Takes the vacant chunks on lost pages out of use for ever. */
void slab_pages_hide_lost(struct slab *slab);

/*
 * How many pages inside slabs the process gave back, in how many system calls, and how many of them
 * were handed out again. In units of OS_PAGE.
 */
struct slab_pages_counts {
    uint64_t given;
    uint64_t calls;
    uint64_t wanted;
};

struct slab_pages_counts slab_pages_counted(void);

#endif

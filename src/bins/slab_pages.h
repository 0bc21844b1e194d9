/*
 * Gives back pages inside slabs that stay in use: all free pages for malloc_trim(); at ticks those
 * that have been free for about a second, together with free units; and when fresh memory is
 * handed out, as many bytes of other free pages. Adjacent pages go back in one call.
 *
 * If pages that went back are often wanted again, a set of heaps becomes more patient: pages must
 * be free for longer, and young ones do not make way. It becomes less patient if few are wanted.
 *
 * With the arena's lock held, except for the counts.
 */
#ifndef FT_BINS_SLAB_PAGES_H
#define FT_BINS_SLAB_PAGES_H

#include "bins/bin.h"

/* Gives back the free pages in all slabs. Returns the bytes. */
size_t slab_pages_trim(struct bins *bins);

/*
 * Give back all free pages a piece at a time, as far as the allowance of each set permits.
 * slab_pages_begin() starts a round over all heaps. slab_pages_step() and slab_pages_age() continue
 * it, and return false if there is more to do, for another call.
 */
void slab_pages_begin(struct bins *bins);
bool slab_pages_step(struct bins *bins);

/*
 * To be called at ticks: gives back old pages, or continues with a round, as far as the allowance
 * of each set permits. Returns false if there is more to do, for another call.
 */
bool slab_pages_age(struct bins *bins, uint64_t now);

/* How many bytes of fresh memory are worth a look at what could make way for them. */
enum { PAGES_WAY = 1 << 20 };

/* To be called at the end of slow calls if heap_set_wants_way() is true for a set. */
void slab_pages_make_way(struct bins *bins);

static inline bool heap_set_wants_way(const struct heap_set *set)
{
    return set->pages.fresh >= PAGES_WAY;
}

/*
 * How many free pages the process gave back one by one, not as units, in how many system calls, and
 * how many of them were handed out again. In units of OS_PAGE.
 */
struct slab_pages_counts {
    uint64_t given;
    uint64_t calls;
    uint64_t wanted;
};

struct slab_pages_counts slab_pages_counted(void);

#endif
